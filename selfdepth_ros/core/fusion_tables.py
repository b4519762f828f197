# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What fusion computes once of a calibration, and how motion changes it."""

from typing import Any

import numpy as np

from selfdepth_ros.core.depth import DepthLimit, depth_per_metre
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.fusion_steps import CameraTables
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.rig_camera import RigCamera
from selfdepth_ros.core.se3 import SE3

TURN_LEAST = 1e-5
"""Radians (0.6 mm at 60 m) below which a turn of the body is not worth turning the rays."""


def tables_of(
    rig: Rig, config: FusionConfig, depth_kind: str, depth_limit: DepthLimit
) -> tuple[CameraTables, ...]:
    """The tables of a rig whose cameras have one size; else CalibrationError."""
    common_size(rig)
    if depth_kind not in ('z_depth', 'ray_distance'):
        raise ValueError(f'depth_kind is {depth_kind!r}; expected z_depth or ray_distance')
    return tuple(
        _camera_tables(item, config, depth_kind, depth_limit.sky_m(item.camera.focal))
        for item in rig.cameras
    )


def common_size(rig: Rig) -> tuple[int, int]:
    """Height and width of all cameras; CalibrationError when they differ."""
    sizes = {(item.camera.height, item.camera.width) for item in rig.cameras}
    if len(sizes) != 1:
        found = ', '.join(f'{width}x{height}' for height, width in sorted(sizes))
        raise CalibrationError(
            f'The cameras have sizes {found}, expected one size for all: use '
            'rig.scaled(width, height) with the size of the network.'
        )
    return sizes.pop()


def moved(now_from_then: SE3, origin: Any) -> tuple[Any, Any]:
    """The turn (3, 3) of a camera's rays, None: not worth it, and its origin (3,); float32.

    Turning the rays costs a tenth of what moving the points afterwards does.
    """
    origin = np.asarray(now_from_then.apply(origin), np.float32)
    if np.abs(now_from_then.rotation - np.eye(3)).max() < TURN_LEAST:
        return None, origin
    return np.asarray(now_from_then.rotation, np.float32), origin


def _camera_tables(
    item: RigCamera, config: FusionConfig, depth_kind: str, sky_m: float
) -> CameraTables:
    rays, valid = item.camera.pixel_rays()
    per_metre, valid = depth_per_metre(rays, valid, depth_kind)
    length = 1 / per_metre  # metres along the ray per metre of depth
    if item.self_occlusion is not None:
        valid = valid & ~item.self_occlusion
    sky = np.float32(1 / sky_m)
    far = np.maximum(length / config.max_range_m, sky)
    near = length / max(config.min_range_m, 1e-6)
    rays = rays.astype(np.float64) * length[..., None]
    body_rays = item.body_from_camera.rotate(rays).reshape(-1, 3).T
    return CameraTables(
        body_rays=np.ascontiguousarray(body_rays, np.float32),
        origin=item.body_from_camera.translation.astype(np.float32),
        far=np.where(valid, far, np.nan).astype(np.float32),
        near=np.where(valid, near, np.nan).astype(np.float32),
        sky=sky,
        above_horizon=valid & (body_rays[2].reshape(valid.shape) > 0),
    )
