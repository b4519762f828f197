# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From ray hits to colours: filtered textures, baked light, haze and sky; NumPy and cv2 only.

Colours are planes (3, n): NumPy multiplies an interleaved (n, 3) by one weight per ray many times
slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.synthetic.atlas import REMAP_WIDTH, remap_rows
from selfdepth_ros.synthetic.mesh import COLUMNS, LIT, NORMAL, TILE, TINT, Array, U, V
from selfdepth_ros.synthetic.world import StreetWorld

Planes = NDArray[np.float32]
_BLOCK = 16384
"""Rays shaded at once, so that their planes stay in the cache of one core; whole remap rows."""
_SLOPE_U, _SLOPE_V = COLUMNS, COLUMNS + 1


@dataclass(frozen=True)
class Rays:
    """Rays of one camera: where they start, their unit directions and what they meet.

    eye (3,) and direction (3, n) in the world; distance (n,) in metres, inf = sky; row (n,) of the
    surface table; angle (n,) between neighbouring rays (rad).
    """

    eye: NDArray[np.float32]
    direction: Planes
    distance: NDArray[np.float32]
    row: NDArray[np.integer]
    angle: NDArray[np.float32]

    def take(self, index: NDArray[np.intp]) -> Rays:
        """The rays of these numbers."""
        return Rays(self.eye, self.direction.take(index, axis=1), self.distance.take(index),
                    self.row.take(index), self.angle.take(index))  # fmt: skip


def put(planes: Planes, index: NDArray[np.intp], colours: Planes) -> None:
    """Write colours (3, k) to the places index (k,): plane by plane, which NumPy does faster."""
    for plane, colour in zip(planes, colours, strict=True):
        plane[index] = colour


def _dot(a: Planes, b: Planes) -> Planes:
    out = a[0] * b[0]
    out += a[1] * b[1]
    out += a[2] * b[2]
    return out


class Shader:
    """Colours for hits on the surfaces of one world."""

    def __init__(
        self, world: StreetWorld, table: NDArray[np.float32], mover_rows: NDArray[np.integer]
    ) -> None:
        """table: (n, 16) rows of every surface a ray can meet; mover_rows: where the rows of each
        mover begin (ascending; what stands before them is in the world's space already)."""
        self._world = world
        self._table = np.ascontiguousarray(table, np.float32)
        self._mover_rows = mover_rows
        self._haze = np.float32(-1.0 / world.haze_m)
        self._horizon = world.horizon.astype(np.float32)

    def shade(self, rays: Rays, world_from_movers: Array | None = None) -> Planes:
        """RGB planes (3, n), 0 to 255, not rounded; poses (m, 4, 4) of the movers that are met."""
        out = np.empty((3, len(rays.distance)), np.float32)
        met = np.isfinite(rays.distance)
        used, slot = _numbering(rays.row, met, len(self._table))
        seen = self._seen_from(rays.eye, used, world_from_movers)
        for index in _blocks(np.flatnonzero(met)):
            surface = seen.take(slot.take(index), axis=1)
            put(out, index, self._surfaces(surface, rays.take(index)))
        for index in _blocks(np.flatnonzero(~met)):
            put(out, index, self._sky(rays.direction.take(index, axis=1)))
        return out

    def _surfaces(self, surface: Planes, rays: Rays) -> Planes:
        """Colours of rays (n,) that all meet a surface: columns (18, n) of _seen_from."""
        colour = self._texture(surface, rays)
        clear = np.exp(rays.distance * self._haze)
        light = np.where(surface[LIT] > 0, self._ground_light(rays) * clear, clear)
        colour *= surface[TINT]
        colour *= light
        hazy = 1 - clear
        for plane, horizon in zip(colour, self._horizon, strict=True):
            plane += hazy * horizon
        return colour

    def _seen_from(
        self, eye: NDArray[np.float32], rows: NDArray[np.intp], world_from_movers: Array | None
    ) -> Planes:
        """Columns (18, r) of table rows, turned into the world, with the texels at the eye as
        offsets and, behind the table's columns, the squared lengths of both gradients."""
        seen = np.empty((COLUMNS + 2, len(rows)), np.float32)
        seen[:COLUMNS] = self._table.take(rows, axis=0).T
        eyes = np.repeat(eye[:, None], len(rows), axis=1)
        owner = np.searchsorted(self._mover_rows, rows, 'right') - 1
        turns = []
        for mover in np.unique(owner[owner >= 0]):
            pose = world_from_movers[mover].astype(np.float32)
            at = np.flatnonzero(owner == mover)
            eyes[:, at] = pose[:3, :3].T @ (eyes[:, at] - pose[:3, 3:])
            turns.append((at, pose[:3, :3]))
        for part, slope in ((U, _SLOPE_U), (V, _SLOPE_V)):
            gradient = seen[part][:3]
            seen[slope] = _dot(gradient, gradient)
            seen[part.stop - 1] += _dot(gradient, eyes)
        for at, turn in turns:
            for first in (U.start, V.start, NORMAL.start):
                seen[first : first + 3, at] = turn @ seen[first : first + 3, at]
        return seen

    def _texture(self, surface: Planes, rays: Rays) -> Planes:
        """Sample tiles over each ray's footprint: exact extents of a cone on a plane."""
        spot = rays.angle * rays.distance
        facing = _dot(surface[NORMAL], rays.direction)
        facing *= facing
        slant = 1 / np.maximum(facing, np.float32(1e-5))
        texel, extent = [], []
        for part, slope in ((U, _SLOPE_U), (V, _SLOPE_V)):
            along = _dot(surface[part], rays.direction)
            texel.append(surface[part.stop - 1] + along * rays.distance)
            along *= along
            along *= slant
            along += surface[slope]
            extent.append(spot * np.sqrt(along))
        return self._world.atlas.sample(surface[TILE].astype(np.intp), *texel, *extent)

    def _ground_light(self, rays: Rays) -> NDArray[np.float32]:
        x = rays.eye[0] + rays.direction[0] * rays.distance
        y = rays.eye[1] + rays.direction[1] * rays.distance
        return self._world.lightmap.sample(*remap_rows(x, y)).ravel()

    def _sky(self, direction: Planes) -> Planes:
        """A gradient with clouds on a plane above."""
        up = np.maximum(direction[2], 0.0)
        size = self._world.clouds.shape[0]
        scale = np.float32(0.22 * size) / (up + np.float32(0.25))
        maps = remap_rows(direction[0] * scale, direction[1] * scale)
        cover = cv2.remap(self._world.clouds, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        cover = cover.ravel() * np.float32(0.75)
        mix = np.exp(-up * np.float32(3.2))
        colour = mix * self._horizon[:, None]
        colour += (1 - mix) * self._world.zenith.astype(np.float32)[:, None]
        return colour + cover * (np.float32(238) - colour)


def _blocks(index: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Numbers in blocks, the last one filled up with its last number to whole remap rows."""
    for start in range(0, len(index), _BLOCK):
        block = index[start : start + _BLOCK]
        yield np.pad(block, (0, -len(block) % REMAP_WIDTH), mode='edge')


def _numbering(
    rows: NDArray[np.integer], valid: NDArray[np.bool_], count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The different valid rows among many, ascending, and the place of each in that list.

    rows, valid and the places are (n,); an invalid row's place is 0.
    """
    many = np.where(valid, rows, count)
    named = np.zeros(count + 1, bool)
    named[many] = True
    used = np.flatnonzero(named[:count])
    place = np.zeros(count + 1, np.intp)
    place[used] = np.arange(len(used))
    return used, place.take(many)
