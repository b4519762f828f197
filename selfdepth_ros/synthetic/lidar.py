# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A spinning LiDAR on the roof: 32 rings, a whole turn at one instant."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from selfdepth_ros.synthetic.caster import F32, Caster
from selfdepth_ros.synthetic.mesh import TINT

FRAME_ID = 'lidar'
LIDAR_XYZ = (-0.1, 0.0, 1.86)


class LidarScan(NamedTuple):
    """points (n, 3) float32 in the lidar frame (axes of base_link), intensity (n,), ring (n,)."""

    points: NDArray[np.float32]
    intensity: NDArray[np.float32]
    ring: NDArray[np.uint16]


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
        rays = np.empty((len(self._rays), 6), F32)
        rays[:, :3], rays[:, 3:] = eye, self._rays @ pose[:3, :3].T.astype(F32)
        distance, row = self._caster.static(rays)
        traffic = self._caster.traffic(np.array([t]), eye[None])
        moving, mover_row, _ = self._caster.moving(traffic, rays, np.zeros(len(rays), np.int64))
        row = np.where(moving < distance, mover_row, row)
        distance = np.minimum(distance, moving)
        keep = self._free & (distance < 100.0) & (distance > 0.5)
        if self._noise:
            rng = np.random.default_rng([self._caster.world.seed, 71, stamp_ns])
            distance = distance + rng.normal(0, self._noise, len(distance)).astype(F32)
        points = self._rays[keep] * distance[keep, None]
        intensity = self._caster.table[row[keep], TINT].mean(-1)
        return LidarScan(points.astype(F32), intensity.astype(F32), self._ring[keep])
