# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The work per pixel of fusion: which pixels become points, and where these stand.

`FusionSteps` is done here with NumPy, the reference; `selfdepth_ros.compiled` does it in a fifth
of the time where its compiler is installed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from jaxtyping import Bool, Float32, Int32, Shaped, UInt8

from selfdepth_ros.core.depth_filters import FlyingPixels, Margin, SkyGrowth
from selfdepth_ros.core.frames import POINT
from selfdepth_ros.core.fusion_config import FusionConfig

ItemT = TypeVar('ItemT')
ResultT = TypeVar('ResultT')


@dataclass(frozen=True, eq=False)
class CameraTables:
    """What the calibration says about one camera's pixels; all C-contiguous."""

    body_rays: Float32[np.ndarray, '3 n']
    """Ray per metre of depth, in the body frame."""
    origin: Float32[np.ndarray, '3']
    """The camera's place in the body frame, metres."""
    far: Float32[np.ndarray, 'h w']
    """Inverse depth must be above this to become a point; NaN: never."""
    near: Float32[np.ndarray, 'h w']
    """And below this; NaN: never."""
    sky: np.float32
    """Inverse depth up to which a pixel is further than the network can say."""
    above_horizon: Bool[np.ndarray, 'h w']
    """Whether the ray rises, past the robot itself."""


class FusionSteps(Protocol):
    """The work per pixel, for the cameras of one rig and one set of filters."""

    def each(self, work: Callable[[ItemT], ResultT], items: Sequence[ItemT]) -> list[ResultT]:
        """Do one step for several cameras, in any order; results are in that of the items."""
        ...

    def keep(
        self, index: int, depth: Float32[np.ndarray, 'h w'], image: UInt8[np.ndarray, 'h w 3']
    ) -> Bool[np.ndarray, 'h w']:
        """Pixels of one camera that pass the filters, in a buffer of this camera's."""
        ...

    def place(
        self,
        rays: Float32[np.ndarray, '3 pixels'],
        origin: Float32[np.ndarray, '3'],
        depth: Float32[np.ndarray, 'h w'],
        image: UInt8[np.ndarray, 'h w 3'],
        mask: Bool[np.ndarray, 'h w'],
        records: Shaped[np.ndarray, ' n'],
        pixel: Int32[np.ndarray, ' n'],
    ) -> None:
        """Write the points of a mask's n pixels (frames.POINT), and which pixels they are."""
        ...


class NumpySteps:
    """The reference. Scratch is shared by the cameras, so that it stays in the cache."""

    def __init__(self, tables: Sequence[CameraTables], config: FusionConfig) -> None:
        size = height, width = tables[0].far.shape
        self._tables, self._config = tables, config
        self._sky = [
            SkyGrowth(own.above_horizon, config.sky_reach_px, config.sky_step) for own in tables
        ]
        self._flying = FlyingPixels(height, width, config.flying_slope, config.flying_bend)
        self._margin = Margin(height, width, config.margin_px)
        self._masks = np.empty((len(tables), *size), bool)
        self._inverse, self._check = np.empty(size, np.float32), np.empty(size, bool)
        self._plane = np.empty(height * width, np.float32)
        self._all = np.zeros(height * width, POINT)

    def each(self, work: Callable[[ItemT], ResultT], items: Sequence[ItemT]) -> list[ResultT]:
        """See FusionSteps: one after another."""
        return [work(item) for item in items]

    def keep(
        self, index: int, depth: Float32[np.ndarray, 'h w'], image: UInt8[np.ndarray, 'h w 3']
    ) -> Bool[np.ndarray, 'h w']:
        """See FusionSteps."""
        tables, keep, inverse = self._tables[index], self._masks[index], self._inverse
        with np.errstate(divide='ignore', invalid='ignore'):
            np.divide(np.float32(1), depth, out=inverse)
            np.greater(inverse, tables.far, out=keep)
            keep &= np.less(inverse, tables.near, out=self._check)
            sky = np.less_equal(inverse, tables.sky, out=self._check)
            self._sky[index].remove(keep, sky & (inverse >= 0), image)
            self._margin.erode(keep)
            if self._config.flying_slope > 0:
                self._flying.remove(keep, inverse)
        return keep

    def place(
        self,
        rays: Float32[np.ndarray, '3 pixels'],
        origin: Float32[np.ndarray, '3'],
        depth: Float32[np.ndarray, 'h w'],
        image: UInt8[np.ndarray, 'h w 3'],
        mask: Bool[np.ndarray, 'h w'],
        records: Shaped[np.ndarray, ' n'],
        pixel: Int32[np.ndarray, ' n'],
    ) -> None:
        """See FusionSteps: all pixels by planes, then whole records; half the time of columns."""
        plane, every = self._plane, self._all
        with np.errstate(invalid='ignore'):  # infinite depths, which are no points
            for axis, name in enumerate('xyz'):
                np.multiply(rays[axis], depth.reshape(-1), out=plane)
                np.add(plane, origin[axis], out=every[name])
        for channel, name in enumerate('rgb'):
            every[name] = image[..., channel].reshape(-1)
        pixels = np.flatnonzero(mask)
        every.take(pixels, out=records, mode='clip')
        pixel[:] = pixels
