# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Textures in one big image, pre-filtered per axis, so that one cv2.remap samples any of them.

Every tile is stored at every pair of (u, v) reductions (a 'ripmap'): streets and walls are seen
obliquely, along one texture axis, and a filter of one size for both axes would blur or shimmer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

REMAP_WIDTH = 128
_LEVELS = 8
_PAD = 1


@dataclass(frozen=True)
class TileSize:
    """A tile's size in pixels, which are powers of two, and in metres."""

    width_px: int
    height_px: int
    width_m: float | int
    height_m: float | int


def _halved(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Halve the first axis with a periodic [1 3 3 1]/8 filter."""
    if len(rows) == 1:
        return rows
    even, odd = rows[::2], rows[1::2]
    out = even + odd
    out *= 3
    out[1:] += odd[:-1]
    out[0] += odd[-1]
    out[:-1] += even[1:]
    out[-1] += even[0]
    out /= 8
    return out


def _strip(rows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Rows as they are, halved, halved again ..."""
    out = [rows]
    for _ in range(_LEVELS - 1):
        out.append(_halved(out[-1]))
    return out


def _extents(size: int) -> tuple[list[int], list[int]]:
    sizes = [max(size >> level, 1) for level in range(_LEVELS)]
    starts = np.concatenate([[0], np.cumsum([s + 2 * _PAD for s in sizes])])
    return sizes, [int(x) for x in starts]


class Atlas:
    """All tiles of a world; sample() gives filtered colours for texel coordinates.

    Where each tile lies depends on the sizes alone; `image` is draw()'s, of this process or of
    another, and is set when it is there.
    """

    image: NDArray[np.uint8]

    def __init__(self, sizes: Sequence[TileSize], width: int = 8192) -> None:
        """Place tiles (tallest first, in shelves) in one image."""
        self.scales = np.array(
            [(t.width_px / t.width_m, t.height_px / t.height_m) for t in sizes], np.float32
        )
        start = np.zeros((2, len(sizes), _LEVELS), np.float32)
        size = np.zeros((2, len(sizes), _LEVELS), np.float32)
        self._corners = [(0, 0)] * len(sizes)
        x, y, shelf = 0, 0, 0
        for i in sorted(range(len(sizes)), key=lambda k: -sizes[k].height_px):
            (sw, ow), (sh, oh) = _extents(sizes[i].width_px), _extents(sizes[i].height_px)
            if x + ow[-1] > width:
                x, y, shelf = 0, y + shelf, 0
            shelf = max(shelf, oh[-1])
            self._corners[i] = x, y
            start[0, i], start[1, i] = np.add(x, ow[:-1]), np.add(y, oh[:-1])
            size[0, i], size[1, i] = sw, sh
            x += ow[-1]
        self._shape = (y + shelf, width, 3)
        self._start = (start + (_PAD - 0.5)).reshape(2, -1)
        self._size = size.reshape(2, -1)

    def draw(self, tiles: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """The image of these tiles (h, w, 3), each at all its reductions."""
        image = np.zeros(self._shape, np.uint8)
        for tile, (x, y) in zip(tiles, self._corners, strict=True):
            _draw(image[y:, x:], tile)
        return image

    def _place(
        self,
        axis: int,
        tile: NDArray[np.intp],
        texel: NDArray[np.float32],
        levels: Any,
    ) -> NDArray[np.float32]:
        """Where texels lie in the image along one axis, at two levels: (2, n)."""
        index = tile * _LEVELS
        turns = texel / self._size[axis].take(index)
        turns -= np.floor(turns)
        index = index + np.stack(levels).astype(np.intp)
        place = turns * self._size[axis].take(index)
        place += self._start[axis].take(index)
        return place

    def sample(
        self,
        tile: NDArray[np.intp],
        u: NDArray[np.float32],
        v: NDArray[np.float32],
        extent_u: NDArray[np.float32],
        extent_v: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Colour planes (3, n), 0 to 255, of tiles at texels (u, v), averaged over extents.

        All arguments are (n,), extents in texels, n a multiple of REMAP_WIDTH. Two neighbouring
        levels are blended.
        """
        lod_u = np.log2(np.maximum(extent_u, np.float32(1)))
        lod_v = np.log2(np.maximum(extent_v, np.float32(1)))
        ratio = np.rint(lod_v - lod_u)
        lod = np.maximum((lod_u + lod_v - ratio) * np.float32(0.5), np.float32(0))
        floor = np.floor(lod)
        blend = lod - floor
        top = _LEVELS - 1
        across = np.minimum(floor, top), np.minimum(floor + 1, top)
        floor += ratio
        down = np.clip(floor, 0, top), np.clip(floor + 1, 0, top)
        maps = remap_rows(self._place(0, tile, u, across), self._place(1, tile, v, down))
        both = cv2.remap(self.image, *maps, cv2.INTER_LINEAR)
        out = np.empty((3, len(tile)), np.float32)
        for plane, channel in zip(out, cv2.split(both), strict=True):
            low, high = channel.reshape(2, -1)
            plane[:] = low
            step = high.astype(np.float32)
            step -= plane
            step *= blend
            plane += step
        return out


def _draw(image: NDArray[np.uint8], tile: NDArray[np.uint8]) -> None:
    """Draw a tile at all pairs of reductions into the upper left of an image.

    Columns are halved as the rows of the transposed: NumPy adds whole rows many times faster.
    """
    (_, left), (_, top) = _extents(tile.shape[1]), _extents(tile.shape[0])
    for y, rows in zip(top, _strip(tile.astype(np.float32)), strict=False):
        for x, reduced in zip(left, _strip(cv2.transpose(rows)), strict=False):
            rounded = cv2.transpose(cv2.convertScaleAbs(reduced))
            padded = cv2.copyMakeBorder(rounded, *(_PAD,) * 4, cv2.BORDER_WRAP)
            h, w = padded.shape[:2]
            image[y : y + h, x : x + w] = padded


def remap_rows(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[Any, Any]:
    """Coordinates as two images of REMAP_WIDTH columns: cv2.remap takes rows below 2^15 only."""
    return x.reshape(-1, REMAP_WIDTH), y.reshape(-1, REMAP_WIDTH)
