# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which frames of a drive can be learned from: those with parallax to frames before and after."""

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
from jaxtyping import Bool, Float, Int

LEAST_CHANGE = 2.0
"""Mean change of brightness (of 255) below which two images count as taken from standstill."""

Triplets = dict[int, tuple[Int[np.ndarray, ' b'], Int[np.ndarray, ' a']]]
"""For each usable frame, the frames before and after it that show parallax."""


def triplets(
    usable: Bool[np.ndarray, ' f'],
    present: Bool[np.ndarray, 'f c'],
    moved: Callable[[int, int], bool],
    max_offset: int,
) -> Triplets:
    """Find, for each usable frame, neighbours that `moved`, among the `max_offset` nearest frames
    on either side that have at least half of its cameras (`present`): others show other places."""
    found = {}
    for now in np.flatnonzero(usable).tolist():
        alike = [list(islice(_alike(present, now, way), max_offset)) for way in (-1, 1)]
        before = [frame for frame in reversed(alike[0]) if moved(frame, now)]
        after = [frame for frame in alike[1] if moved(now, frame)]
        if before and after:
            found[now] = np.array(before), np.array(after)
    return found


def _alike(present: Bool[np.ndarray, 'f c'], now: int, way: int) -> Iterator[int]:
    """Frames with at least half of the cameras of `now`, from it on, one way."""
    cameras = present[now]
    least = max(1, cameras.sum() / 2)
    for frame in range(now + way, len(present) if way > 0 else -1, way):
        if (present[frame] & cameras).sum() >= least:
            yield frame


def moved_within(
    position: Float[np.ndarray, 'f 3'], least_m: float, most_m: float
) -> Callable[[int, int], bool]:
    """Return a test whether two frames lie `least_m` to `most_m` apart: far enough for parallax,
    near enough to show the same things."""

    def moved(first: int, second: int) -> bool:
        return least_m <= float(np.linalg.norm(position[second] - position[first])) <= most_m

    return moved
