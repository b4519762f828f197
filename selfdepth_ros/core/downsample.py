# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Fewer points: every n-th pixel, one point in each voxel; always the same ones of a cloud."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from selfdepth_ros.core.config_fields import knob
from selfdepth_ros.core.frames import PointCloud

_BITS = 62
"""Grids of more cells than this many bits can number are rare, and thinned more slowly."""
_FACTOR = 0x9E3779B97F4A7C15
"""An odd number that spreads keys over the slots (Fibonacci hashing, 2^64 / golden ratio)."""


@dataclass(frozen=True)
class DownsampleConfig:
    """How a cloud is thinned out before it is published."""

    stride_px: int = knob(1, unit='pixel', low=1, high=64)
    """Points of every n-th row and column of the depth maps only; 1: of all."""
    voxel_m: float = knob(0.0, unit='m', low=0.0, high=100.0)
    """At most one point in each cube with this edge; 0: keep all."""


def downsample(cloud: PointCloud, config: DownsampleConfig, width: int) -> PointCloud:
    """Return the cloud thinned out, in its order; `width` of the depth maps in pixels."""
    if config.stride_px > 1:
        cloud = cloud.select(on_grid(cloud.pixels_given(), config.stride_px, width))
    if config.voxel_m > 0:
        cloud = cloud.select(first_of_each_voxel(cloud.points, config.voxel_m))
    return cloud


def on_grid(pixels: Int[Any, ' n'], stride_px: int, width: int) -> Bool[Any, ' n']:
    """Tell which pixels (row * width + column) lie on every n-th row and column."""
    rows, columns = np.divmod(pixels, width)
    on: Bool[Any, ' n'] = (rows % stride_px == 0) & (columns % stride_px == 0)
    return on


def first_of_each_voxel(points: Float[np.ndarray, 'n 3'], voxel_m: float) -> Int[Any, ' m']:
    """Indices, ascending, of the first point in every cube of a grid through the origin."""
    if not len(points):
        return np.zeros(0, np.intp)
    columns = [np.floor(points[:, axis] / np.float32(voxel_m)) for axis in range(3)]
    cells = [(column - column.min()).astype(np.int64) for column in columns]
    _, depth, height = size = [int(cell.max()) + 1 for cell in cells]
    if math.prod(size).bit_length() > _BITS:
        return np.sort(np.unique(np.stack(cells, axis=-1), axis=0, return_index=True)[1])
    return _firsts((cells[0] * depth + cells[1]) * height + cells[2])


def _firsts(keys: Any) -> Any:
    """Indices of the first of each key, through a hash table, which is faster than a sort.

    Of several that are written to one slot the last remains, so all are written backwards; who
    finds another key in its slot goes on to the next round, with another hash.
    """
    table = np.empty(1 << (2 * len(keys)).bit_length(), np.intp)
    first = np.zeros(len(keys), bool)
    rest, factor = np.arange(len(keys)), _FACTOR
    while len(rest):
        own = keys[rest]
        slot = (own.astype(np.uint64) * np.uint64(factor) >> np.uint64(24)) & _last(table)
        table[slot[::-1]] = rest[::-1]
        winner = table[slot]
        first[winner] = True
        rest = rest[keys[winner] != own]
        factor = factor * _FACTOR % 2**64
    return np.flatnonzero(first)


def _last(table: Any) -> np.uint64:
    return np.uint64(len(table) - 1)
