# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the node publishes: the cloud, and a depth image per camera."""

import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image, PointCloud2, PointField
from std_msgs.msg import Header

from selfdepth_ros.core.depth import z_depth_from_ray_distance
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.messages import image_fields, pack_points, stamp_from_ns
from selfdepth_ros.pipeline import SurroundResult


def byte_array(data: Any) -> 'array.array[int]':
    """Return bytes as the one type that a message's `data` takes without walking over it."""
    result = array.array('B')
    result.frombytes(memoryview(np.ascontiguousarray(data)).cast('B'))
    return result


def header(stamp_ns: int, frame_id: str) -> Header:
    """Return a std_msgs/Header."""
    result = Header(frame_id=frame_id)
    result.stamp.sec, result.stamp.nanosec = stamp_from_ns(stamp_ns)
    return result


def cloud_message(cloud: PointCloud) -> PointCloud2:
    """Return a cloud as PointCloud2 of 16-byte points: x y z rgb."""
    packed = pack_points(cloud)
    return PointCloud2(
        header=header(cloud.stamp_ns, cloud.frame_id),
        height=1,
        width=packed.width,
        fields=[
            PointField(name=f.name, offset=f.offset, datatype=f.datatype, count=f.count)
            for f in packed.fields
        ],
        is_bigendian=False,
        point_step=packed.point_step,
        row_step=packed.row_step,
        data=byte_array(packed.data),
        is_dense=True,
    )


def image_message(pixels: Any, encoding: str, stamp_ns: int, frame_id: str) -> Image:
    """Return an array as sensor_msgs/Image."""
    fields = image_fields(pixels, encoding)._asdict()
    fields['data'] = byte_array(fields['data'])
    return Image(header=header(stamp_ns, frame_id), **fields)


class Outputs:
    """The node's publishers, reliable by default; QoS can be overridden by parameters."""

    def __init__(self, node: LifecycleNode, cameras: Sequence[str], depth: bool) -> None:
        self._node = node
        self._cloud = self._publisher(PointCloud2, '~/points')
        names = cameras if depth else ()
        self._depths = {name: self._publisher(Image, f'~/{name}/depth') for name in names}

    def _publisher(self, kind: type, topic: str) -> Any:
        qos = QoSProfile(depth=2, reliability=QoSReliabilityPolicy.RELIABLE)
        options = QoSOverridingOptions.with_default_policies()
        return self._node.create_lifecycle_publisher(
            kind, topic, qos, qos_overriding_options=options
        )

    @property
    def wanted(self) -> bool:
        """Whether anybody listens to anything."""
        return any(p.get_subscription_count() for p in (self._cloud, *self._depths.values()))

    def pack(
        self, result: SurroundResult, rig: Rig, kind: str, stamps_ns: Sequence[int | None]
    ) -> list[tuple[Any, Any]]:
        """Return publishers and messages: what is listened to, of cameras that are present.

        `rig` is the one at the size of the depth maps; `kind` is what these hold (the messages
        hold z-depth, REP 118).
        """
        messages: list[tuple[Any, Any]] = []
        if self._cloud.get_subscription_count():
            messages.append((self._cloud, cloud_message(result.cloud)))
        for index, item in enumerate(rig.cameras):
            publisher, stamp_ns = self._depths.get(item.name), stamps_ns[index]
            if publisher is None or stamp_ns is None or not publisher.get_subscription_count():
                continue
            depth = result.depths[index]
            if kind == 'ray_distance':
                rays, _ = item.camera.pixel_rays()
                depth = z_depth_from_ray_distance(depth, rays).astype(np.float32)
            message = image_message(depth, '32FC1', stamp_ns, item.frame_id)
            messages.append((publisher, message))
        return messages

    def close(self) -> None:
        """Take the publishers away."""
        for publisher in (self._cloud, *self._depths.values()):
            self._node.destroy_lifecycle_publisher(publisher)
