# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What there is to be shown at each moment of a recording."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float, UInt8

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.clouds.making import CloudMaker, ahead
from selfdepth_ros.clouds.recorded import RecordedClouds, nearest_in_time
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.resizing import resized

_THUMBNAIL_PX = 320
_WITHIN_NS = 100_000_000
"""Images and clouds of one moment are no further apart than that."""


class Moment(NamedTuple):
    """One cloud, and the images beside it."""

    stamp_ns: int
    points: Float[np.ndarray, 'n 3']
    """In the body frame, metres."""
    colors: UInt8[np.ndarray, 'n 3'] | None
    images: tuple[UInt8[np.ndarray, '_ _ 3'] | None, ...]
    """RGB, in the order of the rig; none at all where no rig is known."""


class Moments(Protocol):
    """A recording that can be looked at from any stamp on."""

    rig: Rig | None
    span_ns: tuple[int, int]
    """Stamps of the first moment, and about that of the last one."""

    def since(self, stamp_ns: int) -> Iterator[Moment]:
        """Yield the moments of this stamp and later ones."""


class RecordedMoments:
    """The clouds of a bag; with a reader, the images of another (or the same) bag beside them."""

    def __init__(self, clouds: RecordedClouds, reader: BagReader | None) -> None:
        self._clouds, self._reader = clouds, reader
        self.rig = reader.rig() if reader else None
        self.span_ns = clouds.span_ns

    def since(self, stamp_ns: int) -> Iterator[Moment]:
        """See Moments."""
        clouds = ((cloud.stamp_ns, cloud.fields) for cloud in self._clouds.since(stamp_ns))
        begin_ns = stamp_ns - _WITHIN_NS
        frames = self._reader.surround_frames(thumbnail, since_ns=begin_ns) if self._reader else ()
        stamped = ((frame.stamp_ns, frame.images) for frame in frames)
        for at_ns, fields, near in nearest_in_time(clouds, stamped, _WITHIN_NS):
            images = near[1] if near else (None,) * len(self.rig or ())
            yield Moment(at_ns, fields.points, fields.colors, images)


class MadeMoments:
    """The clouds that a network makes of a bag's images, when they are asked for.

    `rig` is the one that `maker` has.
    """

    def __init__(self, reader: BagReader, maker: CloudMaker, rig: Rig) -> None:
        self._reader, self._maker, self.rig = reader, maker, rig
        self.span_ns = reader.span_ns

    def since(self, stamp_ns: int) -> Iterator[Moment]:
        """See Moments."""
        for frame in ahead(self._reader.surround_frames(since_ns=stamp_ns), 1):
            if not any(frame.present):  # as where clouds are recorded
                continue
            cloud = self._maker.made(frame).cloud
            images = tuple(i if i is None else thumbnail(0, i) for i in frame.images)
            yield Moment(frame.stamp_ns, cloud.points, cloud.colors, images)


class LatestImages:
    """The newest image of each of some cameras, small."""

    def __init__(self, cameras: int) -> None:
        self._images: list[UInt8[np.ndarray, '_ _ 3'] | None] = [None] * cameras

    def with_new(
        self, images: Sequence[UInt8[np.ndarray, '_ _ 3'] | None]
    ) -> tuple[UInt8[np.ndarray, '_ _ 3'] | None, ...]:
        """Take what is new (RGB); where that is None the image of before stays, the very one."""
        for index, image in enumerate(images):
            if image is not None:
                self._images[index] = thumbnail(0, image)
        return tuple(self._images)


def thumbnail(_: int, image: UInt8[np.ndarray, 'h w 3']) -> UInt8[np.ndarray, 'y x 3']:
    """An image as it is shown; a smaller one stays as it is."""
    height, width = image.shape[:2]
    if width <= _THUMBNAIL_PX:
        return image
    return resized(image, _THUMBNAIL_PX, max(1, round(height * _THUMBNAIL_PX / width)))
