# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a person wants to know of one mounted camera: its lens, its view, where it looks."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selfdepth_ros.core.cameras import Camera, EquidistantCamera, PinholeCamera
from selfdepth_ros.core.rig_camera import RigCamera
from selfdepth_ros.core.se3 import SE3

# From the axes of a body (x forward, y left, z up) to those of an image (x right, y down).
_OPTICAL_FROM_BODY_AXES = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])


class CameraView(NamedTuple):
    """One camera in numbers: angles in degrees, positions in metres, both in the body frame.

    Yaw is to the left, pitch down and roll to the right: the rpy of a URDF, for the camera's
    x forward, y left, z up.
    """

    lens: str
    horizontal_deg: float
    vertical_deg: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    position_m: tuple[float, float, float]
    own_body: float
    """Share of the image that is the robot's own body, 0 to 1."""


def camera_view(entry: RigCamera) -> CameraView:
    """Describe a camera of a rig."""
    horizontal_deg, vertical_deg = field_of_view_deg(entry.camera)
    yaw_deg, pitch_deg, roll_deg = yaw_pitch_roll_deg(entry.body_from_camera)
    x, y, z = entry.body_from_camera.translation.tolist()
    mask = entry.self_occlusion
    return CameraView(
        lens_kind(entry.camera),
        horizontal_deg,
        vertical_deg,
        yaw_deg,
        pitch_deg,
        roll_deg,
        (x, y, z),
        0.0 if mask is None else float(mask.mean()),
    )


def lens_kind(camera: Camera) -> str:
    """Name a lens; a distortion whose coefficients are all 0 is none."""
    if isinstance(camera, EquidistantCamera):
        return 'fisheye equidistant'
    if not isinstance(camera, PinholeCamera):
        return type(camera).__name__
    return f'pinhole {camera.distortion_model}' if any(camera.distortion) else 'pinhole'


def field_of_view_deg(camera: Camera) -> tuple[float, float]:
    """Return the horizontal and vertical field of view in degrees, distortion included.

    Measured along the row and the column through the optical axis, between the outer edges of
    the first and the last pixel that the lens has a ray for.
    """
    axis, inside = camera.project(np.array([0.0, 0.0, 1.0]))
    if not inside:
        axis = np.array([camera.width - 1.0, camera.height - 1.0]) / 2
    across = np.arange(camera.width + 1) - 0.5
    down = np.arange(camera.height + 1) - 0.5
    row = np.stack([across, np.full_like(across, axis[1])], axis=-1)
    column = np.stack([np.full_like(down, axis[0]), down], axis=-1)
    return _swept_deg(camera, row, 0), _swept_deg(camera, column, 1)


def _swept_deg(camera: Camera, pixels: Float[np.ndarray, 'n 2'], component: int) -> float:
    """Angle from the first to the last valid ray, seen along the other image axis."""
    rays, valid = camera.rays(pixels)
    angles = np.degrees(np.arctan2(rays[valid, component], rays[valid, 2]))
    return float(angles[-1] - angles[0]) if angles.size else 0.0


def yaw_pitch_roll_deg(body_from_camera: SE3) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in degrees of an optical frame's pose, as a URDF's rpy.

    A camera that looks straight up or down has no yaw of its own: roll is 0 then.
    """
    turn = body_from_camera.rotation @ _OPTICAL_FROM_BODY_AXES
    pitch = math.asin(min(1.0, max(-1.0, -float(turn[2, 0]))))
    if abs(turn[2, 0]) > 1 - 1e-9:
        yaw, roll = math.atan2(-turn[0, 1], turn[1, 1]), 0.0
    else:
        yaw, roll = math.atan2(turn[1, 0], turn[0, 0]), math.atan2(turn[2, 1], turn[2, 2])
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)
