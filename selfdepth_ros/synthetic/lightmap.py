# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Shadows of the sun and of the sky on the ground, baked once per world."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from selfdepth_ros.synthetic.layout import MARGIN_M, Street

_CELL_M = 0.3
_REACH_M = 26.0


@dataclass(frozen=True)
class Lightmap:
    """Light (rows along s, columns along d) over street coordinates, 1 = open to sun and sky."""

    light: NDArray[np.float32]
    origin_xy: tuple[float, float]

    def sample(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
        """Light at world points (h, w); outside the map 1."""
        u = (x - np.float32(self.origin_xy[0])) * np.float32(1 / _CELL_M)
        v = (y - np.float32(self.origin_xy[1])) * np.float32(1 / _CELL_M)
        return cv2.remap(
            self.light, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=1.0
        )


def _open(scene: o3d.t.geometry.RaycastingScene, points, direction) -> NDArray[np.bool_]:
    rays = np.concatenate([points, np.broadcast_to(direction, points.shape)], -1)
    return ~scene.test_occlusions(o3d.core.Tensor(rays.astype(np.float32)), 0.02, 60.0).numpy()


def bake(scene: o3d.t.geometry.RaycastingScene, street: Street, sun: NDArray) -> Lightmap:
    """Cast one ray to the sun and four to the sky from every ground cell near the street."""
    s = np.arange(-MARGIN_M, street.end_m + MARGIN_M, 1.0)
    edge = np.concatenate([street.line.points(s, d) for d in (-_REACH_M, _REACH_M)])
    low, high = edge.min(0), edge.max(0)
    shape = tuple(int(np.ceil(k)) for k in (high - low)[::-1] / _CELL_M)
    v, u = np.mgrid[0 : shape[0], 0 : shape[1]]
    xy = np.stack([u, v], -1) * _CELL_M + low
    line = street.line.points(s).astype(np.float32)
    coarse = xy[::10, ::10].reshape(-1, 1, 2)
    near = np.array([np.linalg.norm(line - p, axis=-1).min() < _REACH_M for p in coarse])
    near = near.reshape(xy[::10, ::10].shape[:2]).astype(np.uint8)
    mask = cv2.resize(near, shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    points = np.concatenate([xy[mask], np.full((int(mask.sum()), 1), 0.16)], -1)
    sky = sum(
        _open(scene, points, np.array([np.cos(a), np.sin(a), 0.55])).astype(np.float32)
        for a in np.arange(4) * np.pi / 2 + 0.6
    )
    bright = 0.40 * _open(scene, points, sun) + 0.11 * sky + 0.22
    light = np.ones(shape, np.float32)
    light[mask] = bright
    return Lightmap(cv2.GaussianBlur(light, (0, 0), 0.8), (float(low[0]), float(low[1])))
