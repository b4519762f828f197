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
# Copies of the traffic, one per eye (each at that eye's time), stand this far apart in z, so that
# one small scene and one cast serve all cameras.
_FLOOR_M = 400.0
_FAR_M = 110.0
_PIECE = 8192


@dataclass(frozen=True)
class Traffic:
    """Movers around k eyes, each at its own time: poses (k, m, 4, 4), which are near (k, m)."""

    world_from_local: Array
    near: NDArray[np.bool_]


@dataclass(frozen=True)
class PlacedTraffic:
    """A scene of some of the movers, and the table row of each of its triangles."""

    scene: o3d.t.geometry.RaycastingScene | None
    row: NDArray[np.int64]


class Caster:
    """Static scene, ego scene and the table rows of everything in one numbering."""

    def __init__(self, world: StreetWorld, threads: int = 2) -> None:
        """Merge the surface tables: static, then ego, then each mover; threads cast at once."""
        self.world, self.threads = world, threads
        self.ego_scene = make_scene(world.ego)
        tables = [world.static.table, world.ego.table, *(m.table for m in world.mover_surfaces)]
        self.table = np.concatenate(tables)
        self.first_row = np.cumsum([0] + [len(t) for t in tables])
        self._boxes = np.array([_box(m.triangles) for m in world.mover_surfaces])

    @property
    def mover_rows(self) -> NDArray[np.int64]:
        """The first row (m,) of each mover."""
        return self.first_row[2:-1]

    def traffic(self, times_s: Array, eyes: Array) -> Traffic:
        """Where the movers are at times (k,), seen from eyes (k, 3) in the world."""
        world = self.world
        poses, inside = world_from_movers(world.movers, world.street, times_s)
        away = np.linalg.norm(poses[..., :3, 3] - np.asarray(eyes)[:, None], axis=-1)
        return Traffic(poses, inside & (away < _FAR_M))

    def boxes(self, traffic: Traffic, eye: NDArray[np.intp], mover: NDArray[np.intp]) -> Array:
        """World corners (p, 8, 3) of the boxes around p movers, each as of one eye's time."""
        pose = traffic.world_from_local[eye, mover]
        return self._boxes[mover] @ pose[:, :3, :3].swapaxes(1, 2) + pose[:, None, :3, 3]

    def place(self, traffic: Traffic, wanted: NDArray[np.bool_]) -> PlacedTraffic:
        """Build the scene of the wanted movers (k, m): those that an eye can see."""
        parts, rows = [], [np.zeros(0, np.int64)]
        for k, m in zip(*np.nonzero(wanted), strict=True):
            local, pose = self.world.mover_surfaces[m].triangles, traffic.world_from_local[k, m]
            placed = local @ pose[:3, :3].T.astype(F32) + pose[:3, 3].astype(F32)
            parts.append(placed + F32([0, 0, k * _FLOOR_M]))
            rows.append(np.arange(len(local)) + self.mover_rows[m])
        scene = None
        if parts:
            scene = o3d.t.geometry.RaycastingScene()
            add_triangles(scene, np.concatenate(parts))
        return PlacedTraffic(scene, np.concatenate(rows))

    def static(
        self, rays: NDArray[np.float32], threads: int | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
        """Distances and rows of rays (..., 6) = origin, unit direction; inf where nothing is."""
        hit = self.world.scene.cast_rays(o3d.core.Tensor(rays), threads or self.threads)
        return hit['t_hit'].numpy(), hit['primitive_ids'].numpy()

    def add_movers(
        self,
        placed: PlacedTraffic,
        rays: NDArray[np.float32],
        eye: NDArray[np.intp],
        index: NDArray[np.intp],
        distance: NDArray[np.float32],
        row: NDArray[np.uint32],
    ) -> None:
        """Cast some rays against the traffic too; where that is nearer, correct distance and row.

        rays (n, 6) of which the numbers index (b,) may meet traffic, each as of the time of its
        eye (b,); distance and row (n,) are changed in place.
        """
        if placed.scene is None or not len(index):
            return
        lifted = rays.take(index, axis=0)
        lifted[:, 2] += eye.astype(F32) * F32(_FLOOR_M)
        hit = placed.scene.cast_rays(o3d.core.Tensor(lifted), 1)
        moving = hit['t_hit'].numpy()
        nearer = np.flatnonzero((moving < distance.take(index)) & (moving < _FAR_M * 1.5))
        met = index.take(nearer)
        distance[met] = moving.take(nearer)
        row[met] = placed.row.take(hit['primitive_ids'].numpy().take(nearer))


def _box(triangles: NDArray[np.float32]) -> NDArray[np.float32]:
    """The corners (8, 3) of the box around triangles (n, 3, 3)."""
    low, high = triangles.min((0, 1)), triangles.max((0, 1))
    return np.stack(np.meshgrid(*np.stack([low, high], -1)), -1).reshape(8, 3)


def with_one(directions: Array) -> NDArray[np.float32]:
    """Directions (..., 3) as placed_rays takes them: (..., 4), the last is 1."""
    return np.concatenate([directions, np.ones((*directions.shape[:-1], 1))], -1).astype(F32)


def placed_rays(
    directions: NDArray[np.float32],
    eye: Array,
    target_from_source: Array,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Rays (..., 6) = origin, direction: directions (..., 4) of with_one turned by a pose (4, 4).

    One product writes both, in pieces that BLAS leaves to one thread.
    """
    rays = np.empty((*directions.shape[:-1], 6), F32) if out is None else out
    place = np.zeros((4, 6), F32)
    place[:3, 3:], place[3, :3] = target_from_source[:3, :3].T, eye
    source, target = directions.reshape(-1, 4), rays.reshape(-1, 6)
    for start in range(0, len(source), _PIECE):
        np.matmul(source[start : start + _PIECE], place, out=target[start : start + _PIECE])
    return rays
