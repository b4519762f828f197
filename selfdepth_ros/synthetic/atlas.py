# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Textures in one big image, pre-filtered per axis, so that one cv2.remap samples any of them.

Every tile is stored at every pair of (u, v) reductions (a 'ripmap'): streets and walls are seen
obliquely, along one texture axis, and a filter of one size for both axes would blur or shimmer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

REMAP_WIDTH = 128
_LEVELS = 8
_PAD = 1


@dataclass(frozen=True)
class Texture:
    """A tile: image uint8 (h, w, 3) RGB with sides that are powers of two, and its scale."""

    image: NDArray[np.uint8]
    texels_per_m: tuple[Any, Any]


def _reduce(image: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Halve one axis with a periodic [1 3 3 1]/8 filter."""
    if image.shape[axis] == 1:
        return image
    along = np.moveaxis(image, axis, 0)
    even, odd = along[::2], along[1::2]
    out = 3 * (even + odd)
    out[1:] += odd[:-1]
    out[0] += odd[-1]
    out[:-1] += even[1:]
    out[-1] += even[0]
    out /= 8
    return np.moveaxis(out, 0, axis)


def _strip(image: NDArray[np.float32], levels: int, axis: int) -> list[NDArray[np.float32]]:
    out = [image]
    for _ in range(levels - 1):
        out.append(_reduce(out[-1], axis))
    return out


def _extents(size: int) -> tuple[list[int], list[int]]:
    sizes = [max(size >> level, 1) for level in range(_LEVELS)]
    starts = np.concatenate([[0], np.cumsum([s + 2 * _PAD for s in sizes])])
    return sizes, [int(x) for x in starts]


class Atlas:
    """All tiles of a world; sample() gives filtered colours for texel coordinates."""

    def __init__(self, tiles: list[Texture], width: int = 8192) -> None:
        """Pack tiles (tallest first, in shelves) into one image."""
        self.scales = np.array([t.texels_per_m for t in tiles], np.float32)
        self._origin = np.zeros((len(tiles), 2), np.float32)
        self._start = np.zeros((2, len(tiles), _LEVELS), np.float32)
        self._size = np.zeros((2, len(tiles), _LEVELS), np.float32)
        placed, x, y, shelf = [], 0, 0, 0
        for i in sorted(range(len(tiles)), key=lambda k: -tiles[k].image.shape[0]):
            h, w = tiles[i].image.shape[:2]
            (sw, ow), (sh, oh) = _extents(w), _extents(h)
            if x + ow[-1] > width:
                x, y, shelf = 0, y + shelf, 0
            shelf = max(shelf, oh[-1])
            placed.append((i, x, y))
            self._start[0, i], self._start[1, i] = np.add(x, ow[:-1]), np.add(y, oh[:-1])
            self._size[0, i], self._size[1, i] = sw, sh
            x += ow[-1]
        self.image = np.zeros((y + shelf, width, 3), np.uint8)
        for i, x, y in placed:
            self._draw(tiles[i].image, x, y)
        self._start += _PAD - 0.5
        self._start = self._start.reshape(2, -1)
        self._size = self._size.reshape(2, -1)

    def _draw(self, image: NDArray[np.uint8], x: int, y: int) -> None:
        (_, ox), (_, oy) = _extents(image.shape[1]), _extents(image.shape[0])
        for i, row in enumerate(_strip(image.astype(np.float32), _LEVELS, 0)):
            for j, tile in enumerate(_strip(row, _LEVELS, 1)):
                edges = (_PAD,) * 4
                padded = cv2.copyMakeBorder(np.rint(tile), *edges, cv2.BORDER_WRAP)
                h, w = padded.shape[:2]
                top, left = y + oy[i], x + ox[j]
                self.image[top : top + h, left : left + w] = padded

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


def remap_rows(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[Any, Any]:
    """Coordinates as two images of REMAP_WIDTH columns: cv2.remap takes rows below 2^15 only."""
    return x.reshape(-1, REMAP_WIDTH), y.reshape(-1, REMAP_WIDTH)
