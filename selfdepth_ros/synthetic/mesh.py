# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Textured triangle meshes: each triangle carries an affine map from its space to its texture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# columns of a surface table: gradient and offset of u, of v (texels), normal, tint, tile, lit
U, V, NORMAL, TINT, TILE, LIT = slice(0, 4), slice(4, 8), slice(8, 11), slice(11, 14), 14, 15
COLUMNS = 16
_BOX = np.array([[0, 1, 5, 4], [1, 3, 7, 5], [3, 2, 6, 7], [2, 0, 4, 6], [4, 5, 7, 6]])


@dataclass(frozen=True)
class Surfaces:
    """Triangles (n, 3, 3) and their table (n, 16), float32."""

    triangles: NDArray[np.float32]
    table: NDArray[np.float32]


@dataclass
class MeshBuilder:
    """Collects textured triangles in metres; tiles are named, scales in texels per metre."""

    names: dict[str, int]
    scales: NDArray[np.float32]
    _parts: list[tuple[Array, Array, int, Array, bool]] = field(default_factory=list)

    def triangles(
        self, points: Any, uv_m: Any, tile: str, tint: Any = 1.0, lit: bool = False
    ) -> None:
        """Add triangles (n, 3, 3) with texture coordinates (n, 3, 2) in metres, v upwards.

        tint is () or (3,); lit marks ground that receives baked shadows.
        """
        points = np.asarray(points, float).reshape(-1, 3, 3)
        uv = np.asarray(uv_m, float).reshape(-1, 3, 2)
        colour = np.broadcast_to(np.asarray(tint, float), (3,))
        self._parts.append((points, uv, self.names[tile], colour, lit))

    def quads(
        self,
        corners: Any,
        tile: str,
        size_m: Any | None = None,
        start_m: Any = (0, 0),
        tint: Any = 1.0,
        lit: bool = False,
    ) -> None:
        """Add quads (n, 4, 3): corners 0, 1 along u; 3 above 0. size_m None: true lengths."""
        c = np.asarray(corners, float).reshape(-1, 4, 3)
        if size_m is None:
            lengths = (
                np.linalg.norm(c[:, 1] - c[:, 0], axis=-1),
                np.linalg.norm(c[:, 3] - c[:, 0], axis=-1),
            )
            size = np.stack(lengths, -1)
        else:
            size = np.broadcast_to(np.asarray(size_m, float), (len(c), 2))
        start = np.broadcast_to(np.asarray(start_m, float), (len(c), 2))
        unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
        uv = start[:, None] + unit * size[:, None]
        order = [0, 1, 2, 0, 2, 3]
        self.triangles(
            c[:, order].reshape(-1, 3, 3), uv[:, order].reshape(-1, 3, 2), tile, tint, lit
        )

    def box(
        self, low: Any, high: Any, tile: str, tint: Any = 1.0,
        top: str | None = None, frame: Array | None = None, start_m: Any = (0, 0),
        bottom: bool = False,
    ) -> None:  # fmt: skip
        """An upright box; frame (4, 4) places it; top names another tile for its upper face."""
        lo, hi = np.asarray(low, float), np.asarray(high, float)
        c = np.array(
            [[x, y, z] for z in (lo[2], hi[2]) for y in (lo[1], hi[1]) for x in (lo[0], hi[0])]
        )
        if frame is not None:
            c = transform(frame, c)
        self.quads(c[_BOX[:4]], tile, start_m=start_m, tint=tint)
        self.quads(c[_BOX[4:]], top or tile, start_m=start_m, tint=tint)
        if bottom:
            self.quads(c[[[2, 3, 1, 0]]], tile, start_m=start_m, tint=tint)

    def prism(
        self, centre: Any, radius: tuple[Any, Any], z: tuple[Any, Any], tile: str,
        tint: Any = 1.0, sides: int = 8, cap: bool = True, wrap_m: float | None = None,
    ) -> None:  # fmt: skip
        """An upright prism or cone frustum; radius and z at bottom and top."""
        a = np.arange(sides + 1) * 2 * np.pi / sides
        ring = np.stack([np.cos(a), np.sin(a)], -1)
        x, y = np.asarray(centre, float)[:2]
        low = np.concatenate([ring * radius[0] + [x, y], np.full((sides + 1, 1), z[0])], -1)
        high = np.concatenate([ring * radius[1] + [x, y], np.full((sides + 1, 1), z[1])], -1)
        around = 2 * np.pi * max(radius) if wrap_m is None else wrap_m
        start = np.stack([a[:-1] / (2 * np.pi) * around, np.zeros(sides)], -1)
        corners = np.stack([low[:-1], low[1:], high[1:], high[:-1]], 1)
        self.quads(corners, tile, (around / sides, z[1] - z[0]), start, tint)
        if cap and radius[1] > 0:
            middle = np.broadcast_to([x, y, z[1]], (sides, 3))
            points = np.stack([middle, high[:-1], high[1:]], 1)
            self.triangles(points, points[..., :2], tile, tint)

    def append(self, other: MeshBuilder, frame: Array) -> None:
        """Add another builder's triangles, moved by frame (4, 4)."""
        for points, uv, tile, tint, lit in other._parts:
            self._parts.append((transform(frame, points), uv, tile, tint, lit))

    def child(self) -> MeshBuilder:
        """An empty builder with the same tiles."""
        return MeshBuilder(self.names, self.scales)

    def build(self) -> Surfaces:
        """Merge everything; triangles of no area are dropped."""
        points = np.concatenate([p[0] for p in self._parts])
        uv = np.concatenate([p[1] for p in self._parts])
        counts = [len(p[0]) for p in self._parts]
        tile = np.repeat([p[2] for p in self._parts], counts)
        tint = np.repeat([p[3] for p in self._parts], counts, axis=0)
        lit = np.repeat([p[4] for p in self._parts], counts)
        e1, e2 = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
        normal = np.cross(e1, e2)
        area = np.linalg.norm(normal, axis=-1)
        keep = area > 1e-8
        table = np.zeros((len(points), COLUMNS))
        square = np.maximum(area, 1e-9)[:, None] ** 2
        dual1, dual2 = np.cross(e2, normal) / square, np.cross(normal, e1) / square
        texels = uv * (self.scales[tile] * [1, -1])[:, None]
        for axis, columns in enumerate((U, V)):
            t = texels[..., axis]
            gradient = (t[:, 1] - t[:, 0])[:, None] * dual1 + (t[:, 2] - t[:, 0])[:, None] * dual2
            table[:, columns.start : columns.start + 3] = gradient
            table[:, columns.start + 3] = t[:, 0] - (gradient * points[:, 0]).sum(-1)
        table[:, NORMAL] = normal / np.maximum(area, 1e-9)[:, None]
        table[:, TINT], table[:, TILE], table[:, LIT] = tint, tile, lit
        return Surfaces(points[keep].astype(np.float32), table[keep].astype(np.float32))


def transform(frame: Array, points: Array) -> Array:
    """Apply a rigid frame (4, 4) to points (..., 3)."""
    return points @ frame[:3, :3].T + frame[:3, 3]


def frame_at(x: float, y: float, yaw: float, z: float = 0.0) -> Array:
    """world_from_local of an upright object."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0, x], [s, c, 0, y], [0, 0, 1, z], [0, 0, 0, 1.0]])
