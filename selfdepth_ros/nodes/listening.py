# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A check-up of the running graph: cameras, TF and odometry, listened to for some seconds."""

import dataclasses
import functools
import time
from pathlib import Path
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import (
    QoSDurabilityPolicy,
    QoSProfile,
    QoSReliabilityPolicy,
    qos_profile_sensor_data,
)
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from selfdepth_ros.bags.discovery import COMPRESSED, IMAGE, discover, load_mapping
from selfdepth_ros.bags.what_to_record import recording_call
from selfdepth_ros.core.parallax import ParallaxLimits
from selfdepth_ros.doctor.checkup import Checkup
from selfdepth_ros.doctor.examination import examine
from selfdepth_ros.doctor.observation import Observation
from selfdepth_ros.nodes import execution

_NAME = 'selfdepth_doctor'
_DISCOVERY_S, _PATIENCE_S = 2.0, 15.0
"""How long a graph takes to show all its topics, and how long the first camera is waited for."""
_LOOK_EVERY = 5
"""One of so many images is decoded: listening must keep up with the cameras."""
_KINDS = {
    f'{kind.__module__.partition(".")[0]}/msg/{kind.__name__}': kind
    for kind in (Image, CompressedImage, CameraInfo, Odometry)
}
_PICTURES = {IMAGE, COMPRESSED}
_LATCHED = QoSProfile(
    depth=100,
    durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
    reliability=QoSReliabilityPolicy.RELIABLE,
)


def check_live(seconds: float, limits: ParallaxLimits, mapping: Path | None = None) -> Checkup:
    """Listen for so long. Raises BagError when there is no camera on the graph, and
    KeyboardInterrupt on SIGINT and SIGTERM."""
    with execution.listening(_NAME) as (node, spin):
        give_up_s = time.monotonic() + _PATIENCE_S
        while not _PICTURES & set(_topics(node).values()) and time.monotonic() < give_up_s:
            spin(0.2)
        spin(_DISCOVERY_S)
        there = _topics(node)
        speaking = {name: node.count_publishers(name) for name in there}
        topics = load_mapping(mapping) if mapping else discover(there, speaking)
        observation = Observation(topics, _LOOK_EVERY)
        oddities = _listen(node, observation, there)
        spin(seconds)
    checkup = examine(
        observation, 'the live graph', limits, there, oddities=oddities,
        size_bytes=sum(camera.image_bytes for camera in observation.cameras.values()),
    )  # fmt: skip
    return dataclasses.replace(checkup, record=recording_call(topics, there))


def _topics(node: Node) -> dict[str, str]:
    """Types of all topics that are known by now."""
    return {name: kinds[0] for name, kinds in node.get_topic_names_and_types()}


def _listen(node: Node, observation: Observation, there: dict[str, str]) -> list[str]:
    """Subscribe to all that is wanted and there; say what cannot be."""
    kinds, told = dict(_KINDS), []
    try:
        from tf2_msgs.msg import TFMessage  # from a ROS installation

        kinds['tf2_msgs/msg/TFMessage'] = TFMessage
    except ImportError:
        told.append('tf2_msgs is not installed (ros-<distro>-tf2-msgs): TF cannot be heard')
    for topic in observation.wanted:
        kind = kinds.get(there.get(topic, ''))
        if kind is not None:
            fixed, moving = observation.topics.tf_static, observation.topics.tf
            qos = _LATCHED if topic == fixed else qos_profile_sensor_data
            if topic == moving:
                qos = QoSProfile(depth=100, reliability=QoSReliabilityPolicy.BEST_EFFORT)
            take = functools.partial(_take, node, observation, topic)
            node.create_subscription(kind, topic, take, qos)
    return told


def _take(node: Node, observation: Observation, topic: str, msg: Any) -> None:
    observation.take(topic, node.get_clock().now().nanoseconds, msg)
