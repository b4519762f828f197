# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stamps, CameraInfo and transforms <-> core values (REP 103, REP 104)."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from selfdepth_ros.core.cameras import Camera, EquidistantCamera, PinholeCamera
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages.errors import MessageError

_COEFFICIENTS = {'plumb_bob': 5, 'rational_polynomial': 8, 'equidistant': 4, 'fisheye': 4}
_NO_DISTORTION = frozenset({'', 'none'})


class CameraInfoFields(NamedTuple):
    """The fields of a sensor_msgs/CameraInfo apart from its header, binning and roi."""

    width: int
    height: int
    distortion_model: str
    d: tuple[float, ...]
    k: tuple[float, ...]
    r: tuple[float, ...]
    p: tuple[float, ...]


def stamp_ns(header: Any) -> int:
    """Return the stamp of a Header (or of a bare Time) in nanoseconds."""
    stamp = getattr(header, 'stamp', header)
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def stamp_from_ns(stamp: int) -> tuple[int, int]:
    """Return (sec, nanosec) for builtin_interfaces/Time, whose sec is an int32."""
    sec, nanosec = divmod(int(stamp), 1_000_000_000)
    if not -(2**31) <= sec < 2**31:
        raise MessageError(f'stamp {stamp} ns does not fit a ROS time (int32 seconds)')
    return sec, nanosec


def camera_from_info(msg: Any, *, rectified: bool = False) -> Camera:
    """Return the lens that a CameraInfo describes, in pixels of the image as it is published.

    `rectified` takes P and no distortion (for image_rect topics) instead of K and D. Binning and
    region of interest are applied. Raises CalibrationError when the calibration cannot be used.
    """
    width, height = int(msg.width), int(msg.height)
    where = f'CameraInfo of frame {msg.header.frame_id!r}'
    if width <= 0 or height <= 0:
        raise CalibrationError(f'{where}: size {width}x{height}; calibrate the camera first')
    matrix = np.asarray(msg.p if rectified else msg.k, dtype=np.float64).reshape(3, -1)
    fx, fy, cx, cy = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
    if not np.isfinite(matrix).all() or fx <= 0 or fy <= 0:
        name = 'P' if rectified else 'K'
        raise CalibrationError(
            f'{where}: {name} has fx={fx}, fy={fy}, cx={cx}, cy={cy}; expected finite values and '
            'positive focal lengths (zeros mean an uncalibrated camera: run a calibration)'
        )
    pinhole = (width, height, float(fx), float(fy), float(cx), float(cy))
    camera = PinholeCamera(*pinhole) if rectified else _with_distortion(msg, pinhole, where)
    return _region_and_binning(msg, camera, where)


def beside_frame_m(msg: Any) -> float:
    """How far to the right of its frame's origin P places the camera of a CameraInfo, in metres.

    0 but for the right camera of a stereo pair (sensor_msgs/CameraInfo: Tx = -fx' * baseline),
    whose frame may be that of the left one.
    """
    focal, shifted = float(msg.p[0]), float(msg.p[3])
    return -shifted / focal if focal and math.isfinite(shifted) else 0.0


def check_own_frame(frame_id: str, beside_m: float, others: Collection[str]) -> None:
    """Refuse the right camera of a pair whose frame is that of another camera in use.

    Both would be in one place. `others`: frames of the other cameras. Raises CalibrationError.
    """
    if beside_m and frame_id in others:
        raise CalibrationError(
            f'P of its CameraInfo places the camera {beside_m:.3f} m beside its frame '
            f'{frame_id!r}, which is the frame of another camera, too; expected a frame of its '
            'own in TF, named by the CameraInfo (for bags: by `frame` in a mapping file)'
        )


def _with_distortion(msg: Any, pinhole: tuple[Any, ...], where: str) -> Camera:
    """Choose the lens by `distortion_model`, checking the number of coefficients."""
    model = str(msg.distortion_model)
    given = tuple(float(value) for value in msg.d)
    if not all(map(math.isfinite, given)):
        raise CalibrationError(f'{where}: D has a NaN or infinite coefficient: {given}')
    if model not in _COEFFICIENTS and (model not in _NO_DISTORTION or any(given)):
        raise CalibrationError(
            f'{where}: distortion model {model!r} is not known; '
            f'expected one of {", ".join(_COEFFICIENTS)}'
        )
    count = _COEFFICIENTS.get(model, 0)
    if any(given[count:]):
        raise CalibrationError(
            f'{where}: {len(given)} coefficients; expected {count} of {model}, the others 0'
        )
    distortion = (given + (0.0,) * count)[:count]
    if model in {'equidistant', 'fisheye'}:
        return EquidistantCamera(*pinhole, distortion=distortion)
    if not any(distortion):
        return PinholeCamera(*pinhole)
    return PinholeCamera(*pinhole, distortion_model=model, distortion=distortion)


def _region_and_binning(msg: Any, camera: Camera, where: str) -> Camera:
    """Apply roi (in unbinned pixels), then binning: the order of REP 104."""
    roi = getattr(msg, 'roi', None)
    if roi is not None and roi.width and roi.height:
        x, y, width, height = (
            int(value) for value in (roi.x_offset, roi.y_offset, roi.width, roi.height)
        )
        if x + width > camera.width or y + height > camera.height:
            raise CalibrationError(
                f'{where}: roi {width}x{height} at ({x}, {y}) exceeds the '
                f'{camera.width}x{camera.height} sensor'
            )
        camera = camera.cropped(x, y, width, height)
    bins_x = max(1, int(getattr(msg, 'binning_x', 1)))
    bins_y = max(1, int(getattr(msg, 'binning_y', 1)))
    if bins_x > 1 or bins_y > 1:
        # Pixels that do not fill a bin are left out, so that each bin is bins_x x bins_y exactly.
        columns, rows = camera.width // bins_x, camera.height // bins_y
        if not (columns and rows):
            raise CalibrationError(
                f'{where}: binning {bins_x}x{bins_y} of {camera.width}x{camera.height} pixels '
                'leaves none: correct binning_x and binning_y'
            )
        camera = camera.cropped(0, 0, columns * bins_x, rows * bins_y).scaled(columns, rows)
    return camera


def camera_info_fields(camera: Camera) -> CameraInfoFields:
    """Return what a CameraInfo says about `camera`; the inverse of `camera_from_info`."""
    if isinstance(camera, EquidistantCamera):
        model, distortion = 'equidistant', tuple(camera.distortion)
    elif isinstance(camera, PinholeCamera):
        undistorted = camera.distortion_model == 'none'
        model = 'plumb_bob' if undistorted else camera.distortion_model
        distortion = (0.0,) * 5 if undistorted else tuple(camera.distortion)
    else:
        raise CalibrationError(f'{type(camera).__name__} has no sensor_msgs/CameraInfo form')
    fx, fy, cx, cy = camera.fx, camera.fy, camera.cx, camera.cy
    return CameraInfoFields(
        width=camera.width,
        height=camera.height,
        distortion_model=model,
        d=distortion,
        k=(fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0),
        r=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        p=(fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0),
    )


def transform_from_msg(msg: Any) -> SE3:
    """Return parent_from_child of a TransformStamped, Transform or Pose.

    Raises CalibrationError for a rotation that is not a quaternion or a NaN translation.
    """
    msg = getattr(msg, 'transform', msg)
    offset = msg.translation if hasattr(msg, 'translation') else msg.position
    turn = msg.rotation if hasattr(msg, 'rotation') else msg.orientation
    translation = np.array([offset.x, offset.y, offset.z], dtype=np.float64)
    quaternion = np.array([turn.x, turn.y, turn.z, turn.w], dtype=np.float64)
    norm = float(np.linalg.norm(quaternion))
    if not np.isfinite(translation).all() or not abs(norm - 1.0) < 1e-2:
        raise CalibrationError(
            f'transform with translation {translation.tolist()} and quaternion '
            f'{quaternion.tolist()} (x y z w): expected finite values and a unit quaternion'
        )
    return SE3.from_quaternion(quaternion / norm, translation)
