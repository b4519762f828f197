# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How the body moved between the images of a set.

Cameras fire some milliseconds apart. What an image saw is placed in the body frame of its own
stamp; `now_from_then` moves it to the body frame of the cloud's stamp, through a frame in which
the world stands still: `fixed_from_body(now)^-1 @ fixed_from_body(then)`.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

from selfdepth_ros.core.config import knob
from selfdepth_ros.core.errors import GeometryError
from selfdepth_ros.core.se3 import SE3, interpolate_poses
from selfdepth_ros.core.sync import JUMP_BACK_NS

BASE_NS = 50_000_000
"""Motion goes on beyond the newest pose as it was over this time (or more, if poses are rarer)."""
_KEEP_NS = 2_000_000_000
# Further or faster than this from one pose to the next is a reset of the odometry, no motion.
_LEAP_M, _LEAP_M_S = 0.5, 100.0
_LEAP_RAD, _LEAP_RAD_S = 0.2, 20.0

Track = tuple[Int64[np.ndarray, ' n'], Float[np.ndarray, 'n 4 4']]
"""Stamps in increasing order, and the poses fixed_from_body at them."""


@dataclass(frozen=True)
class PoseGapConfig:
    """Which poses are near enough in time to tell others."""

    max_gap_ms: float = knob(250.0, unit='ms', low=1.0, high=5000.0)
    """Poses further apart are not interpolated, a newest pose older than this not continued."""

    @property
    def max_gap_ns(self) -> int:
        """`max_gap_ms` in nanoseconds."""
        return int(self.max_gap_ms * 1e6)


class PoseTrack:
    """Poses of the last two seconds, as they come in. Not for several threads at once."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, tuple[float, ...]]] = deque()

    def __len__(self) -> int:
        return len(self._samples)

    def add(
        self, stamp_ns: int, position: Sequence[float], quaternion_xyzw: Sequence[float]
    ) -> None:
        """Take in fixed_from_body: metres, and a quaternion (normalized here).

        Stamps up to 0.3 s older than the newest are late and let go; still older ones begin a new
        track, as of a bag that starts again. Raises GeometryError for what is no pose.
        """
        values = (*position, *quaternion_xyzw)
        if not all(map(math.isfinite, values)) or not 0.99 < math.hypot(*quaternion_xyzw) < 1.01:
            raise GeometryError(
                f'Found a pose with position {list(position)} and quaternion '
                f'{list(quaternion_xyzw)} (x y z w), expected finite values and length 1.'
            )
        if self._samples and stamp_ns <= self._samples[-1][0]:
            if stamp_ns > self._samples[-1][0] - JUMP_BACK_NS:
                return
            self._samples.clear()
        self._samples.append((stamp_ns, values))
        while self._samples[0][0] < stamp_ns - _KEEP_NS:
            self._samples.popleft()

    def around(self, stamps_ns: Sequence[int]) -> Track:
        """Return the poses that tell those at some stamps (at least one)."""
        known = np.fromiter((stamp for stamp, _ in self._samples), np.int64, len(self._samples))
        if not len(known):
            return known, np.empty((0, 4, 4))
        start, stop = _reach(known, stamps_ns)
        values = np.array([self._samples[i][1] for i in range(start, stop)])
        return known[start:stop], SE3.from_quaternion(values[:, 3:], values[:, :3]).matrix


def part_around(
    track: Track, stamps_ns: Sequence[int]
) -> tuple[Int64[np.ndarray, ' m'], Float[np.ndarray, 'm 4 4']]:
    """Return the part of a long track that tells the poses at some stamps (at least one)."""
    known, poses = track
    if not len(known):
        return track
    part = slice(*_reach(known, stamps_ns))
    return known[part], poses[part]


def _reach(known: Int64[np.ndarray, ' n'], stamps_ns: Sequence[int]) -> tuple[int, int]:
    """First and past-the-last of the known stamps that enclose some others."""
    first = min(min(stamps_ns), int(known[-1]) - BASE_NS)
    start = max(0, int(np.searchsorted(known, first, side='right')) - 1)
    stop = int(np.searchsorted(known, max(stamps_ns))) + 1
    return start, min(stop, len(known))


class Motion(NamedTuple):
    """What is known of the motion between the images of a set."""

    now_from_then: SE3 | None
    """(n, 4, 4): body at the cloud's stamp from body at each image's; None when not known."""
    problem: str = ''
    """Why it is not known."""


def motion_between(
    now_ns: int, then_ns: Sequence[int | None], track: Track, max_gap_ns: int
) -> Motion:
    """Motion from the stamps of images (None: no image, no motion) to `now_ns`, all or nothing.

    Poses are interpolated; beyond the newest one the motion goes on as it was, for `max_gap_ns`
    at most, which is also the largest gap between two poses.
    """
    moving = [index for index, stamp in enumerate(then_ns) if stamp not in (None, now_ns)]
    result = np.tile(np.eye(4), (len(then_ns), 1, 1))
    if moving:
        at_ns = np.array([now_ns, *(then_ns[index] for index in moving)], np.int64)
        if problem := _unusable(track, at_ns, max_gap_ns):
            return Motion(None, problem)
        fixed_from_body, valid = poses_at(track, at_ns, max_gap_ns)
        if not valid.all():
            return Motion(None, _outside(track[0], at_ns, max_gap_ns))
        now_from_fixed = fixed_from_body[0].inverse()
        result[moving] = now_from_fixed.matrix @ fixed_from_body.matrix[1:]
    return Motion(SE3(result))


def poses_at(
    track: Track, at_ns: Int64[np.ndarray, ' k'], max_gap_ns: int
) -> tuple[SE3, Bool[np.ndarray, ' k']]:
    """Poses (k, 4, 4) at stamps, and where they can be trusted; finite everywhere.

    Between two poses as `interpolate_poses` has it; after the newest, for `max_gap_ns` at most,
    with the twist of the last `BASE_NS`. Raises GeometryError for an empty or unsorted track.
    """
    stamps_ns, poses = track
    found, valid = interpolate_poses(stamps_ns, poses, at_ns, max_gap_ns)
    beyond_ns = at_ns - stamps_ns[-1]
    ahead = beyond_ns > 0
    base = max(0, int(np.searchsorted(stamps_ns, stamps_ns[-1] - BASE_NS, side='right')) - 1)
    span_ns = int(stamps_ns[-1] - stamps_ns[base])
    if not ahead.any() or not 0 < span_ns <= max_gap_ns + BASE_NS:
        return found, valid
    newest = SE3(poses[-1])
    twist = (SE3(poses[base]).inverse() @ newest).log()
    matrix = found.matrix.copy()
    matrix[ahead] = (newest @ SE3.exp(beyond_ns[ahead, None] / span_ns * twist)).matrix
    return SE3(matrix), valid | (ahead & (beyond_ns <= max_gap_ns))


def _unusable(track: Track, at_ns: Int64[np.ndarray, ' k'], max_gap_ns: int) -> str:
    """Say why a track tells nothing: it is empty, or leaps where it is needed."""
    stamps_ns, poses = track
    if not len(stamps_ns):
        return 'no pose is known'
    seconds = np.diff(stamps_ns) * 1e-9
    moved_m = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=-1)
    cosine = (np.einsum('nij,nij->n', poses[1:, :3, :3], poses[:-1, :3, :3]) - 1) / 2
    turned = np.arccos(np.clip(cosine, -1, 1))
    leaps = (moved_m > _LEAP_M + _LEAP_M_S * seconds) | (
        turned > _LEAP_RAD + _LEAP_RAD_S * seconds
    )
    if not leaps.any():
        return ''
    worst = int(np.argmax(leaps))
    return (
        f'the poses leap: {moved_m[worst]:.2f} m and {turned[worst]:.2f} rad within '
        f'{seconds[worst] * 1e3:.0f} ms'
    )


def _outside(
    stamps_ns: Int64[np.ndarray, ' n'], at_ns: Int64[np.ndarray, ' k'], max_gap_ns: int
) -> str:
    """Say which stamps the poses do not reach."""
    allowed = f'(at most {max_gap_ns / 1e6:.0f} ms)'
    if len(stamps_ns) < 2:
        return 'only one pose is known'
    if at_ns.min() < stamps_ns[0]:
        early_ms = (stamps_ns[0] - at_ns.min()) / 1e6
        return f'the oldest pose is {early_ms:.0f} ms younger than an image'
    if at_ns.max() > stamps_ns[-1] + max_gap_ns:
        late_ms = (at_ns.max() - stamps_ns[-1]) / 1e6
        return f'the newest pose is {late_ms:.0f} ms older than an image {allowed}'
    gap_ms = np.diff(stamps_ns).max() / 1e6
    return f'the poses are {gap_ms:.0f} ms apart {allowed}'
