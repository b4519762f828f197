# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Core values -> message objects of rclpy. Large arrays are handed over, not walked over."""

import array
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2, PointField
from std_msgs.msg import Header

from selfdepth_ros.core.rig import RigCamera
from selfdepth_ros.messages import (
    PackedPoints,
    ScanFields,
    camera_info_fields,
    image_fields,
    stamp_from_ns,
)


def byte_array(data: Any) -> 'array.array[int]':
    """Return bytes as the one type that a message's `data` takes without walking over it."""
    result = array.array('B')
    result.frombytes(memoryview(np.ascontiguousarray(data)).cast('B'))
    return result


def fill(field: Any, values: Any) -> None:
    """Put values into the array that a new message has, in one copy.

    Constructors and setters take an array as it is on Humble, and copy it once more on Kilted.
    """
    field.frombytes(memoryview(np.ascontiguousarray(values)).cast('B'))


def header(stamp_ns: int, frame_id: str) -> Header:
    """Return a std_msgs/Header."""
    result = Header(frame_id=frame_id)
    result.stamp.sec, result.stamp.nanosec = stamp_from_ns(stamp_ns)
    return result


def cloud_message(packed: PackedPoints, stamp_ns: int, frame_id: str) -> PointCloud2:
    """Return packed points as sensor_msgs/PointCloud2."""
    message = PointCloud2(
        header=header(stamp_ns, frame_id),
        height=packed.height,
        width=packed.width,
        fields=[
            PointField(name=f.name, offset=f.offset, datatype=f.datatype, count=f.count)
            for f in packed.fields
        ],
        is_bigendian=False,
        point_step=packed.point_step,
        row_step=packed.row_step,
        is_dense=packed.is_dense,
    )
    fill(message.data, packed.data)
    return message


def camera_info_message(item: RigCamera, stamp_ns: int = 0) -> CameraInfo:
    """Return the lens of a camera as sensor_msgs/CameraInfo, in its frame."""
    fields = camera_info_fields(item.camera)._asdict()
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}
    return CameraInfo(header=header(stamp_ns, item.frame_id), **values)


def image_message(pixels: Any, encoding: str, stamp_ns: int, frame_id: str) -> Image:
    """Return an array as sensor_msgs/Image."""
    fields = image_fields(pixels, encoding)._asdict()
    data = fields.pop('data')
    message = Image(header=header(stamp_ns, frame_id), **fields)
    fill(message.data, data)
    return message


def scan_message(scan: ScanFields, stamp_ns: int, frame_id: str) -> LaserScan:
    """Return a scan as sensor_msgs/LaserScan, without intensities."""
    fields = scan._asdict()
    ranges = fields.pop('ranges')
    message = LaserScan(header=header(stamp_ns, frame_id), **fields)
    fill(message.ranges, ranges)
    return message
