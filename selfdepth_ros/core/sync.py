# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stamps of several cameras in, sets of images that belong together out.

A pure state machine: it has no clock, no thread and no lock. Images are matched on their *stamps*,
deadlines run on their *arrival*, so a live node (arrival = a steady clock) and a bag reader
(arrival = log time) get the same sets. Stamps are those of exposure: who pushes has corrected
those of a driver that stamps later.

Laws, which the tests hold for any interleaving:

* the stamps of one set lie within ``tolerance_ns`` of each other;
* every pushed image is in exactly one set, or counted in ``stats`` as dropped, or still pending;
* sets leave with strictly increasing stamps, and each camera's images leave in order, until the
  time line changes;
* a set leaves as soon as nothing can be added to it, at the latest ``deadline_ns`` after its first
  image arrived.

Time lines: a bag that starts again, a seek, or a driver whose clock is wrong produces stamps far
(``jump_ns``) from all the others, or well (``jump_back_ns``) before the camera's own last one, as
of a short bag that starts again. Such images wait, one per camera, until most of the living
cameras are on the new time line, or the current one has been silent for ``jump_ns`` of arrival
time; then it becomes the current one. A camera with a wrong clock thus loses only its own images.

Rates (`Rates`): sets come at the rate of the slower majority. Images of a faster camera open none:
they are held, and a set that leaves takes the nearest one; the others are counted as ``between``.
A slower camera is waited for, and is missed, only where its next image is due.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from typing import Any

from selfdepth_ros.core.sync_rates import Rates
from selfdepth_ros.core.sync_values import (
    Collector,
    Image,
    Released,
    SetReady,
    SyncStats,
    check_arguments,
)

__all__ = ['SetReady', 'SurroundSync', 'SyncStats']

MAX_PENDING = 64
"""Sets that may wait at once; beyond it the oldest leaves as it is. Bounds the memory."""
JUMP_BACK_NS = 300_000_000
"""Stamps of a camera that go back by more are another time line; by less, out of order."""
MOST_OFFSET_MS = 800.0
"""A camera's stamps are corrected by so much at most, either way: images that are as late must
come before a set of a recording leaves, within a second."""
ALIVE_WITHIN = 3
"""A camera that was missing in this many sets in a row has no vote on the time line."""


class SurroundSync:
    """Forms sets of images from the stamps of several cameras; see the module for its laws.

    Args:
        cameras: names, in the order of the rig.
        tolerance_ns: the largest difference of stamps within one set; best below half a period.
        deadline_ns: how long after the arrival of its first image a set may wait for the others.
        absent_after: once a camera was missing in that many sets in a row where it was due, sets
            do not wait for it until it returns; None: they always wait until the deadline.
        jump_ns: a stamp further than this from the newest one belongs to another time line.
        jump_back_ns: so does one that is older by more than this than its own camera's last one.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        tolerance_ns: int,
        deadline_ns: int,
        *,
        absent_after: int | None = None,
        jump_ns: int = 2_000_000_000,
        jump_back_ns: int = JUMP_BACK_NS,
    ) -> None:
        check_arguments(cameras, tolerance_ns, deadline_ns, jump_ns)
        self.cameras = tuple(cameras)
        self.stats = SyncStats()
        self._index = {name: index for index, name in enumerate(self.cameras)}
        self._tolerance_ns, self._deadline_ns = tolerance_ns, deadline_ns
        self._jump_ns, self._jump_back_ns = jump_ns, jump_back_ns
        self._absent_after = absent_after
        self._missed = [0] * len(self.cameras)  # sets in a row without this camera, but due
        self._rates = Rates(len(self.cameras), tolerance_ns)
        self._held: list[list[Image]] = [[] for _ in self.cameras]  # of fast cameras, in order
        self._waiting: dict[int, Image] = {}  # images on another time line, one per camera
        self._heard_ns = 0  # arrival of the last image on the current time line
        self._start_time_line()

    @property
    def pending(self) -> int:
        """Images held: in sets that are not complete yet, for later ones, on another time line."""
        in_sets = sum(len(collector.images) for collector in self._collectors)
        return in_sets + sum(map(len, self._held)) + len(self._waiting)

    @property
    def next_deadline_ns(self) -> int | None:
        """Arrival time at which `expire` will release something; None when nothing waits."""
        return min((self._deadline_of(collector) for collector in self._collectors), default=None)

    def push(
        self, camera: str, stamp_ns: int, arrival_ns: int, payload: Any = None
    ) -> list[SetReady]:
        """Take one image in; returns the sets that leave because of it, in order of their stamps.

        `payload` travels with the stamp and comes back in the set, or is let go with the image.
        """
        image = Image(self._index[camera], stamp_ns, arrival_ns, payload)
        self.stats.pushed += 1
        ready = self.expire(arrival_ns)
        if self._is_far(image):
            ready += self._wait_on_other_time_line(image)
        else:  # and what its camera had waiting was a single wrong stamp, not a new time line
            self.stats.stray += self._waiting.pop(image.camera, None) is not None
            ready += self._take(image)
        return ready + self.expire(arrival_ns)  # of what waited or was held, and is in sets now

    def expire(self, now_ns: int) -> list[SetReady]:
        """Release every set whose deadline has passed at `now_ns` (same clock as the arrivals)."""
        due = [i for i, item in enumerate(self._collectors) if self._deadline_of(item) <= now_ns]
        ready = self._release(due[-1] + 1) if due else []
        # a set's first image may come a deadline after a fast camera's, and leave another later
        since_ns = now_ns - 2 * self._deadline_ns
        for camera, images in enumerate(self._held):
            stale = [image.stamp_ns for image in images if image.arrival_ns <= since_ns]
            if stale:
                self._let_go(camera, stale[-1])
        return ready

    def flush(self) -> list[SetReady]:
        """Release all that is held: the end of a bag. What waits on another time line is stray."""
        self.stats.stray += len(self._waiting)
        self._waiting.clear()
        return self._release_all()

    # -- one time line --

    def _start_time_line(self) -> None:
        self._collectors: list[Collector] = []  # sorted by their earliest stamp
        self._newest_ns: int | None = None  # of all cameras
        self._newest_of: list[int | None] = [None] * len(self.cameras)
        self._released: Released | None = None
        self._released_stamp_ns: int | None = None
        self._rates.restart()

    def _take(self, image: Image) -> list[SetReady]:
        self._heard_ns = image.arrival_ns
        self._rates.heard(image.camera, image.stamp_ns)
        dropped, fast = self._is_dropped(image), self._rates.is_fast(image.camera)
        if self._worth_waiting_for(image) or not (dropped or fast):
            self._missed[image.camera] = 0
        if dropped:
            return []
        self._newest_of[image.camera] = image.stamp_ns
        if self._newest_ns is None or image.stamp_ns > self._newest_ns:
            self._newest_ns = image.stamp_ns
        self._held[image.camera].append(image)
        for camera, images in enumerate(self._held):
            if images and not self._rates.is_fast(camera):
                self._place_held(camera)
            elif len(images) > MAX_PENDING:
                self._let_go(camera, images[0].stamp_ns)
        return self._release(max(self._settled(), len(self._collectors) - MAX_PENDING))

    def _place_held(self, camera: int) -> None:
        images, self._held[camera] = self._held[camera], []
        for image in images:
            collector = self._best_collector(image)
            if collector is not None:
                collector.images[camera] = image
            else:
                insort(self._collectors, Collector(image), key=lambda item: item.first_ns)

    def _take_held(self, collector: Collector) -> None:
        """Give a set that leaves the nearest image of each fast camera, and forget older ones."""
        first_ns = collector.first_ns
        for camera, images in enumerate(self._held):
            later = any(camera in other.images for other in self._collectors)
            fitting = [image for image in images if self._belongs(image, collector)]
            if fitting and not later and camera not in collector.images:
                best = min(fitting, key=lambda image: abs(image.stamp_ns - collector.middle_ns))
                collector.images[camera] = best
                self._held[camera] = [image for image in images if image is not best]
                self._let_go(camera, best.stamp_ns)
            self._let_go(camera, first_ns)

    def _let_go(self, camera: int, until_ns: int) -> None:
        kept = [image for image in self._held[camera] if image.stamp_ns > until_ns]
        self.stats.between += len(self._held[camera]) - len(kept)
        self._held[camera] = kept

    def _is_dropped(self, image: Image) -> bool:
        newest, released = self._newest_of[image.camera], self._released
        if newest is not None and image.stamp_ns == newest:
            self.stats.duplicate += 1
            return True
        out_of_order = newest is not None and image.stamp_ns < newest
        has_one = released is not None and image.camera in released.cameras
        too_late = released is not None and (
            image.stamp_ns <= released.first_ns or (not has_one and self._is_near(image, released))
        )
        if too_late and not out_of_order and has_one and self._rates.is_fast(image.camera):
            self.stats.between += 1
            return True
        self.stats.late += out_of_order or too_late
        return out_of_order or too_late

    def _worth_waiting_for(self, image: Image) -> bool:
        """Whether sets that wait would have it: what is always later must not delay them all."""
        newest, last = self._newest_of[image.camera], self._released
        if last is None or (newest is not None and image.stamp_ns <= newest):
            return False
        lag_ns = (image.arrival_ns - image.stamp_ns) - (last.arrival_ns - last.first_ns)
        return lag_ns <= self._deadline_ns

    def _best_collector(self, image: Image) -> Collector | None:
        """The set nearest in time that may take the image without breaking the order of sets."""
        best: Collector | None = None
        before_ns = None if self._released is None else self._released.first_ns
        for collector in self._collectors:
            in_order = before_ns is None or image.stamp_ns > before_ns
            before_ns = collector.first_ns
            if image.camera in collector.images:
                best = None  # later images of a camera go to later sets
            elif in_order and self._is_near(image, collector):
                best = collector if best is None else min(best, collector, key=image.distance)
        return best

    def _is_near(self, image: Image, to: Collector | Released) -> bool:
        """Whether it belongs there, and no set between could be nearer when rates differ."""
        gap_ns = max(to.first_ns - image.stamp_ns, image.stamp_ns - to.last_ns)
        return gap_ns <= self._rates.reach_ns(image.camera) and self._belongs(image, to)

    def _belongs(self, image: Image, to: Collector | Released) -> bool:
        spread_ns = max(to.last_ns, image.stamp_ns) - min(to.first_ns, image.stamp_ns)
        return spread_ns <= self._tolerance_ns

    def _settled(self) -> int:
        """How many sets can no longer grow: every camera is in it, past it, absent or not due."""
        out = self._cameras_missed(self._absent_after) if self._absent_after is not None else set()
        count = len(self._collectors)
        for number in range(count, 0, -1):
            collector = self._collectors[number - 1]
            out.update(collector.images)
            others = set(range(len(self.cameras))) - out
            if any(self._is_awaited(camera, collector) for camera in others):
                count = number - 1
        return count

    def _is_awaited(self, camera: int, collector: Collector) -> bool:
        """Whether a nearer image of this camera may still come."""
        if self._rates.is_fast(camera):
            newest = self._newest_of[camera]
            nearest_ns = collector.middle_ns - self._rates.reach_ns(camera)
            return newest is None or newest < nearest_ns
        return self._rates.is_due(camera, collector.first_ns, collector.last_ns)

    def _cameras_missed(self, sets: int) -> set[int]:
        return {camera for camera, missed in enumerate(self._missed) if missed >= sets}

    def _deadline_of(self, collector: Collector) -> int:
        return collector.opened_by.arrival_ns + self._deadline_ns

    def _release(self, count: int) -> list[SetReady]:
        return [self._ready(self._collectors.pop(0)) for _ in range(count)]

    def _release_all(self) -> list[SetReady]:
        ready = self._release(len(self._collectors))
        self.stats.between += sum(map(len, self._held))
        self._held = [[] for _ in self.cameras]
        return ready

    def _ready(self, collector: Collector) -> SetReady:
        first_ns, last_ns = collector.first_ns, collector.last_ns  # without fast cameras
        self._take_held(collector)
        images = [collector.images.get(camera) for camera in range(len(self.cameras))]
        missing = [i for i, image in enumerate(images) if image is None]
        for camera in range(len(self.cameras)):
            if camera in collector.images:
                self._missed[camera] = 0
            else:
                self._missed[camera] += self._rates.is_due(camera, first_ns, last_ns)
        self.stats.matched += len(collector.images)
        self.stats.partial_sets += bool(missing)
        self.stats.complete_sets += not missing
        arrival_ns = collector.opened_by.arrival_ns
        self._released = Released(first_ns, last_ns, arrival_ns, frozenset(collector.images))
        return SetReady(
            stamp_ns=self._stamp_of(first_ns),
            members=tuple(None if image is None else image.stamp_ns for image in images),
            payloads=tuple(None if image is None else image.payload for image in images),
            missing=tuple(self.cameras[i] for i in missing),
        )

    def _stamp_of(self, first_ns: int) -> int:
        stamp_ns = first_ns
        if self._released_stamp_ns is not None:  # sets overlap when tolerance > frame period
            stamp_ns = max(stamp_ns, self._released_stamp_ns + 1)
        self._released_stamp_ns = stamp_ns
        return stamp_ns

    # -- several time lines --

    def _is_far(self, image: Image) -> bool:
        if self._newest_ns is None:
            return False
        own_ns = self._newest_of[image.camera]
        back = own_ns is not None and own_ns - image.stamp_ns > self._jump_back_ns
        return back or abs(image.stamp_ns - self._newest_ns) > self._jump_ns

    def _wait_on_other_time_line(self, image: Image) -> list[SetReady]:
        before = self._waiting.get(image.camera)
        if before is not None and before.stamp_ns == image.stamp_ns:
            self.stats.duplicate += 1
            return []
        self.stats.stray += before is not None
        self._waiting[image.camera] = image
        near = [
            other
            for other in self._waiting.values()
            if abs(other.stamp_ns - image.stamp_ns) <= self._jump_ns
        ]
        voters = set(range(len(self.cameras))) - self._cameras_missed(ALIVE_WITHIN)
        voters.update(other.camera for other in near)
        silent = image.arrival_ns - self._heard_ns >= self._jump_ns
        return self._change_time_line(near) if silent or 2 * len(near) > len(voters) else []

    def _change_time_line(self, images: list[Image]) -> list[SetReady]:
        ready = self._release_all()
        ahead = self._newest_ns is not None and images[0].stamp_ns > self._newest_ns
        self.stats.jumps_ahead += ahead
        self.stats.jumps_back += not ahead
        self._start_time_line()
        for image in images:
            del self._waiting[image.camera]
        for image in images:
            ready += self._take(image)
        return ready
