# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images made smaller: each pixel is the mean of the area that it covers, as cv2's INTER_AREA.

By factors that are not whole cv2 takes three to five times as long. Sums are rounded otherwise:
one value in a hundred differs, by one grey level. The GIL is free meanwhile.
"""

import numpy as np
from jaxtyping import UInt8
from numba import float32, float64, int64, uint8

from selfdepth_ros.compiled.compiling import compiled, given


@compiled(int64, float64, float64, returns=float32)
def _share(pixel, begin, end):
    """How much of a pixel lies between two places, 0 to 1."""
    return float32(min(end, pixel + 1.0) - max(begin, float64(pixel)))


@compiled(given(uint8, 3), uint8[:, :, ::1], float32[::1])
def shrink(image, target, row):
    """Fill `target`; `row` is scratch of three values for each column of the image."""
    height, width, wide = target.shape[0], target.shape[1], image.shape[1]
    down, across = image.shape[0] / height, wide / width
    scale = np.float32(1 / (down * across))
    for y in range(height):
        top, bottom = y * down, min((y + 1) * down, float64(image.shape[0]))
        row[:] = 0
        for source in range(int64(top), int64(np.ceil(bottom - 1e-9))):
            share, values = _share(source, top, bottom), image[source].reshape(-1)
            for at in range(3 * wide):
                row[at] += share * values[at]
        for x in range(width):
            left, right = x * across, min((x + 1) * across, float64(wide))
            red = green = blue = np.float32(0)
            for source in range(int64(left), int64(np.ceil(right - 1e-9))):
                share = _share(source, left, right)
                red += share * row[3 * source]
                green += share * row[3 * source + 1]
                blue += share * row[3 * source + 2]
            target[y, x, 0] = uint8(min(np.rint(red * scale), np.float32(255)))
            target[y, x, 1] = uint8(min(np.rint(green * scale), np.float32(255)))
            target[y, x, 2] = uint8(min(np.rint(blue * scale), np.float32(255)))


class Shrink:
    """`shrink` with its scratch; for one thread."""

    def __init__(self) -> None:
        self._row = np.empty(0, np.float32)

    def __call__(
        self, image: UInt8[np.ndarray, 'H W 3'], target: UInt8[np.ndarray, 'h w 3']
    ) -> None:
        """Fill `target` with the image, which is at least as large."""
        if len(self._row) != 3 * image.shape[1]:
            self._row = np.empty(3 * image.shape[1], np.float32)
        shrink(np.ascontiguousarray(image), target, self._row)
