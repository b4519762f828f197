# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The loops of fusion, compiled by numba when this module is imported, or taken from its cache.

Each does what its namesake in `core.fusion_steps` and `core.depth_filters` does, operation by
operation in float32 (no fast-math), so that results agree bit for bit. Masks and flags are bytes.
The GIL is free while they run.
"""

import numpy as np
from numba import boolean, float32, int32, int64, uint8, uint32

from selfdepth_ros.compiled.compiling import compiled, given

_BYTES, _FLOATS, _WORDS = uint8[:, ::1], float32[:, ::1], uint32[::1]


@compiled(given(float32, 2), given(float32, 2), given(float32, 2), _FLOATS, _BYTES)
def in_range(depth, far, near, inverse, keep):
    """Inverse depth, and whether it is between the limits of its pixel."""
    height, width = depth.shape
    for y in range(height):
        for x in range(width):
            value = np.float32(1) / depth[y, x]
            inverse[y, x] = value
            keep[y, x] = (value > far[y, x]) & (value < near[y, x])


@compiled(given(uint8, 3), int64, int64, int64, int64, int64, returns=boolean)
def _alike(image, y, x, other_y, other_x, step):
    """Whether two pixels differ by at most `step` in every channel."""
    alike = True
    for channel in range(3):
        change = int64(image[y, x, channel]) - int64(image[other_y, other_x, channel])
        alike &= abs(change) <= step
    return alike


@compiled(
    given(float32, 2),
    float32,
    given(boolean, 2),
    given(uint8, 3),
    int64,
    int64,
    _BYTES,
    int32[::1],
    _BYTES,
)
def grow_sky(inverse, limit, above, image, rounds, step, sky, queue, keep):
    """Breadth first from inverse depths up to the limit.

    `sky` and `queue` are scratch of half the size.
    """
    height, width = sky.shape
    end = 0
    for y in range(height):
        for x in range(width):
            value = inverse[2 * y, 2 * x]
            known = (value <= limit) & (value >= 0) & above[2 * y, 2 * x]
            sky[y, x] = known
            if known:
                queue[end] = y * width + x
                end += 1
    if end == 0 or rounds == 0:
        return
    begin = 0
    for _ in range(rounds):
        last = end
        for place in range(begin, last):
            y, x = queue[place] // width, queue[place] % width
            for other_y, other_x in ((y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)):
                if not (0 <= other_y < height and 0 <= other_x < width):
                    continue
                free = sky[other_y, other_x] == 0 and above[2 * other_y, 2 * other_x]
                if free and _alike(image, 2 * y, 2 * x, 2 * other_y, 2 * other_x, step):
                    sky[other_y, other_x] = 1
                    queue[end] = other_y * width + other_x
                    end += 1
        begin = last
    for y in range(keep.shape[0]):
        for x in range(keep.shape[1]):
            keep[y, x] &= sky[y // 2, x // 2] ^ 1


@compiled(int64, _BYTES, _BYTES)
def erode(pixels, rows, keep):
    """Clear what lies within the margin of a cleared pixel; `rows` is scratch."""
    height, width = keep.shape
    for _ in range(pixels):
        for y in range(height):
            for x in range(width):
                rows[y, x] = keep[y, x]
            for x in range(1, width):
                rows[y, x] &= keep[y, x - 1]
            for x in range(width - 1):
                rows[y, x] &= keep[y, x + 1]
        for y in range(height):
            for x in range(width):
                keep[y, x] = rows[y, x]
            if y > 0:
                for x in range(width):
                    keep[y, x] &= rows[y - 1, x]
            if y < height - 1:
                for x in range(width):
                    keep[y, x] &= rows[y + 1, x]


@compiled(given(float32, 2), float32, float32, _BYTES, _BYTES, _BYTES)
def drop_flying(inverse, slope, bend, steep, bent, keep):
    """Clear what floats between two surfaces, along rows and then along columns.

    `slope` is twice the limit; `steep` and `bent` are scratch.
    """
    height, width = inverse.shape
    for down in range(2):
        right = 1 - down
        steep[:] = 0
        bent[:] = 0
        for y in range(down, height - down):
            for x in range(right, width - right):
                before, after = inverse[y - down, x - right], inverse[y + down, x + right]
                here = inverse[y, x]
                curved = abs(before + after - here - here)
                across = abs(after - before) - curved
                steep[y, x] = across > here * slope
                bent[y, x] = curved > here * bend
        for y in range(down, height - down):
            for x in range(right, width - right):
                near = bent[y - down, x - right] | bent[y, x] | bent[y + down, x + right]
                keep[y, x] &= (near & steep[y, x]) ^ 1


@compiled(
    given(float32, 2),
    given(float32, 1),
    given(float32, 1),
    given(uint8, 1),
    given(uint8, 1),
    float32[::1],
    _WORDS,
    int32[::1],
)
def place(rays, origin, depth, image, keep, values, words, pixel):
    """Points of the kept pixels; `values` and `words` are two views of the same records."""
    x, y, z = origin[0], origin[1], origin[2]
    count = 0
    for index in range(depth.size):
        if keep[index]:
            metres = depth[index]
            at = 4 * count
            values[at] = rays[0, index] * metres + x
            values[at + 1] = rays[1, index] * metres + y
            values[at + 2] = rays[2, index] * metres + z
            red, green, blue = image[3 * index], image[3 * index + 1], image[3 * index + 2]
            words[at + 3] = uint32(red) << 16 | uint32(green) << 8 | uint32(blue)
            pixel[count] = index
            count += 1
