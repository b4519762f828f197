# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Cameras that fire one after another on a robot that drives: what the motion tests play."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.nodes.to_ros import header, image_message

MS = 1_000_000
START = 1_000 * 10**9
FIRES_MS = {'a': 0, 'b': 30, 'c': 14}
TOPIC = 'staggered/{camera}/image_raw'
ODOMETRY = 'staggered/odom'
SPEED_M_S, TURN_RAD_S = 10.0, 0.4


def odom_from_body(stamp_ns: int) -> SE3:
    """A straight line, while the robot turns: both are exact between two poses."""
    seconds = (stamp_ns - START) * 1e-9
    turn = SE3.exp(np.array([0, 0, 0, 0, 0, TURN_RAD_S * seconds]))
    return SE3.from_rotation_translation(turn.rotation, np.array([SPEED_M_S * seconds, 2.0, 0.5]))


def now_from_then(stamp_ns: int, camera: str) -> SE3:
    """Motion from a camera's image to the set's stamp."""
    then_ns = stamp_ns + FIRES_MS[camera] * MS
    return odom_from_body(stamp_ns).inverse() @ odom_from_body(then_ns)


def moved(scene: Any, at_ns: int) -> np.ndarray:
    """The cloud of the scene's pictures, each camera's points where they are at `at_ns`."""
    still = scene.expected().cloud
    points = still.points.astype(np.float64)
    return np.concatenate(
        [
            now_from_then(at_ns, name).apply(points[still.camera == index])
            for index, name in enumerate(scene.rig.names)
        ]
    )


@dataclass
class Player:
    """Publishes a set and the odometry around it with every `step`; stamps are its own."""

    node: Any
    pictures: dict[str, np.ndarray]
    child_frame: str = 'base_link'
    with_odometry: bool = True
    late_ms: dict[str, int] = field(default_factory=dict)
    """Camera -> by how much later than its exposures its stamps are."""
    stamp_ns: int = START
    stamps: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._images = {
            name: self.node.create_publisher(
                Image, TOPIC.format(camera=name), qos_profile_sensor_data
            )
            for name in self.pictures
        }
        self._odometry = self.node.create_publisher(Odometry, ODOMETRY, 50)

    def step(self) -> None:
        """Publish a set, 100 ms after the one before; odometry is one set ahead."""
        self.stamps.append(self.stamp_ns)
        if self.with_odometry:
            for later_ms in range(0, 200, 20):
                self._publish_pose(self.stamp_ns + later_ms * MS)
        for name, publisher in self._images.items():
            stamp_ns = self.stamp_ns + (FIRES_MS[name] + self.late_ms.get(name, 0)) * MS
            picture = self.pictures[name]
            publisher.publish(image_message(picture, 'rgb8', stamp_ns, f'{name}_optical_frame'))
        self.stamp_ns += 100 * MS

    def _publish_pose(self, stamp_ns: int) -> None:
        pose = odom_from_body(stamp_ns)
        msg = Odometry(header=header(stamp_ns, 'odom'), child_frame_id=self.child_frame)
        at, turn = msg.pose.pose.position, msg.pose.pose.orientation
        at.x, at.y, at.z = map(float, pose.translation)
        turn.x, turn.y, turn.z, turn.w = map(float, pose.quaternion())
        self._odometry.publish(msg)

    def close(self) -> None:
        """Take the publishers away."""
        for publisher in (*self._images.values(), self._odometry):
            self.node.destroy_publisher(publisher)
