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
"""What a cell's number and a point's index may take together to be sorted as one integer."""


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
    """Indices, ascending, of the first point in every cube of a grid through the origin.

    Cell and index are sorted as one integer, which is faster than a sort that gives an order.
    """
    if not len(points):
        return np.zeros(0, np.intp)
    cells = np.floor(points / np.float32(voxel_m)).astype(np.int64)
    cells -= cells.min(axis=0)
    size = [int(extent) + 1 for extent in cells.max(axis=0)]
    shift = len(points).bit_length()
    if math.prod(size).bit_length() + shift > _BITS:
        return np.sort(np.unique(cells, axis=0, return_index=True)[1])
    number = (cells[:, 0] * size[1] + cells[:, 1]) * size[2] + cells[:, 2]
    ordered = np.sort(number << shift | np.arange(len(points)))
    cell = ordered >> shift
    first = np.append(True, cell[1:] != cell[:-1])
    return np.sort(ordered[first] & ((1 << shift) - 1))
