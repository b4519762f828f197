# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which cameras are there, and which of them a set is ahead of.

A camera's lag is the arrival of an image less its stamp: its latency, and how far its clock is
behind that of the arrivals. Lags mean nothing alone, but those of two cameras differ by as much as
one clock is ahead of the other, or as the images of one come sooner. A set is ahead of a camera
that has not reached its stamps and, as its lag says, comes to them only after the set has left.
That harms where the next image of any such camera is one that the set could take.
"""

from __future__ import annotations

import statistics
from collections import deque

from selfdepth_ros.core.sync_rates import Rates
from selfdepth_ros.core.sync_values import Collector, Image

_RECENT = 8
"""Images of each camera that are remembered."""
_SURE = 3
"""The lag of a camera is the least of so many last images: one that was held up does not count."""
_LIVING = 5
"""A camera has a say until so many of its own periods of arrival passed without it."""


class Presence:
    """Cameras by index; times in ns. A set is `deadline_ns` wait at most, `tolerance_ns` wide."""

    def __init__(self, rates: Rates, tolerance_ns: int, deadline_ns: int, jump_ns: int) -> None:
        self._rates, cameras = rates, len(rates.periods_ns)
        self.missed = [0] * cameras
        """Sets in a row that left without a camera which was due."""
        self._tolerance_ns, self._deadline_ns = tolerance_ns, deadline_ns
        self._jump_ns = jump_ns
        self._recent: list[deque[Image]] = [deque(maxlen=_RECENT) for _ in range(cameras)]

    def restart(self) -> None:
        """Stamps begin anew elsewhere: lags are others."""
        for images in self._recent:
            images.clear()

    def heard(self, image: Image) -> None:
        """An image came, maybe too late for its set."""
        own = self._recent[image.camera]
        if not own or own[-1].stamp_ns != image.stamp_ns:  # a stamp that stands has no lag
            own.append(image.without_payload())

    def count(self, left: Collector, first_ns: int, last_ns: int) -> None:
        """A set left, of these stamps without those of fast cameras."""
        for camera in range(len(self.missed)):
            due = self._rates.is_due(camera, first_ns, last_ns)
            self.missed[camera] = 0 if camera in left.images else self.missed[camera] + due

    def absent(self, sets: int | None) -> set[int]:
        """Cameras that were missing in so many sets in a row; None: such never are."""
        if sets is None:
            return set()
        return {camera for camera, missed in enumerate(self.missed) if missed >= sets}

    def is_past(self, camera: int, stamp_ns: int) -> bool:
        """Whether its last image was too new for a set that begins with this stamp."""
        own = self._recent[camera]
        return bool(own) and own[-1].stamp_ns > stamp_ns + self._tolerance_ns

    def living(self, now_ns: int) -> list[int]:
        """Cameras whose images come."""
        return [i for i in range(len(self._recent)) if self._is_living(i, now_ns)]

    def share_behind(self, item: Collector, now_ns: int) -> float:
        """Share of the living cameras that a set is ahead of; 0 where that does no harm."""
        # a set that left makes late also what comes up to a tolerance after it
        last_ns = item.first_ns + self._tolerance_ns
        ahead_ns = max(0, self._deadline_ns - self._tolerance_ns)
        living = self.living(now_ns)
        behind = self._behind(living, item.opened_by, item.first_ns, ahead_ns)
        periods_ns = self._rates.periods_ns
        due_ns = (self._recent[i][-1].stamp_ns + (periods_ns[i] or 0) for i in behind)
        if all(own_ns > last_ns for own_ns in due_ns):
            return 0.0
        return len(behind) / len(living)

    def leads_most(self, image: Image) -> bool:
        """Whether the lags of most living cameras are larger by more than sets wait."""
        living = self.living(image.arrival_ns)
        behind = self._behind(living, image, image.stamp_ns, self._deadline_ns)
        return 2 * len(behind) > len(living)

    def leads_ns(self, now_ns: int) -> dict[int, int]:
        """By how much the stamps of each living camera are ahead of those of most (negative:
        behind). Of two halves the one that is behind is the measure."""
        living = self.living(now_ns)
        lags = {i: statistics.median_low(x.lag_ns for x in self._recent[i]) for i in living}
        usual = statistics.median_high(lags.values()) if lags else 0
        return {camera: usual - lag for camera, lag in lags.items()}

    def _behind(self, living: list[int], first: Image, stamp_ns: int, ahead_ns: int) -> list[int]:
        return [
            camera
            for camera in living
            if self._recent[camera][-1].stamp_ns + self._reach_ns(camera) < stamp_ns
            and self._lag_ns(camera) > first.lag_ns + ahead_ns
        ]

    def _reach_ns(self, camera: int) -> float:
        """How much older its image of a set may be, for no later one to be nearer."""
        period_ns = self._rates.periods_ns[camera]
        wide_ns = float(self._tolerance_ns)
        return wide_ns if period_ns is None else min(wide_ns, period_ns / 2)

    def _lag_ns(self, camera: int) -> int:
        return min(image.lag_ns for image in list(self._recent[camera])[-_SURE:])

    def _is_living(self, camera: int, now_ns: int) -> bool:
        own = self._recent[camera]
        if not own:
            return False
        span_ns = own[-1].arrival_ns - own[0].arrival_ns
        step_ns = span_ns / (len(own) - 1) if len(own) > 1 else self._jump_ns
        patience_ns = max(self._deadline_ns, min(_LIVING * step_ns, self._jump_ns))
        return now_ns - own[-1].arrival_ns <= patience_ns
