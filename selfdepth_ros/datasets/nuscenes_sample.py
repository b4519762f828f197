# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One nuScenes key frame (calibration.json, six JPEGs, one LiDAR sweep) -> a scene.

Frames: nuScenes' ego frame (rear axle, on the ground, x ahead) is `base_link`; each `cam2ego` and
`lidar2ego` goes to /tf_static as it is. The cameras fire up to 43 ms before the LiDAR's stamp,
while the car drives, and `lidar2cam_with_ego_motion` contains that movement:

    cam_from_lidar = cam_from_ego @ ego(camera)_from_ego(lidar) @ ego_from_lidar

A bag must not hold motion in /tf_static. So it is solved for the middle factor, which becomes
/odom, one pose per stamp. A reader that takes poses at the stamps gets
`lidar2cam_with_ego_motion` back; one that ignores odometry is off by that motion.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.reading import read_json, read_rows, rigid
from selfdepth_ros.datasets.scene import (
    LidarPoints,
    Picture,
    Pose,
    Scene,
    Sweep,
    in_order,
)

CALIBRATION = 'calibration.json'
LIDAR_FRAME = 'lidar_top'
_CAMERAS = ('FRONT', 'FRONT_LEFT', 'BACK_LEFT', 'BACK', 'BACK_RIGHT', 'FRONT_RIGHT')
_STAMP_IN_NAME = re.compile(r'__(\d{16})\.')


class _Shot(NamedTuple):
    """One camera of the key frame."""

    camera: RigCamera
    picture: Picture
    pose: Pose
    """The car at the camera's stamp, seen from the car at the LiDAR's stamp."""


def camera_name(channel: str) -> str:
    """Return `camera_front` of `CAM_FRONT`."""
    return f'camera_{channel.removeprefix("CAM_").lower()}'


def read_sample(src: Path) -> Scene:
    """Read calibration.json in folder `src`; DatasetError when it is not what it should be."""
    tree = read_json(src / CALIBRATION)
    try:
        body_from_lidar = rigid(tree['lidar']['lidar2ego'])
        lidar_path = src / tree['lidar']['file']
        lidar_ns = _stamp_in_name(lidar_path.name)
        shots = [
            _shot(src, f'CAM_{name}', tree['cameras'][f'CAM_{name}'], body_from_lidar)
            for name in _CAMERAS
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f'{src / CALIBRATION}: {type(error).__name__} {error}: expected cameras '
            f'CAM_{", CAM_".join(_CAMERAS)} and a lidar, as in the mmdetection3d sample'
        ) from error
    events = in_order(
        [
            Pose(lidar_ns, SE3.identity()),
            Sweep(lidar_ns, LIDAR_FRAME, lidar_path, read_sweep),
            *(shot.pose for shot in shots),
            *(shot.picture for shot in shots),
        ]
    )
    rig = Rig(tuple(shot.camera for shot in shots))
    return Scene(rig, {LIDAR_FRAME: body_from_lidar}, events, len(events))


def _shot(src: Path, channel: str, entry: dict[str, Any], body_from_lidar: SE3) -> _Shot:
    """Read one camera, and how the car moved until the LiDAR's stamp."""
    matrix = np.asarray(entry['cam2img'], np.float64)
    size = (int(entry['width']), int(entry['height']))
    intrinsics = (float(matrix[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    body_from_camera = rigid(entry['cam2ego'])
    camera_from_lidar = rigid(entry['lidar2cam_with_ego_motion'])
    body_from_lidar_body = body_from_camera @ camera_from_lidar @ body_from_lidar.inverse()
    name = camera_name(channel)
    try:
        lens = PinholeCamera(*size, *intrinsics)
        camera = RigCamera(name, lens, body_from_camera, f'{name}_optical_frame')
    except SelfdepthError as error:
        raise DatasetError(f'{src / CALIBRATION}: {name}: {error}') from error
    stamp_ns = round(float(entry['stamp_s']) * 1e6) * 1000
    pose = Pose(stamp_ns, body_from_lidar_body.inverse())
    return _Shot(camera, Picture(stamp_ns, name, src / entry['file']), pose)


def _stamp_in_name(name: str) -> int:
    """Return the nanoseconds of the microseconds that end a nuScenes file name."""
    found = _STAMP_IN_NAME.search(name)
    if found is None:
        raise ValueError(f'{name!r} has no stamp: expected ...__<16 digits>.pcd.bin')
    return int(found.group(1)) * 1000


def read_sweep(path: Path) -> LidarPoints:
    """Read a .pcd.bin."""
    rows = read_rows(path, 5, 'x y z intensity ring')
    return LidarPoints(rows[:, :3], rows[:, 3], rows[:, 4])
