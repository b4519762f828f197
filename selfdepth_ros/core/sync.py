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
  image arrived, unless it is ahead of half of the cameras.

Sets ahead (`Presence`): a clock that is ahead, by less than ``jump_ns``, gives sets that leave
before the others' images come, and make them late. If most living cameras are behind a set, it is
stray. If half are, nobody knows which clocks are right: it is held until it costs nobody an image.

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

from selfdepth_ros.core.sync_presence import Presence
from selfdepth_ros.core.sync_rates import Rates
from selfdepth_ros.core.sync_values import (
    Collector,
    Image,
    Released,
    SetReady,
    SyncStats,
    check_arguments,
)
from selfdepth_ros.core.sync_waiting import Between, OtherTimeLine

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
HALF = 0.5  # of the living cameras: a set that is ahead of more is stray, of as many is held


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
        self._tolerance_ns, self.deadline_ns = tolerance_ns, deadline_ns
        self._jump_ns, self._jump_back_ns = jump_ns, jump_back_ns
        self._absent_after = absent_after
        self._rates = Rates(len(self.cameras), tolerance_ns)
        self._presence = Presence(self._rates, tolerance_ns, deadline_ns, jump_ns)
        self._held = Between(len(self.cameras), self.stats)
        self._waiting = OtherTimeLine(self.stats)
        self._heard_ns = 0  # arrival of the last image on the current time line
        self._start_time_line()

    @property
    def pending(self) -> int:
        """Images held: in sets that are not complete yet, for later ones, on another time line."""
        in_sets = sum(len(collector.images) for collector in self._collectors)
        return in_sets + sum(map(len, self._held.images)) + len(self._waiting.images)

    @property
    def next_deadline_ns(self) -> int | None:
        """Arrival time at which `expire` will release something; None when nothing waits."""
        until_ns = (collector.until_ns for collector in self._collectors)
        return min((own_ns for own_ns in until_ns if own_ns is not None), default=None)

    def leads_ns(self, now_ns: int) -> dict[str, int]:
        """By how much the stamps of each camera whose images come are ahead of those of most."""
        return {self.cameras[i]: own for i, own in self._presence.leads_ns(now_ns).items()}

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
        else:
            self._waiting.let_go(image.camera)
            ready += self._take(image)
        return ready + self.expire(arrival_ns)  # of what waited or was held, and is in sets now

    def expire(self, now_ns: int) -> list[SetReady]:
        """Release every set whose deadline has passed at `now_ns` (same clock as the arrivals)."""
        for held in [item for item in self._collectors if item.until_ns is None]:
            if self._presence.share_behind(held, now_ns):
                break
            # a little later: of two sets that leave at once a live node takes the newer
            held.until_ns = now_ns + min(self._tolerance_ns, self.deadline_ns)
        due = [item for item in self._collectors if item.is_due(now_ns)]
        ready = self._release_due(due, now_ns)
        # a set's first image may come a deadline after a fast camera's, and leave another later
        self._held.let_go_before(now_ns - 2 * self.deadline_ns)
        return ready

    def flush(self) -> list[SetReady]:
        """Release all that is held: the end of a bag. What waits on another time line is stray."""
        self._waiting.let_all_go()
        return self._release_all()

    # -- one time line --

    def _start_time_line(self) -> None:
        self._collectors: list[Collector] = []  # sorted by their earliest stamp
        self._newest_ns: int | None = None  # of all cameras
        nothing: list[int | None] = [None] * len(self.cameras)
        self._newest_of, self._left_of = nothing, nothing.copy()  # taken in, and left in a set
        self._released: Released | None = None
        self._next_stamp_ns: int | None = None  # at the least
        self._rates.restart()
        self._presence.restart()

    def _take(self, image: Image) -> list[SetReady]:
        self._heard_ns = image.arrival_ns
        self._presence.heard(image)
        if not self._presence.leads_most(image):  # else it may be stray, and teaches nothing
            self._rates.heard(image.camera, image.stamp_ns)
        dropped, fast = self._is_dropped(image), self._rates.is_fast(image.camera)
        if self._worth_waiting_for(image) or not (dropped or fast):
            self._presence.missed[image.camera] = 0
        if dropped:
            return []
        self._newest_of[image.camera] = image.stamp_ns
        self._newest_ns = max(image.stamp_ns, self._newest_ns or image.stamp_ns)
        self._held.images[image.camera].append(image)
        for camera, images in enumerate(self._held.images):
            if images and not self._rates.is_fast(camera):
                self._place_held(camera)
            elif len(images) > MAX_PENDING:
                self._held.let_go(camera, images[0].stamp_ns)
        ready = self._release_due(self._collectors[: self._settled()], image.arrival_ns)
        return ready + self._release(len(self._collectors) - MAX_PENDING)

    def _place_held(self, camera: int) -> None:
        images, self._held.images[camera] = self._held.images[camera], []
        for image in images:
            collector = self._best_collector(image)
            if collector is not None:
                collector.images[camera] = image
            else:
                opened = Collector(image, image.arrival_ns + self.deadline_ns)
                insort(self._collectors, opened, key=lambda item: item.first_ns)

    def _take_held(self, collector: Collector) -> None:
        """Give a set that leaves the nearest image of each fast camera, and forget older ones."""
        first_ns = collector.first_ns
        for camera, images in enumerate(self._held.images):
            later = any(camera in other.images for other in self._collectors)
            fitting = [image for image in images if self._belongs(image, collector)]
            if fitting and not later and camera not in collector.images:
                best = min(fitting, key=lambda image: abs(image.stamp_ns - collector.middle_ns))
                collector.images[camera] = best
                images.remove(best)
                self._held.let_go(camera, best.stamp_ns)
            self._held.let_go(camera, first_ns)

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
        return image.lag_ns - (last.arrival_ns - last.first_ns) <= self.deadline_ns

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
        out = self._presence.absent(self._absent_after)
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
        past = self._presence.is_past(camera, collector.first_ns)
        return not past and self._rates.is_due(camera, collector.first_ns, collector.last_ns)

    def _release_due(self, due: list[Collector], now_ns: int) -> list[SetReady]:
        """Release these sets and all before them, but those that are ahead of the cameras."""
        last = None
        for collector in due:
            share = self._presence.share_behind(collector, now_ns)
            if share > HALF:
                self._let_stray(collector)
            elif share == HALF:
                collector.until_ns = None
            else:
                last = collector
        return [] if last is None else self._release(self._collectors.index(last) + 1)

    def _let_stray(self, collector: Collector) -> None:
        """Forget a set as if its images had not come: right ones may be older."""
        self._collectors.remove(collector)
        self.stats.stray += len(collector.images)
        for camera in collector.images:
            others = [item.images.get(camera) for item in self._collectors]
            kept = [own.stamp_ns for own in [*others, *self._held.images[camera]] if own]
            self._newest_of[camera] = max(kept, default=self._left_of[camera])
        known = [own_ns for own_ns in self._newest_of if own_ns is not None]
        self._newest_ns = max(known, default=self._newest_ns)

    def _release(self, count: int) -> list[SetReady]:
        return [self._ready(self._collectors.pop(0)) for _ in range(count)]

    def _release_all(self) -> list[SetReady]:
        ready = self._release(len(self._collectors))
        self._held.let_all_go()
        return ready

    def _ready(self, collector: Collector) -> SetReady:
        first_ns, last_ns = collector.first_ns, collector.last_ns  # without fast cameras
        self._take_held(collector)
        self._presence.count(collector, first_ns, last_ns)
        for camera, image in collector.images.items():
            self._left_of[camera] = image.stamp_ns
        arrival_ns = collector.opened_by.arrival_ns
        self._released = Released(first_ns, last_ns, arrival_ns, frozenset(collector.images))
        # sets overlap when the tolerance is above the frame period
        stamp_ns = first_ns if self._next_stamp_ns is None else max(first_ns, self._next_stamp_ns)
        self._next_stamp_ns = stamp_ns + 1
        ready = collector.ready(stamp_ns, self.cameras)
        self.stats.left(ready)
        return ready

    # -- several time lines --

    def _is_far(self, image: Image) -> bool:
        if self._newest_ns is None:
            return False
        own_ns = self._newest_of[image.camera]
        back = own_ns is not None and own_ns - image.stamp_ns > self._jump_back_ns
        return back or abs(image.stamp_ns - self._newest_ns) > self._jump_ns

    def _wait_on_other_time_line(self, image: Image) -> list[SetReady]:
        if not (near := self._waiting.add(image, self._jump_ns)):
            return []
        voters = set(range(len(self.cameras))) - self._presence.absent(ALIVE_WITHIN)
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
            del self._waiting.images[image.camera]
        for image in images:
            ready += self._take(image)
        return ready
