# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""PointCloud2 -> cloud, with colours."""

from typing import Any

import numpy as np

from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.messages import MessageError, stamp_ns

_POINT = np.dtype([('xyz', '<f4', 3), ('rgb', '<u4')])
_OWN_FIELDS = [('x', 0), ('y', 4), ('z', 8), ('rgb', 12)]
_UINT8, _FLOAT32 = 2, 7
_GREY = 160


def cloud_from_message(msg: Any) -> PointCloud:
    """Return the points of a PointCloud2 with their colours, grey where it has none.

    The layout that `surround_depth` publishes needs nothing else, and tells the camera of each
    point if it has that field (else 0); any other one is read by sensor_msgs_py. Raises
    MessageError without it, or for a cloud without x, y and z.
    """
    points, colors, camera = _read_own(msg) if _is_own_layout(msg) else _read_any(msg)
    return PointCloud.of(points, colors, camera, stamp_ns(msg.header), msg.header.frame_id)


def _is_own_layout(msg: Any) -> bool:
    """Whether points begin with x y z rgb; confidence, time and camera may follow."""
    first = msg.fields[: len(_OWN_FIELDS)]
    return (
        [(field.name, field.offset) for field in first] == _OWN_FIELDS
        and all(field.datatype == _FLOAT32 and field.count == 1 for field in first)
        and msg.point_step >= _POINT.itemsize
        and not msg.is_bigendian
        and len(msg.data) == msg.width * msg.height * msg.point_step
    )


def _read_own(msg: Any) -> tuple[Any, Any, Any]:
    """Points, colours and cameras of a cloud that begins with x y z rgb, without NaN."""
    rows = np.frombuffer(msg.data, np.uint8).reshape(-1, msg.point_step)
    packed = np.ascontiguousarray(rows[:, : _POINT.itemsize]).view(_POINT)[:, 0]
    at = [f.offset for f in msg.fields if (f.name, f.datatype) == ('camera', _UINT8)]
    camera = rows[:, at[0]].copy() if at else np.zeros(len(rows), np.uint8)
    if not msg.is_dense:
        known = np.isfinite(packed['xyz']).all(axis=-1)
        packed, camera = packed[known], camera[known]
    return np.ascontiguousarray(packed['xyz']), _colors(packed['rgb']), camera


def _read_any(msg: Any) -> tuple[Any, Any, Any]:
    """Points (n, 3) float32, colours (n, 3) uint8, no cameras, of a cloud of any layout."""
    names = [field.name for field in msg.fields]
    found = f'a cloud with the fields {", ".join(names)} ({msg.point_step} bytes a point)'
    if not {'x', 'y', 'z'} <= set(names):
        raise MessageError(f'{found}: expected x, y and z')
    try:
        from sensor_msgs_py import point_cloud2  # from a ROS installation
    except ImportError:
        raise MessageError(
            f'{found}: without the package sensor_msgs_py (ros-<distro>-sensor-msgs-py) only '
            'clouds of surround_depth can be read: x y z rgb, 16 bytes'
        ) from None
    rows = point_cloud2.read_points(msg, skip_nans=True)
    points = np.stack([rows[axis] for axis in 'xyz'], axis=-1).astype(np.float32)
    camera = np.zeros(len(points), np.uint8)
    if 'rgb' not in names:
        return points, np.full(points.shape, _GREY, np.uint8), camera
    rgb = np.ascontiguousarray(rows['rgb']).astype('<f4', copy=False)
    return points, _colors(rgb.view('<u4')), camera


def _colors(rgb: Any) -> Any:
    """Colours (n, 3) uint8 of packed 0x00RRGGBB."""
    return (rgb[:, None] >> np.array([16, 8, 0], np.uint32) & 255).astype(np.uint8)
