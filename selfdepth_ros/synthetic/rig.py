# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The street world's rig: six pinhole cameras on a car's roof, about 60 degrees apart; a LiDAR."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3

# name, x, y, z (m), yaw, pitch (down positive), roll, horizontal field of view (deg)
_MOUNTS = (
    ('camera_front', 0.62, 0.02, 1.58, 0.0, 0.8, 0.4, 72.0),
    ('camera_front_left', 0.42, 0.46, 1.61, 57.0, 1.2, -0.8, 86.0),
    ('camera_back_left', -0.35, 0.48, 1.60, 118.0, 0.4, 0.9, 80.0),
    ('camera_back', -0.80, 0.00, 1.62, 180.0, 1.8, -0.5, 98.0),
    ('camera_back_right', -0.38, -0.47, 1.60, -119.0, 0.3, 0.6, 84.0),
    ('camera_front_right', 0.40, -0.46, 1.60, -56.0, 1.6, -0.6, 78.0),
)
LIDAR_FRAME_ID = 'lidar'
LIDAR_XYZ = (-0.1, 0.0, 1.86)
"""Where the LiDAR is in base_link (m); its axes are those of base_link."""
_DISTORTION = (-0.045, 0.012, 0.0006, -0.0004, -0.001)


class LidarScan(NamedTuple):
    """points (n, 3) float32 in the lidar frame (axes of base_link), intensity (n,), ring (n,)."""

    points: NDArray[np.float32]
    intensity: NDArray[np.float32]
    ring: NDArray[np.uint16]


def _rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    yaw, pitch, roll = np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    about_z = np.array(
        [[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1.0]]
    )
    about_y = np.array(
        [[np.cos(pitch), 0, np.sin(pitch)], [0, 1.0, 0], [-np.sin(pitch), 0, np.cos(pitch)]]
    )
    about_x = np.array(
        [[1.0, 0, 0], [0, np.cos(roll), -np.sin(roll)], [0, np.sin(roll), np.cos(roll)]]
    )
    optical = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    return about_z @ about_y @ about_x @ optical


def street_rig(width: int = 320, height: int = 192, distorted: bool = False) -> Rig:
    """Six cameras of the given size (pixels); distorted gives every second a plumb_bob lens.

    Frames: body is base_link (x forward, y left, z up, on the ground), cameras are optical frames.
    """
    cameras = []
    for i, (name, x, y, z, yaw, pitch, roll, fov) in enumerate(_MOUNTS):
        focal = width / 2 / np.tan(np.deg2rad(fov) / 2)
        model = 'plumb_bob' if distorted and i % 2 == 0 else 'none'
        camera = PinholeCamera(
            width,
            height,
            float(focal),
            float(focal * 1.002),
            float((width - 1) / 2 + width * 0.004 * (i - 2.5)),
            float((height - 1) / 2 - height * 0.006 * (i - 2.5)),
            distortion_model=model,
            distortion=_DISTORTION if model == 'plumb_bob' else (),
        )
        pose = SE3.from_rotation_translation(_rotation(yaw, pitch, roll), np.array([x, y, z]))
        cameras.append(
            RigCamera(
                name=name,
                camera=camera,
                body_from_camera=pose,
                frame_id=f'{name}_optical_frame',
                self_occlusion=None,
            )
        )
    return Rig(body_frame='base_link', cameras=tuple(cameras))
