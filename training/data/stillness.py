# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a robot without odometry moved between two frames, told by its images.

How much images change does not tell: the noise of a dark evening changes every pixel, and traffic
changes a third of the image, while the robot waits. Corners do: most of them stay where they are.
"""

from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Int

from selfdepth_training.corners import (
    Following,
    Grey,
    Pixels,
    corners_of,
    grey,
    there_and_back,
)
from selfdepth_training.data.cache import FrameCache

WIDTH_PX = 128
"""About so wide are the images that are looked at: pixels are averaged, which calms noise."""
LEAST_FLOW = 0.004
"""Median shift of the corners, as a share of the width, from which a robot moves."""
LEAST_CORNERS = 8
FOLLOWING = Following(count=60, quality=0.02, spacing_px=5, window_px=21, levels=3, return_px=0.5)
_REMEMBERED = 1024
"""Images: those of two seconds before and after of six cameras at 30 Hz are 726."""


class ImageMotion:
    """Compares frames of a recording; the robot moved where most cameras say so."""

    def __init__(self, cache: FrameCache) -> None:
        self._cache = cache
        self._small = lru_cache(_REMEMBERED)(self._smaller)
        # A frame asks about those before and after it, and they about it.
        self.moved = lru_cache(None)(self._moved)

    def _moved(self, first: int, second: int) -> bool:
        """Whether the robot moved between two frames."""
        both = self._cache.present[first] & self._cache.present[second]
        flows = [self._flow(first, second, camera) for camera in np.flatnonzero(both).tolist()]
        told = [flow for flow in flows if flow is not None]
        return bool(told) and float(np.median(told)) >= LEAST_FLOW

    def nearest(self, now: int, frames: Int[np.ndarray, ' n']) -> int | None:
        """Place of the first of `frames`, from near to far, at which the robot had moved.

        Who has moved goes on: distances are doubled until he has, and then halved.
        """

        def moved(place: int) -> bool:
            first, second = sorted((now, int(frames[place])))
            return self.moved(first, second)

        still, place = -1, 0
        while place < len(frames) and not moved(place):
            still, place = place, 2 * place + 1
        if place >= len(frames):
            place = len(frames) - 1
            if place <= still or not moved(place):
                return None
        while place - still > 1:
            middle = (still + place) // 2
            still, place = (still, middle) if moved(middle) else (middle, place)
        return place

    def _flow(self, first: int, second: int, camera: int) -> float | None:
        """Median shift of a camera's corners, as a share of the width; None: too few of them."""
        before, corners = self._small(first, camera)
        after, _ = self._small(second, camera)
        if len(corners) < LEAST_CORNERS:
            return None
        there, good = there_and_back(before, after, corners, FOLLOWING)
        # What is lost has changed beyond recognition; if that is most, this was no standstill.
        if good.mean() < 0.25:
            return 1.0
        shift = np.linalg.norm((there - corners)[good], axis=1)
        return float(np.median(shift)) / before.shape[1]

    def _smaller(self, frame: int, camera: int) -> tuple[Grey, Pixels]:
        """Brightness of an image at a small size, and its corners."""
        image = grey(self._cache, frame, camera)
        factor = max(1, image.shape[1] // WIDTH_PX)
        size = image.shape[1] // factor, image.shape[0] // factor
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (3, 3), 0)
        return small, corners_of(small, None, how=FOLLOWING)
