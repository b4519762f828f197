# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""ROS messages <-> core values, duck-typed: the objects of rclpy and of rosbags work alike.

Nothing here imports rclpy or rosbags. Every size in a message is checked against the bytes that
came with it before anything is read; what does not fit is a `MessageError`, and a calibration that
cannot be used is a `CalibrationError`.
"""

from selfdepth_ros.messages.clouds import (
    CloudFields,
    PackedPoints,
    PointExtras,
    PointFieldSpec,
    PointsConfig,
    cloud_from_msg,
    fields_from_cloud_msg,
    organize,
    pack_points,
    pack_xyz,
    points_from_cloud_msg,
)
from selfdepth_ros.messages.errors import MessageError
from selfdepth_ros.messages.geometry import (
    CameraInfoFields,
    beside_frame_m,
    camera_from_info,
    camera_info_fields,
    check_own_frame,
    stamp_from_ns,
    stamp_ns,
    transform_from_msg,
)
from selfdepth_ros.messages.images import (
    ImageFields,
    Picture,
    decode_at_least,
    decode_depth,
    decode_image,
    encoded_size,
    image_fields,
)
from selfdepth_ros.messages.scans import ScanFields, scan_fields

__all__ = [
    'CameraInfoFields',
    'CloudFields',
    'ImageFields',
    'MessageError',
    'PackedPoints',
    'Picture',
    'PointExtras',
    'PointFieldSpec',
    'PointsConfig',
    'ScanFields',
    'beside_frame_m',
    'camera_from_info',
    'camera_info_fields',
    'check_own_frame',
    'cloud_from_msg',
    'decode_depth',
    'decode_at_least',
    'decode_image',
    'encoded_size',
    'fields_from_cloud_msg',
    'image_fields',
    'organize',
    'pack_points',
    'pack_xyz',
    'points_from_cloud_msg',
    'scan_fields',
    'stamp_from_ns',
    'stamp_ns',
    'transform_from_msg',
]
