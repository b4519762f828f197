# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Casts rays of several cameras, each at its own time, against street, traffic and ego body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from selfdepth_ros.synthetic.mesh import Array
from selfdepth_ros.synthetic.movers import world_from_movers
from selfdepth_ros.synthetic.world import StreetWorld, add_triangles, make_scene

F32 = np.float32
# Copies of the traffic, one per camera (each at that camera's time), stand this far apart in z,
# so that one small scene and one cast serve all cameras.
_FLOOR_M = 400.0
_FAR_M = 110.0


@dataclass(frozen=True)
class Traffic:
    """Movers at k cameras' times: poses (k, m, 4, 4), which are near (k, m), and a scene."""

    world_from_local: Array
    near: NDArray[np.bool_]
    scene: o3d.t.geometry.RaycastingScene | None
    row: NDArray[np.int64]
    owner: NDArray[np.int64]
    corners: tuple[NDArray[np.float32], ...]


class Caster:
    """Static scene, ego scene and the table rows of everything in one numbering."""

    def __init__(self, world: StreetWorld) -> None:
        """Merge the surface tables: static, then ego, then each mover."""
        self.world = world
        self.ego_scene = make_scene(world.ego)
        tables = [world.static.table, world.ego.table, *(m.table for m in world.mover_surfaces)]
        self.table = np.concatenate(tables)
        self.first_row = np.cumsum([0] + [len(t) for t in tables])

    def traffic(self, times_s: Array, eyes: Array) -> Traffic:
        """Place the movers near the eyes (k, 3) at times (k,)."""
        world = self.world
        poses, inside = world_from_movers(world.movers, world.street, times_s)
        away = np.linalg.norm(poses[..., :3, 3] - np.asarray(eyes)[:, None], axis=-1)
        near = inside & (away < _FAR_M)
        parts, rows, owners, corners = [], [], [], []
        for k, m in zip(*np.nonzero(near), strict=True):
            local = world.mover_surfaces[m].triangles
            placed = local @ poses[k, m, :3, :3].T.astype(F32) + poses[k, m, :3, 3].astype(F32)
            corners.append(placed.reshape(-1, 3))
            parts.append(placed + F32([0, 0, k * _FLOOR_M]))
            rows.append(np.arange(len(local)) + self.first_row[2 + m])
            owners.append(np.full(len(local), m))
        scene = None
        if parts:
            scene = o3d.t.geometry.RaycastingScene()
            add_triangles(scene, np.concatenate(parts))
        empty = np.zeros(0, np.int64)
        return Traffic(poses, near, scene, np.concatenate([empty, *rows]),
                       np.concatenate([empty, *owners]), tuple(corners))  # fmt: skip

    def static(self, rays: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Distances and rows of rays (..., 6) = origin, unit direction; inf where nothing is."""
        hit = self.world.scene.cast_rays(o3d.core.Tensor(rays))
        return hit['t_hit'].numpy(), hit['primitive_ids'].numpy().astype(np.int64)

    def moving(
        self, traffic: Traffic, rays: NDArray[np.float32], camera: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
        """Distances, rows and mover numbers of rays (n, 6) that belong to cameras (n,)."""
        if traffic.scene is None or not len(rays):
            none = np.zeros(len(rays), np.int64)
            return np.full(len(rays), np.inf, F32), none, none
        lifted = rays.copy()
        lifted[:, 2] += camera.astype(F32) * F32(_FLOOR_M)
        hit = traffic.scene.cast_rays(o3d.core.Tensor(lifted))
        distance = hit['t_hit'].numpy()
        index = np.where(np.isfinite(distance), hit['primitive_ids'].numpy().astype(np.int64), 0)
        distance = np.where(distance < _FAR_M * 1.5, distance, F32(np.inf))
        return distance, traffic.row[index], traffic.owner[index]
