# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the body was during a recording, by its odometry."""

from collections.abc import Sequence

import numpy as np

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.motion import Motion, Track, motion_between, part_around, poses_at
from selfdepth_ros.core.se3 import SE3

_NOTHING: Track = (np.empty(0, np.int64), np.empty((0, 4, 4)))


class Trajectory:
    """The odometry of a bag, held whole: 128 bytes a pose."""

    def __init__(self, reader: BagReader, max_gap_ns: int = 250_000_000) -> None:
        self._track = reader.odometry() or _NOTHING
        self._max_gap_ns = max_gap_ns

    def __len__(self) -> int:
        return len(self._track[0])

    def fixed_from_body(self, stamp_ns: int) -> SE3 | None:
        """Where the body was at a stamp, in the frame of the odometry; None where that ends."""
        track = part_around(self._track, [stamp_ns])
        if not len(track[0]):
            return None
        poses, valid = poses_at(track, np.array([stamp_ns]), self._max_gap_ns)
        return poses[0] if valid[0] else None

    def between(self, now_ns: int, then_ns: Sequence[int | None]) -> Motion:
        """Body at one stamp from body at others (None: no motion asked for), all or nothing."""
        given = [stamp for stamp in then_ns if stamp is not None]
        track = part_around(self._track, [now_ns, *given])
        return motion_between(now_ns, then_ns, track, self._max_gap_ns)

    def now_from_then(self, now_ns: int, then_ns: int) -> SE3 | None:
        """Body at one stamp from body at another; None where odometry does not tell."""
        moved = self.between(now_ns, [then_ns]).now_from_then
        return None if moved is None else moved[0]
