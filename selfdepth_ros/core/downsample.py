# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Fewer points: every n-th pixel, one point in each voxel; always the same ones of a cloud."""

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from selfdepth_ros.core.config_fields import knob
from selfdepth_ros.core.frames import PointCloud

_BITS = 62
"""Grids of more cells than this many bits can number are rare, and thinned more slowly."""
SPREAD = 0x9E3779B97F4A7C15
"""An odd number that spreads keys over the slots (Fibonacci hashing, 2^64 / golden ratio)."""


@dataclass(frozen=True)
class DownsampleConfig:
    """How a cloud is thinned out before it is published."""

    stride_px: int = knob(1, unit='pixel', low=1, high=64)
    """Points of every n-th row and column of the depth maps only; 1: of all."""
    voxel_m: float = knob(0.0, unit='m', low=0.0, high=100.0)
    """At most one point in each cube with this edge; 0: keep all."""


EVERY_HEIGHT = (-math.inf, math.inf)


@runtime_checkable
class Thinner(Protocol):
    """Who says which points are left; `selfdepth_ros.compiled` is faster than `thin_numpy`."""

    def __call__(
        self,
        cloud: PointCloud,
        config: DownsampleConfig,
        width: int,
        heights_m: tuple[float, float] = EVERY_HEIGHT,
    ) -> Int[np.ndarray, ' m']:
        """Indices, ascending, in an array that the next call may overwrite.

        `width` of the depth maps in pixels; `heights_m` are the lowest and the highest z.
        """
        ...


def thin_numpy(
    cloud: PointCloud,
    config: DownsampleConfig,
    width: int,
    heights_m: tuple[float, float] = EVERY_HEIGHT,
) -> Int[np.ndarray, ' m']:
    """See Thinner: those within the heights, of these every n-th pixel, of these the first of
    each voxel.
    """
    z, (low, high) = cloud.points[:, 2], heights_m
    which = np.flatnonzero((z >= low) & (z <= high))
    if config.stride_px > 1:
        which = which[on_grid(cloud.pixels_given()[which], config.stride_px, width)]
    if config.voxel_m > 0:
        which = which[first_of_each_voxel(cloud.points[which], config.voxel_m)]
    return which


def downsample(
    cloud: PointCloud, config: DownsampleConfig, width: int, thin: Thinner = thin_numpy
) -> PointCloud:
    """Return the cloud thinned out, in its order; `width` of the depth maps in pixels."""
    if config.stride_px == 1 and config.voxel_m == 0:
        return cloud
    return cloud.select(thin(cloud, config, width))


def on_grid(pixels: Int[Any, ' n'], stride_px: int, width: int) -> Bool[Any, ' n']:
    """Tell which pixels (row * width + column) lie on every n-th row and column."""
    rows, columns = np.divmod(pixels, width)
    on: Bool[Any, ' n'] = (rows % stride_px == 0) & (columns % stride_px == 0)
    return on


def first_of_each_voxel(points: Float[np.ndarray, 'n 3'], voxel_m: float) -> Int[Any, ' m']:
    """Indices, ascending, of the first point in every cube of a grid through the origin."""
    if not len(points):
        return np.zeros(0, np.intp)
    edge = np.float32(voxel_m)
    columns = [points[:, axis] for axis in range(3)]
    low = [np.floor(column.min() / edge) for column in columns]
    size = [
        int(np.floor(column.max() / edge) - least) + 1
        for column, least in zip(columns, low, strict=True)
    ]

    def cells(axis: int) -> Any:
        column = columns[axis] / edge
        np.floor(column, out=column)
        column -= low[axis]
        return column.astype(np.int64)

    if math.prod(size).bit_length() > _BITS:
        every = np.stack([cells(axis) for axis in range(3)], axis=-1)
        return np.sort(np.unique(every, axis=0, return_index=True)[1])
    keys = cells(0)
    for axis in (1, 2):
        keys *= size[axis]
        keys += cells(axis)
    return _firsts(keys)


def _firsts(keys: Any) -> Any:
    """Indices of the first of each key, through a hash table, which is faster than a sort.

    Of several that are written to one slot the last remains, so all are written backwards; who
    finds another key in its slot goes on to the next round, with another hash.
    """
    table = np.empty(1 << (2 * len(keys)).bit_length(), np.int32)
    first = np.zeros(len(keys), bool)
    rest, own, factor = np.arange(len(keys), dtype=np.int32), keys, SPREAD
    while len(rest):
        slot = own.view(np.uint64) * np.uint64(factor)
        slot >>= np.uint64(24)
        slot &= np.uint64(len(table) - 1)
        slot = slot.view(np.int64)
        table[slot[::-1]] = rest[::-1]
        winner = table[slot]
        del slot
        first[winner] = True
        rest = rest[keys[winner] != own]
        own, factor = keys[rest], factor * SPREAD % 2**64
    return np.flatnonzero(first)
