# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images that wait outside of sets: those of fast cameras, and those on another time line."""

from __future__ import annotations

from selfdepth_ros.core.sync_values import Image, SyncStats


class Between:
    """Images of fast cameras, by camera and in order, of which later sets take the nearest."""

    def __init__(self, cameras: int, stats: SyncStats) -> None:
        self.images: list[list[Image]] = [[] for _ in range(cameras)]
        self._stats = stats

    def let_go(self, camera: int, until_ns: int) -> None:
        """Forget those of a camera up to a stamp."""
        kept = [image for image in self.images[camera] if image.stamp_ns > until_ns]
        self._stats.between += len(self.images[camera]) - len(kept)
        self.images[camera] = kept

    def let_go_before(self, arrival_ns: int) -> None:
        """Forget those that arrived then or earlier."""
        for camera, images in enumerate(self.images):
            stale = [image.stamp_ns for image in images if image.arrival_ns <= arrival_ns]
            if stale:
                self.let_go(camera, stale[-1])

    def let_all_go(self) -> None:
        """Forget all."""
        self._stats.between += sum(map(len, self.images))
        self.images = [[] for _ in self.images]


class OtherTimeLine:
    """Images far from the current time line, the last of each camera; the others are stray."""

    def __init__(self, stats: SyncStats) -> None:
        self.images: dict[int, Image] = {}
        self._stats = stats

    def add(self, image: Image, jump_ns: int) -> list[Image]:
        """Take one in; returns those within `jump_ns` of it, none for a duplicate."""
        before = self.images.get(image.camera)
        if before is not None and before.stamp_ns == image.stamp_ns:
            self._stats.duplicate += 1
            return []
        self.let_go(image.camera)
        self.images[image.camera] = image
        stamp_ns = image.stamp_ns
        return [own for own in self.images.values() if abs(own.stamp_ns - stamp_ns) <= jump_ns]

    def let_go(self, camera: int) -> None:
        """What a camera had here was a single wrong stamp, not a new time line."""
        self._stats.stray += self.images.pop(camera, None) is not None

    def let_all_go(self) -> None:
        """No more images come."""
        self._stats.stray += len(self.images)
        self.images.clear()
