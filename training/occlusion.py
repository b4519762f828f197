# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""LiDAR points that a camera cannot see: from its higher place the LiDAR looks over things.

The rings of a LiDAR leave gaps in the image through which what is behind shines. So the gaps are
bridged first: between neighbouring points of nearly one depth there is a surface. What is clearly
behind a surface, or behind its border, is hidden. All is measured in angles, so that it fits any
size of image; the figures are for 32 rings and finer.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int

CELL_RAD = 1 / 220
"""The grid it is decided on: about a quarter of a degree, the spacing of points in a ring."""
ACROSS_RINGS, ALONG_RINGS = 6, 3
"""Cells that are bridged upwards (1.6 degrees: 32 rings are 1.2 or 1.3 apart) and sidewards."""
SAME = 0.1
"""Relative difference of inverse depth up to which neighbours lie on one surface."""
BEHIND, BEHIND_BORDER = 0.05, 0.1
"""How far behind a surface, and behind the cell beside it, a point is hidden."""
_FINE = 0.7
"""Cells per pixel below which one pixel is too much to call what lies beside a surface hidden."""


def hidden_points(
    pixels: Float[np.ndarray, 'n 2'],
    depth_m: Float[np.ndarray, ' n'],
    width: int,
    height: int,
    focal_px: float,
) -> Bool[np.ndarray, ' n']:
    """Which of the points (inside the image) others hide from it.

    Depths are above 0: z-depths of a pinhole, distances of a lens that sees to the side.
    """
    cell_px = max(1.0, focal_px * CELL_RAD)
    grid = int(np.ceil(height / cell_px)), int(np.ceil(width / cell_px))
    x, y = np.floor((pixels + 0.5) / cell_px).astype(np.intp).T
    x, y = x.clip(0, grid[1] - 1), y.clip(0, grid[0] - 1)
    inverse = (1 / depth_m).astype(np.float32)
    nearest = np.zeros(grid, np.float32)
    np.maximum.at(nearest, (y, x), inverse)
    fineness = focal_px * CELL_RAD / cell_px  # below 1: pixels are coarser than cells
    up, aside = (max(2, round(n * fineness)) for n in (ACROSS_RINGS, ALONG_RINGS))
    surface = _bridged(_bridged(nearest, up, 1).T, aside, 0).T
    behind = inverse < surface[y, x] * (1 - BEHIND)
    if fineness > _FINE:
        border = cv2.dilate(surface, np.ones((3, 3), np.uint8))
        behind |= inverse < border[y, x] * (1 - BEHIND_BORDER)
    return behind


def _bridged(
    inverse: Float32[np.ndarray, 'h w'], reach: int, slant: int
) -> Float32[np.ndarray, 'h w']:
    """Fill between cells of one surface, up to `reach` rows and `slant` columns apart.

    Inverse depth is linear in the image on a plane, so that is how it is interpolated.
    """
    filled = inverse.copy()
    rows, columns = np.nonzero(inverse)
    for down in range(2, reach + 1):
        for right in range(-slant, slant + 1):
            _bridge(filled, inverse, rows, columns, down, right)
    return filled


def _bridge(
    filled: Float32[np.ndarray, 'h w'],
    inverse: Float32[np.ndarray, 'h w'],
    rows: Int[np.ndarray, ' n'],
    columns: Int[np.ndarray, ' n'],
    down: int,
    right: int,
) -> None:
    """Draw the lines from cells to those so far below and to the right, in place."""
    height, width = inverse.shape
    inside = (rows + down < height) & (columns + right >= 0) & (columns + right < width)
    rows, columns = rows[inside], columns[inside]
    first, last = inverse[rows, columns], inverse[rows + down, columns + right]
    same = np.minimum(first, last) >= (1 - SAME) * np.maximum(first, last)
    rows, columns, first, last = rows[same], columns[same], first[same], last[same]
    for step in range(1, down):
        share = np.float32(step / down)
        at = rows + step, columns + round(right * step / down)
        np.maximum.at(filled, at, (1 - share) * first + share * last)
