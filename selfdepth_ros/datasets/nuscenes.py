# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One nuScenes key frame (calibration.json, six JPEGs, one LiDAR sweep) -> rosbag2.

Frames: nuScenes' ego frame (rear axle, on the ground, x ahead) is `base_link`; each `cam2ego` and
`lidar2ego` goes to /tf_static as it is. The cameras fire up to 43 ms before the LiDAR's stamp,
while the car drives, and `lidar2cam_with_ego_motion` contains that movement:

    cam_from_lidar = cam_from_ego @ ego(camera)_from_ego(lidar) @ ego_from_lidar

A bag must not hold motion in /tf_static. So it is solved for the middle factor, which becomes
/odom, one pose per stamp, with its origin at the LiDAR's stamp. A reader that takes poses at the
stamps gets `lidar2cam_with_ego_motion` back; one that ignores odometry is off by that motion.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.datasets.errors import DatasetError

LICENCE = (
    'nuScenes data is licensed CC BY-NC-SA 4.0 (non-commercial, share alike; '
    'https://www.nuscenes.org/terms-of-use). The bag is adapted from it: the same terms apply to '
    'the bag and to what is learned from it.'
)
LIDAR_FRAME = 'lidar'
_CAMERAS = ('FRONT', 'FRONT_LEFT', 'BACK_LEFT', 'BACK', 'BACK_RIGHT', 'FRONT_RIGHT')
_STAMP_IN_NAME = re.compile(r'__(\d{16})\.')


class _Shot(NamedTuple):
    """One camera of the key frame."""

    camera: RigCamera
    stamp_ns: int
    jpeg: bytes
    lidar_body_from_body: SE3
    """The car at the camera's stamp, seen from the car at the LiDAR's stamp."""


def import_sample(src: str | Path, out: str | Path, storage: str = 'mcap') -> Path:
    """Write the key frame in folder `src` as the bag `out` and return its path.

    JPEG bytes are kept. Topics: /<camera>/image_raw/compressed, /<camera>/camera_info, /tf_static,
    /odom, /lidar/points (x y z intensity ring). Raises DatasetError when a file is missing or is
    not what calibration.json says.
    """
    src = Path(src)
    tree = _read_calibration(src / 'calibration.json')
    try:
        body_from_lidar = _pose(tree['lidar']['lidar2ego'])
        lidar_stamp = _stamp_in_name(tree['lidar']['file'])
        shots = [
            _shot(src, f'camera_{name.lower()}', tree['cameras'][f'CAM_{name}'], body_from_lidar)
            for name in _CAMERAS
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f'{src / "calibration.json"}: {type(error).__name__} {error}: expected cameras '
            f'CAM_{", CAM_".join(_CAMERAS)} and a lidar, as in the mmdetection3d sample'
        ) from error
    sweep = _read_sweep(src / tree['lidar']['file'])
    with BagWriter(out, storage) as bag:
        rig = Rig(cameras=tuple(shot.camera for shot in shots))
        first = min(shot.stamp_ns for shot in shots)
        bag.write_rig(rig, first, others=[(rig.body_frame, LIDAR_FRAME, body_from_lidar)])
        _write_shots(bag, shots)
        bag.write_odometry('/odom', lidar_stamp, SE3.identity())
        bag.write_cloud(
            '/lidar/points',
            lidar_stamp,
            LIDAR_FRAME,
            sweep[:, :3],
            intensity=sweep[:, 3],
            ring=sweep[:, 4].astype(np.uint16),
        )
    return Path(out)


def _write_shots(bag: BagWriter, shots: list[_Shot]) -> None:
    """Write images, CameraInfos and poses in order of time."""
    for shot in sorted(shots, key=lambda shot: shot.stamp_ns):
        name, frame_id = shot.camera.name, shot.camera.frame_id
        bag.write_odometry('/odom', shot.stamp_ns, shot.lidar_body_from_body)
        bag.write_camera_info(f'/{name}/camera_info', shot.stamp_ns, frame_id, shot.camera.camera)
        bag.write_compressed(f'/{name}/image_raw/compressed', shot.stamp_ns, frame_id, shot.jpeg)


def _read_calibration(path: Path) -> dict[str, Any]:
    """Read calibration.json."""
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f'{path} cannot be read ({error}): expected the folder of a nuScenes sample with '
            'calibration.json, six JPEGs and a .pcd.bin'
        ) from error


def _shot(src: Path, name: str, entry: dict[str, Any], body_from_lidar: SE3) -> _Shot:
    """Read one camera and its picture."""
    matrix = np.asarray(entry['cam2img'], np.float64)
    size = (int(entry['width']), int(entry['height']))
    intrinsics = (float(matrix[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    body_from_camera = _pose(entry['cam2ego'])
    camera_from_lidar = _pose(entry['lidar2cam_with_ego_motion'])
    body_from_lidar_body = body_from_camera @ camera_from_lidar @ body_from_lidar.inverse()
    path = src / entry['file']
    try:
        jpeg = path.read_bytes()
    except OSError as error:
        raise DatasetError(f'{path} cannot be read: {error.strerror or error}') from error
    try:
        lens = PinholeCamera(*size, *intrinsics)
        camera = RigCamera(name, lens, body_from_camera, f'{name}_optical_frame')
    except SelfdepthError as error:
        raise DatasetError(f'{src / "calibration.json"}: {name}: {error}') from error
    stamp_ns = round(float(entry['stamp_s']) * 1e6) * 1000
    return _Shot(camera, stamp_ns, jpeg, body_from_lidar_body.inverse())


def _pose(rows: Any) -> SE3:
    """Return a rigid transform of 4x4 numbers stored as float32: its rotation made exact."""
    matrix = np.asarray(rows, np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise ValueError(f'expected a finite 4x4 matrix, found shape {matrix.shape}')
    left, _, right = np.linalg.svd(matrix[:3, :3])
    if np.abs(left @ right - matrix[:3, :3]).max() > 1e-3:
        raise ValueError('a rotation is not orthonormal')
    return SE3.from_rotation_translation(left @ right, matrix[:3, 3])


def _stamp_in_name(name: str) -> int:
    """Return the nanoseconds of the microseconds that end a nuScenes file name."""
    found = _STAMP_IN_NAME.search(name)
    if found is None:
        raise ValueError(f'{name!r} has no stamp: expected ...__<16 digits>.pcd.bin')
    return int(found.group(1)) * 1000


def _read_sweep(path: Path) -> Float[np.ndarray, 'n 5']:
    """Return x y z intensity ring (n, 5) float32 in the LiDAR's frame."""
    try:
        values = np.fromfile(path, dtype='<f4')
    except OSError as error:
        raise DatasetError(f'{path} cannot be read: {error.strerror or error}') from error
    if values.size == 0 or values.size % 5:
        raise DatasetError(
            f'{path} has {values.size} numbers: expected float32 n x 5 (x y z intensity ring)'
        )
    return values.reshape(-1, 5)
