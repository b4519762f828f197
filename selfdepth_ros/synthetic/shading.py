# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From ray hits to colours: filtered textures, baked light, haze and sky; NumPy and cv2 only."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.synthetic.mesh import COLUMNS, LIT, NORMAL, TILE, TINT, U, V
from selfdepth_ros.synthetic.world import StreetWorld

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Hits:
    """Rays of one image (h, w): where they start, their unit directions and what they meet.

    origin, direction: (3, h, w) in the world; local_*: in the space of the surface's table row
    (the same arrays for static things); distance inf = sky; angle: ray spacing (rad).
    """

    origin: Image
    direction: Image
    local_origin: Image
    local_direction: Image
    row: NDArray[np.int64]
    distance: Image
    angle: Image


def _dot(a: Image, b: Image) -> Image:
    out = a[0] * b[0]
    out += a[1] * b[1]
    out += a[2] * b[2]
    return out


class Shader:
    """Colours for hits on the surfaces of one world."""

    def __init__(self, world: StreetWorld, table: NDArray[np.float32]) -> None:
        """table: (n, 16) rows of every surface a ray can meet."""
        self._world = world
        self._table = np.ascontiguousarray(table, np.float32)
        self._haze = np.float32(-1.0 / world.haze_m)

    def shade(self, hits: Hits) -> Image:
        """RGB (h, w, 3), 0 to 255, not rounded."""
        sky = ~np.isfinite(hits.distance)
        distance = np.where(sky, np.float32(200.0), hits.distance)
        row = np.where(sky, 0, hits.row)
        surface = self._table.take(row.ravel(), axis=0)
        columns = np.ascontiguousarray(surface.T).reshape(COLUMNS, *row.shape)
        colour = self._texture(columns, hits, distance)
        clear = np.exp(distance * self._haze)
        light = np.where(columns[LIT] > 0, self._ground_light(hits, distance) * clear, clear)
        colour *= surface[:, TINT].reshape(*row.shape, 3)
        colour *= light[..., None]
        colour += (1 - clear)[..., None] * self._world.horizon.astype(np.float32)
        rows = np.nonzero(sky.any(1))[0]
        if len(rows):
            part = slice(rows[0], rows[-1] + 1)
            above = self._sky(hits.direction[:, part])
            np.copyto(colour[part], above, where=sky[part, :, None])
        return colour

    def _texture(self, columns: Image, hits: Hits, distance: Image) -> Image:
        """Sample tiles over each ray's footprint: exact extents of a cone on a plane."""
        o, d = hits.local_origin, hits.local_direction
        spot = hits.angle * distance
        facing = _dot(columns[NORMAL], d)
        slant = 1 / np.maximum(facing * facing, np.float32(1e-5))
        texel, extent = [], []
        for part in (columns[U], columns[V]):
            along = _dot(part[:3], d)
            texel.append(_dot(part[:3], o) + part[3] + along * distance)
            extent.append(spot * np.sqrt(_dot(part[:3], part[:3]) + along * along * slant))
        tile = columns[TILE].astype(np.int32)
        return self._world.atlas.sample(tile, texel[0], texel[1], extent[0], extent[1])

    def _ground_light(self, hits: Hits, distance: Image) -> Image:
        x = hits.origin[0] + hits.direction[0] * distance
        y = hits.origin[1] + hits.direction[1] * distance
        return self._world.lightmap.sample(x, y)

    def _sky(self, direction: Image) -> Image:
        """A gradient with clouds on a plane above."""
        up = np.maximum(direction[2], 0.0)
        size = self._world.clouds.shape[0]
        scale = np.float32(0.22 * size) / (up + np.float32(0.25))
        u, v = direction[0] * scale, direction[1] * scale
        cover = cv2.remap(self._world.clouds, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        mix = (np.exp(-up * np.float32(3.2)))[..., None]
        blue = self._world.horizon.astype(np.float32) * mix
        blue += self._world.zenith.astype(np.float32) * (1 - mix)
        return blue + (cover * np.float32(0.75))[..., None] * (np.float32(238) - blue)
