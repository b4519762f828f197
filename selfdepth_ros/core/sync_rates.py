# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How often each camera fires, learned from its stamps; which are faster or slower than the rig.

The rig's period is that of the faster cameras of its slower majority: the lower median of the
living ones. Cameras of about that period are the rule; all of one rate are neither fast nor slow.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

LEAST, MOST = 6, 16
"""Stamps from which a period is told, at the least and at the most."""
DISTINCT = 1.3
"""Periods that differ by less are one rate: jitter and a few lost images must not part cameras."""
LIVING = 5
"""A camera has a vote on the rig's period until so many of its own periods passed without it."""
_SLACK = 1.25
"""A slow camera is expected so much earlier or later than it could join: its stamps jitter."""


class Rates:
    """Periods (ns) of cameras, by index; `tolerance_ns` is that of a set."""

    def __init__(self, cameras: int, tolerance_ns: int) -> None:
        self._tolerance_ns = tolerance_ns
        self._stamps: list[deque[int]] = [deque(maxlen=MOST) for _ in range(cameras)]
        self.periods_ns: list[float | None] = [None] * cameras
        """Of each camera; None: not known yet."""
        self._rig_ns = 0.0
        self._fast: set[int] = set()
        self._slow: set[int] = set()
        self._begun_ns: int | None = None  # first stamp since the last restart

    def restart(self) -> None:
        """Stamps begin anew elsewhere; what was learned stays until something else is."""
        for stamps in self._stamps:
            stamps.clear()
        self._begun_ns = None

    def heard(self, camera: int, stamp_ns: int) -> None:
        """An image came, maybe too late for its set. Stamps that do not go on teach nothing."""
        stamps = self._stamps[camera]
        if stamps and stamp_ns <= stamps[-1]:
            return
        stamps.append(stamp_ns)
        if len(stamps) >= LEAST:
            self.periods_ns[camera] = _period_of(stamps)
        self._begun_ns = stamp_ns if self._begun_ns is None else self._begun_ns
        last = [own[-1] if own else self._begun_ns for own in self._stamps]
        newest = max(last)
        living = sorted(
            period
            for last_ns, period in zip(last, self.periods_ns, strict=True)
            if period is not None and newest - last_ns <= LIVING * period
        )
        if not living:
            return
        self._rig_ns = rig_ns = living[(len(living) - 1) // 2]
        known = [(i, period) for i, period in enumerate(self.periods_ns) if period is not None]
        self._fast = {i for i, period in known if period * DISTINCT < rig_ns}
        self._slow = {i for i, period in known if period > rig_ns * DISTINCT}

    def is_fast(self, camera: int) -> bool:
        """Whether it also fires between the images of most others."""
        return camera in self._fast

    def is_slow(self, camera: int) -> bool:
        """Whether most others also fire between its images."""
        return camera in self._slow

    def reach_ns(self, camera: int) -> float:
        """How far from a set its image may be at most, for no other to be nearer."""
        if self.is_fast(camera):
            return (self.periods_ns[camera] or 0) / 2
        return self._rig_ns / 2 if self.is_slow(camera) else float(self._tolerance_ns)

    def is_due(self, camera: int, first_ns: int, last_ns: int) -> bool:
        """Whether a set of these stamps should have an image of it, the next or a later one."""
        period, stamps = self.periods_ns[camera], self._stamps[camera]
        if not self.is_slow(camera) or period is None or not stamps:
            return True
        ahead = max(1, round(((first_ns + last_ns) / 2 - stamps[-1]) / period))
        expected_ns = stamps[-1] + ahead * period
        gap_ns = max(first_ns - expected_ns, expected_ns - last_ns)
        return gap_ns <= _SLACK * min(self.reach_ns(camera), self._tolerance_ns)


def _period_of(stamps: deque[int]) -> float:
    """Mean step, where a step over lost images counts as several."""
    steps = [b - a for a, b in pairwise(stamps)]
    # About the median, were some images not lost; above a third, which in nuScenes are of half.
    usual = sorted(steps)[len(steps) // 3 + 1]
    return sum(steps) / sum(max(1, int(step / usual + 0.4)) for step in steps)
