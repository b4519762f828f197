# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One camera of a rig, and its entry in the rig file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from selfdepth_ros.core.arrays import to_numpy
from selfdepth_ros.core.cameras import Camera, EquidistantCamera, PinholeCamera
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.masks import decode_mask, encode_mask, scale_mask
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.core.strict_yaml import check_keys

# Poses are held at the precision of the rig file, so that file and rig agree bit for bit.
_QUATERNION_DIGITS = 12
_INTRINSICS = ('fx', 'fy', 'cx', 'cy')

_UPSIDE_DOWN = 0.5
"""Sine of how far a camera's y axis (down in its image) points up in the body frame."""


@dataclass(frozen=True, eq=False)
class RigCamera:
    """One camera of a rig. `self_occlusion` is True where it sees the robot's own body.

    The pose becomes float64 NumPy. Raises CalibrationError for an empty name, a pose that is not
    one rigid transform, or a mask of another size than the image.
    """

    name: str
    camera: Camera
    body_from_camera: SE3
    frame_id: str
    self_occlusion: Bool[np.ndarray, '_ _'] | None = None

    def __post_init__(self) -> None:
        for field in ('name', 'frame_id'):
            value = getattr(self, field)
            if not isinstance(value, str) or not value:
                raise CalibrationError(f'{field}: found {value!r}, expected a text, not empty.')
        pose = SE3(np.asarray(to_numpy(self.body_from_camera.matrix), dtype=np.float64))
        object.__setattr__(self, 'body_from_camera', _canonical(pose))
        size = (self.camera.height, self.camera.width)
        if self.self_occlusion is not None and self.self_occlusion.shape != size:
            found = self.self_occlusion.shape
            raise CalibrationError(
                f'self_occlusion: found a mask of {found[1]}x{found[0]} pixels, expected '
                f'{size[1]}x{size[0]} as the image. Draw it at the size of the calibration.'
            )

    @property
    def is_upside_down(self) -> bool:
        """Whether the lower rows of its image show what is above, by more than 30 degrees."""
        return bool(self.body_from_camera.rotation[2, 1] > _UPSIDE_DOWN)

    def scaled(self, width: int, height: int) -> 'RigCamera':
        """Return this camera with image and mask resized to width x height."""
        mask = self.self_occlusion
        if mask is not None:
            mask = scale_mask(mask, width, height)
        return replace(self, camera=self.camera.scaled(width, height), self_occlusion=mask)


def _canonical(pose: SE3) -> SE3:
    """Round a pose to the quaternion that the rig file holds (1e-12, far below calibration).

    Rounding and normalizing are repeated until they agree: each round comes nearer to the unit
    sphere, two or three suffice.
    """
    if pose.matrix.shape != (4, 4) or not np.isfinite(pose.matrix).all():
        raise CalibrationError(
            f'body_from_camera: found {pose.matrix.tolist()}, expected one finite 4x4 transform.'
        )
    gram = pose.rotation @ pose.rotation.T
    if np.abs(gram - np.eye(3)).max() > 1e-3 or np.linalg.det(pose.rotation) < 0:
        raise CalibrationError(
            f'body_from_camera: found {pose.rotation.tolist()}, expected a rotation '
            '(orthonormal, determinant 1). Was it scaled or mirrored?'
        )
    for _ in range(10):
        rounded = SE3.from_quaternion(_rounded_quaternion(pose), pose.translation)
        if np.array_equal(rounded.matrix, pose.matrix):
            break
        pose = rounded
    return pose


def _rounded_quaternion(pose: SE3) -> Float[np.ndarray, '4']:
    # Adding 0 turns -0.0 into 0.0.
    return np.round(pose.quaternion(), _QUATERNION_DIGITS) + 0.0


def camera_to_dict(entry: RigCamera) -> dict[str, Any]:
    """Return the entry of a camera in the rig file."""
    camera = entry.camera
    if isinstance(camera, EquidistantCamera):
        model = 'equidistant'
    elif isinstance(camera, PinholeCamera):
        model = camera.distortion_model
    else:
        raise CalibrationError(
            f'{entry.name}: found a {type(camera).__name__}, expected a pinhole or equidistant '
            'camera: the rig file has no words for others.'
        )
    pose = entry.body_from_camera
    data: dict[str, Any] = {
        'name': entry.name,
        'frame_id': entry.frame_id,
        'size': [camera.width, camera.height],
        'intrinsics': {name: getattr(camera, name) for name in _INTRINSICS},
        'distortion': {'model': model, 'coefficients': list(camera.distortion)},
        'body_from_camera': {
            'translation': pose.translation.tolist(),
            'quaternion_xyzw': _rounded_quaternion(pose).tolist(),
        },
    }
    if entry.self_occlusion is not None:
        data['self_occlusion'] = encode_mask(entry.self_occlusion)
    return data


def camera_from_dict(data: Mapping[str, Any]) -> RigCamera:
    """Return the camera of an entry in the rig file; CalibrationError names the field."""
    required = ('name', 'frame_id', 'size', 'intrinsics', 'distortion', 'body_from_camera')
    check_keys(data, required, ('self_occlusion',), CalibrationError)
    camera = _lens(data)
    pose = data['body_from_camera']
    check_keys(pose, ('translation', 'quaternion_xyzw'), (), CalibrationError, 'body_from_camera')
    translation = _numbers('body_from_camera.translation', pose['translation'], 3)
    quaternion = _numbers('body_from_camera.quaternion_xyzw', pose['quaternion_xyzw'], 4)
    norm = float(np.linalg.norm(quaternion))
    if abs(norm - 1) > 1e-3:
        raise CalibrationError(
            f'body_from_camera.quaternion_xyzw: found length {norm:.6g}, expected 1. '
            'Check that no digit is missing and that w comes last.'
        )
    mask = data.get('self_occlusion')
    return RigCamera(
        name=data['name'],
        camera=camera,
        body_from_camera=SE3.from_quaternion(quaternion, translation),
        frame_id=data['frame_id'],
        self_occlusion=None if mask is None else decode_mask(mask, camera.width, camera.height),
    )


def _lens(data: Mapping[str, Any]) -> Camera:
    intrinsics, distortion = data['intrinsics'], data['distortion']
    check_keys(intrinsics, _INTRINSICS, (), CalibrationError, 'intrinsics')
    check_keys(distortion, ('model', 'coefficients'), (), CalibrationError, 'distortion')
    width, height = _size(data['size'])
    fx, fy, cx, cy = (_numbers(f'intrinsics.{k}', [intrinsics[k]]).item() for k in _INTRINSICS)
    coefficients = tuple(_numbers('distortion.coefficients', distortion['coefficients']).tolist())
    if distortion['model'] == 'equidistant':
        return EquidistantCamera(width, height, fx, fy, cx, cy, coefficients)
    model = str(distortion['model'])
    return PinholeCamera(width, height, fx, fy, cx, cy, model, coefficients)


def _size(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2 or any(type(n) is not int for n in value):
        raise CalibrationError(f'size: found {value!r}, expected [width, height] in pixels.')
    return value[0], value[1]


def _numbers(field: str, values: Any, count: int | None = None) -> Float[np.ndarray, ' n']:
    """Return a list of finite numbers as an array, or raise CalibrationError naming the field."""
    numbers = isinstance(values, list) and all(type(value) in (int, float) for value in values)
    if not numbers or count not in (None, len(values)) or not np.isfinite(values).all():
        expected = f'{count} finite numbers' if count else 'finite numbers'
        raise CalibrationError(f'{field}: found {values!r}, expected {expected}.')
    return np.array(values, dtype=np.float64)
