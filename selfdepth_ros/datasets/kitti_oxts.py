# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""OXTS packets (GPS and IMU) of KITTI raw -> poses, as KITTI's development kit documents it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from selfdepth_ros.core import so3
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.reading import read_text

EARTH_RADIUS_M = 6_378_137.0


def read_packet(path: Path) -> Float[np.ndarray, ' n'] | None:
    """Return the numbers of one OXTS file; None when they are not 30."""
    try:
        numbers = np.array([float(value) for value in read_text(path).split()])
    except (ValueError, DatasetError):
        return None
    return numbers if numbers.size == 30 and np.isfinite(numbers[:6]).all() else None


def mercator_scale(latitude_deg: float) -> float:
    """Scale of the Mercator projection that makes its metres true at a latitude."""
    return float(np.cos(np.deg2rad(latitude_deg)))


def world_from_imu(packet: Float[np.ndarray, ' n'], scale: float) -> SE3:
    """Pose of the IMU of one packet (latitude, longitude, degrees; altitude, m; roll, pitch, yaw).

    x east and y north by Mercator's projection, z up; yaw is 0 to the east; rotations about x,
    then y, then z.
    """
    latitude, longitude = np.deg2rad(packet[:2])
    east = scale * EARTH_RADIUS_M * longitude
    north = scale * EARTH_RADIUS_M * np.log(np.tan(np.pi / 4 + latitude / 2))
    roll, pitch, yaw = so3.exp(packet[3:6, None] * np.eye(3))
    rotation = yaw @ pitch @ roll
    return SE3.from_rotation_translation(rotation, np.array([east, north, packet[2]]))
