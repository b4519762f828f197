# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The loops of scans and of thinned clouds, as `compiled.kernels` has those of fusion.

They agree bit for bit with `core.scan_steps` and `core.downsample`. What NumPy computes with its
own vector library (angles) is left to NumPy, on buffers: another library rounds otherwise.
"""

import numpy as np
from numba import boolean, float32, int32, int64, types, uint64

from selfdepth_ros.compiled.compiling import compiled, given
from selfdepth_ros.core.downsample import SPREAD

_POINTS = types.Array(float32, 2, 'A', readonly=True)
_FACTOR = np.uint64(SPREAD)


@compiled(_POINTS, float32, float32, float32[::1], float32[::1], returns=int64)
def in_band(points, low, high, x, y):
    """Put x and y of the points between two heights one after another; returns how many."""
    count = 0
    for index in range(points.shape[0]):
        height = points[index, 2]
        if (height >= low) & (height <= high):
            x[count], y[count] = points[index, 0], points[index, 1]
            count += 1
    return count


@compiled(given(float32, 1), given(float32, 1), float32, float32, float32[::1])
def lower(beam, distance, least, most, ranges):
    """Give each beam the least of its distances, -inf for one below `least`."""
    for index in range(len(distance)):
        at = int64(beam[index]) % len(ranges)
        if (distance[index] <= most) & (distance[index] < ranges[at]):
            ranges[at] = distance[index]
    for at in range(len(ranges)):
        if ranges[at] < least:
            ranges[at] = -np.inf


@compiled(given(float32, 2), given(float32, 2), given(int64, 2), boolean[::1], boolean[::1])
def mark(depth, least, beam, blocked, unknown):
    """Set the beams of pixels that are too near, and of those without a depth."""
    for y in range(depth.shape[0]):
        for x in range(depth.shape[1]):
            if not depth[y, x] > 0:
                if not np.isnan(least[y, x]):
                    unknown[beam[y, x]] = True
            elif depth[y, x] < least[y, x]:
                blocked[beam[y, x]] = True


@compiled(float32[::1], int64, int64)
def _close(ranges, before, after):
    """Close the free beams between two obstacles; `after` may be beyond the end."""
    nearer = min(ranges[before], ranges[after % len(ranges)])
    for beam in range(before + 1, after):
        if ranges[beam % len(ranges)] == np.inf:
            ranges[beam % len(ranges)] = nearer


@compiled(given(boolean, 1), given(boolean, 1), int64, float32[::1])
def finish(blocked, known, slit, ranges):
    """Tell blocked and unknown beams from free ones, and close narrow openings."""
    beams = len(ranges)
    for beam in range(beams):
        if blocked[beam]:
            ranges[beam] = -np.inf
        elif ranges[beam] == np.inf and not known[beam]:
            ranges[beam] = np.nan
    first = before = -1
    for beam in range(beams):
        if ranges[beam] < np.inf:
            if first < 0:
                first = beam
            elif beam - before - 1 <= slit:
                _close(ranges, before, beam)
            before = beam
    if first >= 0 and first + beams - before - 1 <= slit:
        _close(ranges, before, first + beams)


@compiled(_POINTS, given(int32, 1), int64, int64, float32, float32, int64[::1], returns=int64)
def candidates(points, pixel, stride, width, low, high, chosen):
    """Choose the points between two heights on every n-th row and column; returns how many.

    `pixel` may be empty where the stride is 1.
    """
    count = 0
    for index in range(points.shape[0]):
        height = points[index, 2]
        if (height >= low) & (height <= high):
            if stride > 1:
                row, column = pixel[index] // width, pixel[index] % width
                if row % stride != 0 or column % stride != 0:
                    continue
            chosen[count] = index
            count += 1
    return count


@compiled(_POINTS, float32, int64[::1], int32[::1], returns=int64)
def first_of_each_voxel(points, edge, chosen, table):
    """Keep of the chosen points the first in each cube, in their order; returns how many.

    `table` is scratch: a power of two of slots, more than there are points. A slot holds the
    first point of a voxel; a point goes on to the next slot until it finds its voxel, or none.
    """
    count, mask = 0, len(table) - 1
    low = np.array((np.inf, np.inf, np.inf), np.float32)
    for index in chosen:
        for axis in range(3):
            low[axis] = min(low[axis], points[index, axis])
    for axis in range(3):
        low[axis] = np.floor(low[axis] / edge)
    table[:] = -1
    for index in chosen:
        x = int64(np.floor(points[index, 0] / edge) - low[0])
        y = int64(np.floor(points[index, 1] / edge) - low[1])
        z = int64(np.floor(points[index, 2] / edge) - low[2])
        key = (uint64(x) * _FACTOR + uint64(y)) * _FACTOR + uint64(z)
        slot = int64((key * _FACTOR) >> np.uint64(24)) & mask
        while True:
            other = table[slot]
            if other < 0:
                table[slot] = index
                chosen[count] = index
                count += 1
                break
            if (
                x == int64(np.floor(points[other, 0] / edge) - low[0])
                and y == int64(np.floor(points[other, 1] / edge) - low[1])
                and z == int64(np.floor(points[other, 2] / edge) - low[2])
            ):
                break
            slot = (slot + 1) & mask
    return count
