# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Directions that are blocked by something nearer than what may become a point of the cloud, or
have no depth at all."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from selfdepth_ros.core.depth import depth_per_metre
from selfdepth_ros.core.obstacles import HeightBand
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.rig_camera import RigCamera
from selfdepth_ros.core.scan_steps import ScanSteps


class TooNear:
    """Finds beams whose pixels see something too near. Tables follow from the calibration.

    Args:
        rig: cameras and masks at the size of the depth maps.
        azimuths: directions of the beams in the body frame, radians, evenly around the circle.
        band: heights that count, above the ground at `ground_height_m` in the body frame.
        nearest_m: distance from the camera below which nothing becomes a point.
        far_m: where a pixel's direction is taken, as a distance from the camera: it hides that.
        depth_kind: 'z_depth' or 'ray_distance'.
    """

    def __init__(
        self,
        rig: Rig,
        azimuths: Any,
        band: HeightBand,
        ground_height_m: float,
        nearest_m: float,
        far_m: float,
        depth_kind: str,
    ) -> None:
        self._beams = len(azimuths)
        self._first = float(azimuths[0])
        self._band, self._ground_m = band, ground_height_m
        self._nearest_m, self._far_m, self._kind = nearest_m, far_m, depth_kind
        self._tables = [self._table(item) for item in rig.cameras]

    def mark(
        self,
        depths: Float32[np.ndarray, 'c h w'],
        present: Sequence[bool],
        steps: ScanSteps,
        blocked: Bool[np.ndarray, ' beams'],
        unknown: Bool[np.ndarray, ' beams'],
    ) -> None:
        """Set the beams that some present camera has a too near pixel in, or one without a depth.

        `depths` in metres; infinity is one, NaN and what is not positive is none.
        """
        for index, here in enumerate(present):
            if here:
                steps.mark(depths[index], *self._tables[index], blocked, unknown)

    def _table(self, item: RigCamera) -> tuple[Any, Any]:
        """Least depth of every pixel (NaN: does not matter), and the beam it looks along."""
        rays, valid = item.camera.pixel_rays()
        depth_per_m, valid = depth_per_metre(rays, valid, self._kind)
        if item.self_occlusion is not None:
            valid = valid & ~item.self_occlusion
        pose = item.body_from_camera
        near, far = (
            pose.apply(rays.reshape(-1, 3).astype(np.float64) * distance_m)
            for distance_m in (self._nearest_m, self._far_m)
        )
        valid = valid & self._band.holds(near, self._ground_m).reshape(valid.shape)
        turn = (np.arctan2(far[:, 1], far[:, 0]) - self._first) * self._beams / (2 * np.pi)
        beam = np.rint(turn).astype(np.intp).reshape(valid.shape) % self._beams
        return np.where(valid, self._nearest_m * depth_per_m, np.nan).astype(np.float32), beam
