# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Core values -> ROS 2 messages, made with rosbags' types (no ROS needed)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.bags.types import typestore
from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages import (
    PackedPoints,
    camera_info_fields,
    image_fields,
    stamp_from_ns,
)


class MessageFactory:
    """Makes messages of the types of Humble; newer distributions have the same ones.

    Stamps are integer nanoseconds; `frame_id` goes into the header.
    """

    def __init__(self) -> None:
        self.store = typestore()
        self._types = self.store.types

    def make(self, kind: str, **fields: Any) -> Any:
        """Return a message of the type `kind`, named as in `sensor_msgs/msg/Image`."""
        return self._types[kind](**fields)

    def serialize(self, msg: Any) -> bytes | memoryview:
        """Return the CDR bytes of a message."""
        return self.store.serialize_cdr(msg, msg.__msgtype__)

    def image(self, stamp_ns: int, frame_id: str, array: NDArray[Any], encoding: str) -> Any:
        """Return a sensor_msgs/Image of an array (H, W) or (H, W, channels)."""
        return self.make(
            'sensor_msgs/msg/Image',
            header=self._header(stamp_ns, frame_id),
            **image_fields(array, encoding)._asdict(),
        )

    def compressed(
        self, stamp_ns: int, frame_id: str, data: bytes | NDArray[np.uint8], format: str
    ) -> Any:
        """Return a sensor_msgs/CompressedImage that carries `data` as it is."""
        return self.make(
            'sensor_msgs/msg/CompressedImage',
            header=self._header(stamp_ns, frame_id),
            format=format,
            data=np.frombuffer(data, np.uint8),
        )

    def camera_info(self, stamp_ns: int, frame_id: str, camera: Camera) -> Any:
        """Return the sensor_msgs/CameraInfo of a lens; no binning, whole image."""
        fields = camera_info_fields(camera)
        numbers = {name: np.array(getattr(fields, name), dtype=np.float64) for name in 'dkrp'}
        whole = dict.fromkeys(('x_offset', 'y_offset', 'height', 'width'), 0)
        return self.make(
            'sensor_msgs/msg/CameraInfo',
            header=self._header(stamp_ns, frame_id),
            height=fields.height,
            width=fields.width,
            distortion_model=fields.distortion_model,
            **numbers,
            binning_x=0,
            binning_y=0,
            roi=self.make('sensor_msgs/msg/RegionOfInterest', **whole, do_rectify=False),
        )

    def transforms(self, stamp_ns: int, transforms: Sequence[tuple[str, str, SE3]]) -> Any:
        """Return a tf2_msgs/TFMessage of (parent frame, child frame, parent_from_child)."""
        stamped = [
            self.make(
                'geometry_msgs/msg/TransformStamped',
                header=self._header(stamp_ns, parent),
                child_frame_id=child,
                transform=self.make(
                    'geometry_msgs/msg/Transform',
                    translation=self._vector('Vector3', pose.translation),
                    rotation=self._quaternion(pose),
                ),
            )
            for parent, child, pose in transforms
        ]
        return self.make('tf2_msgs/msg/TFMessage', transforms=stamped)

    def odometry(
        self, stamp_ns: int, frame_id: str, child_frame_id: str, odom_from_body: SE3
    ) -> Any:
        """Return a nav_msgs/Odometry pose; twist and covariances stay zero (unknown)."""
        pose = self.make(
            'geometry_msgs/msg/Pose',
            position=self._vector('Point', odom_from_body.translation),
            orientation=self._quaternion(odom_from_body),
        )
        nothing = {name: self._vector('Vector3', np.zeros(3)) for name in ('linear', 'angular')}
        twist = self.make('geometry_msgs/msg/Twist', **nothing)
        unknown = np.zeros(36)
        return self.make(
            'nav_msgs/msg/Odometry',
            header=self._header(stamp_ns, frame_id),
            child_frame_id=child_frame_id,
            pose=self.make('geometry_msgs/msg/PoseWithCovariance', pose=pose, covariance=unknown),
            twist=self.make(
                'geometry_msgs/msg/TwistWithCovariance', twist=twist, covariance=unknown
            ),
        )

    def cloud(self, stamp_ns: int, frame_id: str, packed: PackedPoints) -> Any:
        """Return a sensor_msgs/PointCloud2."""
        fields = [
            self.make('sensor_msgs/msg/PointField', **spec._asdict()) for spec in packed.fields
        ]
        return self.make(
            'sensor_msgs/msg/PointCloud2',
            header=self._header(stamp_ns, frame_id),
            height=packed.height,
            width=packed.width,
            fields=fields,
            is_bigendian=False,
            point_step=packed.point_step,
            row_step=packed.row_step,
            data=packed.data,
            is_dense=packed.is_dense,
        )

    def _header(self, stamp_ns: int, frame_id: str) -> Any:
        sec, nanosec = stamp_from_ns(stamp_ns)
        time = self.make('builtin_interfaces/msg/Time', sec=sec, nanosec=nanosec)
        return self.make('std_msgs/msg/Header', stamp=time, frame_id=frame_id)

    def _vector(self, kind: str, xyz: NDArray[Any]) -> Any:
        x, y, z = (float(value) for value in xyz)
        return self.make(f'geometry_msgs/msg/{kind}', x=x, y=y, z=z)

    def _quaternion(self, pose: SE3) -> Any:
        x, y, z, w = (float(value) for value in pose.quaternion())
        return self.make('geometry_msgs/msg/Quaternion', x=x, y=y, z=z, w=w)
