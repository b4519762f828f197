# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Values of the synchronizer: what leaves it, what it counts, what it holds meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple


@dataclass(frozen=True)
class SetReady:
    """Images that belong together, in the order of the cameras."""

    stamp_ns: int
    """The earliest stamp of the cameras that are not faster than most."""
    members: tuple[int | None, ...]
    """Each camera's own stamp, None where the camera is missing."""
    payloads: tuple[Any, ...]
    """What was pushed with each image, None where the camera is missing."""
    missing: tuple[str, ...]
    """Names of the cameras without an image."""

    @property
    def complete(self) -> bool:
        """True when every camera has an image."""
        return not self.missing


@dataclass
class SyncStats:
    """Counters: pushed = matched + duplicate + late + stray + between + images pending."""

    pushed: int = 0
    """Images pushed."""
    matched: int = 0
    """Images that left in a set."""
    duplicate: int = 0
    """Images with the stamp of the camera's image before."""
    late: int = 0
    """Images older than a set that had left already, or belonging to it, or out of order."""
    stray: int = 0
    """Images on a time line that never became the current one, or ahead of most cameras (a
    camera's clock is wrong)."""
    between: int = 0
    """Images of a camera that is faster than most, to which those of another were nearer."""
    complete_sets: int = 0
    """Sets with every camera."""
    partial_sets: int = 0
    """Sets with at least one camera missing."""
    jumps_back: int = 0
    """Changes to an earlier time line: a bag that started again or looped."""
    jumps_ahead: int = 0
    """Changes to a later time line: a pause, or a seek."""

    def left(self, ready: SetReady) -> None:
        """A set left."""
        self.matched += len(ready.members) - len(ready.missing)
        self.partial_sets += not ready.complete
        self.complete_sets += ready.complete


@dataclass(frozen=True, eq=False)
class Image:
    camera: int
    stamp_ns: int
    arrival_ns: int
    payload: Any

    @property
    def lag_ns(self) -> int:
        return self.arrival_ns - self.stamp_ns

    def distance(self, collector: Collector) -> int:
        return abs(collector.opened_by.stamp_ns - self.stamp_ns)

    def without_payload(self) -> Image:
        return replace(self, payload=None)


class Released(NamedTuple):
    """What is remembered of the last set: not its payloads."""

    first_ns: int
    last_ns: int
    arrival_ns: int  # of the image that opened it
    cameras: frozenset[int]


@dataclass(eq=False)
class Collector:
    """A set in the making."""

    opened_by: Image
    until_ns: int | None
    """Arrival time at which it leaves; None: it is ahead of half of the cameras, and held."""
    images: dict[int, Image] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.images[self.opened_by.camera] = self.opened_by

    @property
    def first_ns(self) -> int:
        return min(image.stamp_ns for image in self.images.values())

    @property
    def last_ns(self) -> int:
        return max(image.stamp_ns for image in self.images.values())

    @property
    def middle_ns(self) -> float:
        return (self.first_ns + self.last_ns) / 2

    def is_due(self, now_ns: int) -> bool:
        return self.until_ns is not None and self.until_ns <= now_ns

    def ready(self, stamp_ns: int, cameras: Sequence[str]) -> SetReady:
        images = [self.images.get(camera) for camera in range(len(cameras))]
        return SetReady(
            stamp_ns=stamp_ns,
            members=tuple(None if image is None else image.stamp_ns for image in images),
            payloads=tuple(None if image is None else image.payload for image in images),
            missing=tuple(
                name for name, image in zip(cameras, images, strict=True) if image is None
            ),
        )


def check_arguments(
    cameras: Sequence[str], tolerance_ns: int, deadline_ns: int, jump_ns: int
) -> None:
    if not cameras or len(set(cameras)) != len(cameras):
        raise ValueError(f'cameras are {list(cameras)}; expected one name or more, none twice')
    if tolerance_ns < 0 or deadline_ns < 0 or jump_ns <= tolerance_ns:
        raise ValueError(
            f'tolerance {tolerance_ns} ns, deadline {deadline_ns} ns, jump {jump_ns} ns: expected '
            'the first two not negative and the jump larger than the tolerance'
        )
