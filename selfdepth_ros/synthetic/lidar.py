# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A spinning LiDAR on the roof: 32 rings, a whole turn at one instant."""

from __future__ import annotations

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from selfdepth_ros.synthetic.caster import F32, Caster, Traffic, placed_rays, with_one
from selfdepth_ros.synthetic.mesh import TINT, Array
from selfdepth_ros.synthetic.rig import LIDAR_XYZ, LidarScan


class StreetLidar:
    """Scans a world; returns from the ego body are left out, as a driver's filter does."""

    def __init__(
        self, caster: Caster, rings: int = 32, azimuths: int = 1024, range_noise_m: float | int = 0
    ) -> None:
        """Rings from -26 to +11 degrees; range up to 100 m; range_noise_m: standard deviation."""
        self._caster, self._noise = caster, range_noise_m
        up = np.deg2rad(np.linspace(-26.0, 11.0, rings))[:, None]
        around = (np.arange(azimuths) * 2 * np.pi / azimuths)[None]
        rays = [np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up) + 0 * around]
        self._rays = np.stack(rays, -1).reshape(-1, 3).astype(F32)
        self._from_body = with_one(self._rays)
        self._ring = np.repeat(np.arange(rings, dtype=np.uint16), azimuths)
        bundle = np.concatenate(
            [np.broadcast_to(F32(LIDAR_XYZ), self._rays.shape), self._rays], -1
        )
        self._free = ~caster.ego_scene.test_occlusions(o3d.core.Tensor(bundle)).numpy()

    def scan(self, stamp_ns: int) -> LidarScan:
        """One turn at stamp_ns (ns since the drive's start)."""
        t = stamp_ns * 1e-9
        pose = self._caster.world.world_from_body(t)
        eye = pose[:3, :3] @ LIDAR_XYZ + pose[:3, 3]
        rays = placed_rays(self._from_body, eye, pose)
        distance, row = self._caster.static(rays)
        traffic = self._caster.traffic(np.array([t]), eye[None])
        placed = self._caster.place(traffic, traffic.near)
        index = self._may_meet(traffic, eye, rays)
        self._caster.add_movers(placed, rays, np.zeros(len(index), int), index, distance, row)
        keep = self._free & (distance < 100.0) & (distance > 0.5)
        if self._noise:
            rng = np.random.default_rng([self._caster.world.seed, 71, stamp_ns])
            distance = distance + rng.normal(0, self._noise, len(distance)).astype(F32)
        points = self._rays[keep] * distance[keep, None]
        intensity = self._caster.table[row[keep], TINT].mean(-1)
        return LidarScan(points.astype(F32), intensity.astype(F32), self._ring[keep])

    def _may_meet(
        self, traffic: Traffic, eye: Array, rays: NDArray[np.float32]
    ) -> NDArray[np.intp]:
        """Rays (n, 6) within the cones around the balls around the movers near the eye (3,)."""
        mover = np.flatnonzero(traffic.near[0])
        corners = self._caster.boxes(traffic, np.zeros_like(mover), mover) - eye
        centre = corners.mean(1)
        away = np.linalg.norm(centre, axis=-1)
        radius = np.linalg.norm(corners - centre[:, None], axis=-1).max(1, initial=0)
        sine = np.minimum(radius / np.maximum(away, 1e-6), 1)
        cosine = np.where(sine < 1, np.sqrt(1 - sine**2) - 1e-3, -2)
        inside = np.zeros(len(rays), bool)
        x, y, z = rays[:, 3:].T
        for axis, least in zip(centre / np.maximum(away, 1e-6)[:, None], cosine, strict=True):
            inside |= x * F32(axis[0]) + y * F32(axis[1]) + z * F32(axis[2]) > least
        return np.flatnonzero(inside)
