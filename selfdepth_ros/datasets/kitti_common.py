# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""KITTI -> scenes: what the raw recordings and the odometry benchmark have in common.

Images are rectified: P = K [1 | t] takes points of the rectified camera 0, so t is where camera 0
is in each camera's frame. base_link lies on the road below the Velodyne and has its axes (x ahead,
y left, z up); where a sequence has no Velodyne, below camera 0. Heights are those that KITTI
documents: Velodyne 1.73 m, cameras 1.65 m.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.rig import RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.reading import read_rows, read_text
from selfdepth_ros.datasets.scene import LidarPoints

LIDAR_FRAME = 'lidar'
START_NS = 1_316_995_200_000_000_000
"""Where recordings without dates begin: 2011-09-26, KITTI's first day."""
BODY_FROM_VELODYNE = SE3.from_rotation_translation(np.eye(3), np.array([0.0, 0.0, 1.73]))
BODY_FROM_CAMERA_0 = SE3.from_rotation_translation(
    np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([0.0, 0.0, 1.65])
)


def numbered_files(folder: Path) -> dict[int, Path]:
    """Return the files of a sensor by their number."""
    found = folder.iterdir() if folder.is_dir() else ()
    return {int(path.stem): path for path in sorted(found) if path.stem.isdigit()}


def colour_or_grey(found: Sequence[int]) -> list[int]:
    """Return the colour cameras (2, 3) where there is one, else the grey ones."""
    return [index for index in found if index > 1] or list(found)


def read_calibration(path: Path) -> dict[str, Float[np.ndarray, ' n']]:
    """Return the lines 'key: numbers' of a calibration file; others are passed over."""
    numbers = {}
    for line in read_text(path).splitlines():
        key, _, values = line.partition(':')
        try:
            numbers[key.strip()] = np.array([float(value) for value in values.split()])
        except ValueError:
            continue
    return numbers


def entry(numbers: Mapping[str, Any], key: str, *shape: int) -> Float[np.ndarray, '...']:
    """Return one entry in its shape, or raise ValueError."""
    if key not in numbers or numbers[key].size != np.prod(shape):
        raise ValueError(f'{key}: expected {np.prod(shape)} numbers')
    return numbers[key].reshape(shape)


def rectified_camera(
    index: int,
    projection: Float[np.ndarray, '3 4'],
    size: tuple[int, int],
    body_from_camera_0: SE3,
) -> RigCamera:
    """Return a camera of the rig by its P; `body_from_camera_0` is of the rectified camera 0."""
    (fx, _, cx), (_, fy, cy), _ = projection[:, :3]
    offset = np.linalg.solve(projection[:, :3], projection[:, 3])
    camera_from_camera_0 = SE3.from_rotation_translation(np.eye(3), offset)
    body_from_camera = body_from_camera_0 @ camera_from_camera_0.inverse()
    lens = PinholeCamera(*size, *map(float, (fx, fy, cx, cy)))
    name = f'camera_{index:02}'
    return RigCamera(name, lens, body_from_camera, f'{name}_optical_frame')


def read_sweep(path: Path) -> LidarPoints:
    """Read one Velodyne file."""
    rows = read_rows(path, 4, 'x y z reflectance')
    return LidarPoints(rows[:, :3], rows[:, 3])


def no_images(folder: Path, expected: str) -> DatasetError:
    """Return the error of a drive or sequence without cameras."""
    return DatasetError(f'{folder} has no image: expected {expected}')
