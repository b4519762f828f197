# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which frames of a drive can be learned from: those with parallax to frames before and after."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

LEAST_CHANGE = 2.0
"""Mean change of brightness (of 255) below which two images count as taken from standstill."""

Triplets = dict[int, tuple[Int[np.ndarray, ' b'], Int[np.ndarray, ' a']]]
"""For each usable frame, the frames before and after it that show parallax."""


def triplets(
    usable: Bool[np.ndarray, ' f'], moved: Callable[[int, int], bool], max_offset: int
) -> Triplets:
    """Find, for each usable frame, neighbours at most `max_offset` frames away that `moved`."""
    found = {}
    count = len(usable)
    for now in np.flatnonzero(usable).tolist():
        first, last = max(0, now - max_offset), min(count - 1, now + max_offset)
        before = [frame for frame in range(first, now) if moved(frame, now)]
        after = [frame for frame in range(now + 1, last + 1) if moved(now, frame)]
        if before and after:
            found[now] = np.array(before), np.array(after)
    return found


def moved_within(
    position: Float[np.ndarray, 'f 3'], least_m: float, most_m: float
) -> Callable[[int, int], bool]:
    """Return a test whether two frames lie `least_m` to `most_m` apart: far enough for parallax,
    near enough to show the same things."""

    def moved(first: int, second: int) -> bool:
        return least_m <= float(np.linalg.norm(position[second] - position[first])) <= most_m

    return moved
