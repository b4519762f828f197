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
    even, odd = [np.take(image, np.arange(k, image.shape[axis], 2), axis) for k in (0, 1)]
    return (3 * (even + odd) + np.roll(odd, 1, axis) + np.roll(even, -1, axis)) / 8


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
                padded = np.pad(tile, ((_PAD, _PAD), (_PAD, _PAD), (0, 0)), mode='wrap')
                h, w = padded.shape[:2]
                top, left = y + oy[i], x + ox[j]
                self.image[top : top + h, left : left + w] = np.rint(padded)

    def _lookup(self, tile, u, v, level_u, level_v) -> NDArray[np.uint8]:
        maps = []
        for axis, (texel, level) in enumerate(((u, level_u), (v, level_v))):
            index = tile * _LEVELS + level
            size = self._size[axis].take(index)
            base = self._size[axis].take(tile * _LEVELS)
            turns = texel / base
            turns -= np.floor(turns)
            turns *= size
            turns += self._start[axis].take(index)
            maps.append(turns)
        return cv2.remap(self.image, maps[0], maps[1], cv2.INTER_LINEAR)

    def sample(
        self,
        tile: NDArray[np.int32],
        u: NDArray[np.float32],
        v: NDArray[np.float32],
        extent_u: NDArray[np.float32],
        extent_v: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Colours (h, w, 3), 0 to 255, of tiles at texels (u, v), averaged over extents (texels).

        All arguments are of one shape (h, w). Two neighbouring levels are blended.
        """
        lod_u = np.log2(np.maximum(extent_u, 1.0))
        lod_v = np.log2(np.maximum(extent_v, 1.0))
        ratio = np.rint(lod_v - lod_u)
        lod = np.maximum((lod_u + lod_v - ratio) * np.float32(0.5), 0)
        floor = np.floor(lod)
        blend = (lod - floor)[..., None]
        top = _LEVELS - 1
        low_u = np.clip(floor, 0, top).astype(np.int32)
        low_v = np.clip(floor + ratio, 0, top).astype(np.int32)
        high_u = np.clip(floor + 1, 0, top).astype(np.int32)
        high_v = np.clip(floor + ratio + 1, 0, top).astype(np.int32)
        low = self._lookup(tile, u, v, low_u, low_v).astype(np.float32)
        high = self._lookup(tile, u, v, high_u, high_v).astype(np.float32)
        high -= low
        high *= blend
        low += high
        return low
