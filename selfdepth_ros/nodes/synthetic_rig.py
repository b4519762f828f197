# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `synthetic_rig`: the street world as a live camera rig.

Renders its loop once at the start and then only plays it, there and back again, so that rendering
steals nothing from what is measured. The cameras fire one after another, as they were rendered,
and odometry tells where the robot is at its own stamp. Stamps never go back.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from selfdepth_ros.core.config import knob
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.nodes import execution
from selfdepth_ros.nodes.parameters import declare, read
from selfdepth_ros.nodes.to_ros import byte_array, camera_info_message, header, image_message
from selfdepth_ros.shipped import DEMO_SEED
from selfdepth_ros.synthetic.loop import RenderedLoop, render_loop, there_and_back
from selfdepth_ros.synthetic.recording import Recording
from selfdepth_ros.synthetic.truth import TruthWriter

NAME = 'synthetic_rig'
ODOMETRY_HZ = 50.0


@dataclass(frozen=True)
class SyntheticRigConfig:
    """Parameters of the node `synthetic_rig`."""

    seed: int = knob(DEMO_SEED, low=0, high=2**31 - 1)
    """Which street."""
    width: int = knob(320, unit='px', low=32, high=4096)
    """Width of the images."""
    height: int = knob(192, unit='px', low=32, high=4096)
    """Height of the images."""
    frames: int = knob(60, low=1, high=2000)
    """Length of the loop, which is played there and back again."""
    rate_hz: float = knob(10.0, unit='Hz', low=0.1, high=100.0)
    """Frames per second."""
    stagger_ms: float = knob(0.5, unit='ms', low=0.0, high=10.0)
    """Cameras fire one after another, this far apart; the robot drives on meanwhile."""
    transport: Literal['raw', 'compressed'] = 'raw'
    """raw: sensor_msgs/Image; compressed: JPEG in sensor_msgs/CompressedImage."""
    noise: float = knob(0.0, unit='grey levels', low=0.0, high=100.0)
    """Sensor noise, standard deviation."""
    distorted: bool = False
    """Give every second camera a mild plumb_bob lens."""
    depth_truth: bool = False
    """Publish the exact depth on <camera>/depth_truth, too (32FC1)."""
    odometry: bool = True
    """Publish /odom at 50 Hz."""
    silent: tuple[str, ...] = ()
    """Cameras that publish nothing: to see what becomes of a cloud when one dies."""
    truth_folder: str = ''
    """Folder for depths, poses, images, rig.yaml and published.jsonl; empty: none."""

    def recording(self) -> Recording:
        """What is rendered. Raises SyntheticError for options out of range."""
        return Recording(
            seed=self.seed,
            frames=self.frames,
            width=self.width,
            height=self.height,
            rate_hz=self.rate_hz,
            compressed=self.transport == 'compressed',
            lidar=False,
            noise=self.noise,
            distorted=self.distorted,
            stagger_ms=self.stagger_ms,
        )


def _set_pose(position: Any, rotation: Any, pose: SE3) -> None:
    position.x, position.y, position.z = map(float, pose.translation)
    rotation.x, rotation.y, rotation.z, rotation.w = map(float, pose.quaternion())


def publish_rig_on_tf(node: Node, rig: Rig) -> Any:
    """Say where the cameras are on /tf_static; returns the publisher, None without tf2_msgs."""
    try:
        from geometry_msgs.msg import TransformStamped
        from tf2_msgs.msg import TFMessage  # from a ROS installation
    except ImportError:
        node.get_logger().info('tf2_msgs is not installed: no /tf_static, use a rig file')
        return None
    transforms = []
    for item in rig.cameras:
        edge = TransformStamped(header=header(0, rig.body_frame), child_frame_id=item.frame_id)
        edge.header.stamp = node.get_clock().now().to_msg()
        _set_pose(edge.transform.translation, edge.transform.rotation, item.body_from_camera)
        transforms.append(edge)
    qos = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
    publisher = node.create_publisher(TFMessage, '/tf_static', qos)
    publisher.publish(TFMessage(transforms=transforms))
    return publisher


class _CameraPlayer:
    """One camera: its messages are made once, only their stamps change."""

    def __init__(self, node: Node, item: RigCamera, images: list[Any], config: Any) -> None:
        self.name = item.name
        compressed = config.transport == 'compressed'
        kind, ending = (CompressedImage, '/compressed') if compressed else (Image, '')
        self._images = [_picture(image, item.frame_id) for image in images]
        self._info = camera_info_message(item)
        topic = f'{item.name}/image_raw{ending}'
        self._publisher = node.create_publisher(kind, topic, qos_profile_sensor_data)
        self._info_publisher = node.create_publisher(
            CameraInfo, f'{item.name}/camera_info', qos_profile_sensor_data
        )
        self._truth_publisher = None
        if config.depth_truth:
            self._truth_publisher = node.create_publisher(
                Image, f'{item.name}/depth_truth', qos_profile_sensor_data
            )

    def play(self, frame: int, stamp: Any, z_depth: Any) -> None:
        """Publish one frame."""
        image = self._images[frame]
        image.header.stamp = self._info.header.stamp = stamp
        self._publisher.publish(image)
        self._info_publisher.publish(self._info)
        if self._truth_publisher and self._truth_publisher.get_subscription_count():
            truth = image_message(z_depth, '32FC1', 0, image.header.frame_id)
            truth.header.stamp = stamp
            self._truth_publisher.publish(truth)


def _picture(image: Any, frame_id: str) -> Any:
    """An image message: encoded bytes (n,) become a CompressedImage, pixels an Image."""
    if image.ndim == 1:
        return CompressedImage(header=header(0, frame_id), format='jpeg', data=byte_array(image))
    return image_message(image, 'rgb8', 0, frame_id)


class SyntheticRigNode(Node):
    """See the module."""

    def __init__(self) -> None:
        self._truth: TruthWriter | None = None
        super().__init__(NAME)
        declare(self, SyntheticRigConfig)

    def start(self) -> None:
        """Render the loop, then play it. Raises SyntheticError for options out of range."""
        config = read(self, SyntheticRigConfig)
        began = time.monotonic()
        loop = render_loop(config.recording(), self._progress, rclpy.ok)
        if loop is None:  # asked to stop
            return
        if config.truth_folder:
            self._truth = TruthWriter(Path(config.truth_folder), loop)
        self._play(loop, config)
        spent_s = time.monotonic() - began
        self.get_logger().info(f'playing {config.frames} frames, rendered in {spent_s:.1f} s')

    def _progress(self, done: int) -> None:
        if done % 10 == 0:
            self.get_logger().info(f'{done} frames rendered')

    def _play(self, loop: RenderedLoop, config: SyntheticRigConfig) -> None:
        self._loop, self._step = loop, -1
        self._players = [
            _CameraPlayer(self, item, [frame[i] for frame in loop.images], config)
            for i, item in enumerate(loop.rig.cameras)
        ]
        self._silent = config.silent
        self._tf = publish_rig_on_tf(self, loop.rig)
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._began_ns = time.monotonic_ns()
        self.create_timer(loop.period_ns * 1e-9, self._next_frame, clock=clock)
        if config.odometry:
            self._odometry = self.create_publisher(Odometry, 'odom', 10)
            self.create_timer(1 / ODOMETRY_HZ, self._next_odometry, clock=clock)

    def _elapsed_ns(self) -> int:
        return time.monotonic_ns() - self._began_ns

    def _next_frame(self) -> None:
        loop = self._loop
        step = round(self._elapsed_ns() / loop.period_ns)
        if step <= self._step:
            return
        self._step = step
        frame, delays_ns = there_and_back(step, len(loop.images)), loop.delays_ns(step)
        stamps_ns = {}
        for index in np.argsort(delays_ns):
            player = self._players[index]
            if player.name not in self._silent:
                stamp = self._wait_until(step * loop.period_ns + int(delays_ns[index]))
                player.play(frame, stamp.to_msg(), loop.z_depths[frame, index])
                stamps_ns[player.name] = stamp.nanoseconds
        if self._truth:
            self._truth.published(frame, stamps_ns)

    def _wait_until(self, elapsed_ns: int) -> Time:
        """Wait (milliseconds at most) for a moment of the steady clock; return its ROS time."""
        time.sleep(max(0.0, (elapsed_ns - self._elapsed_ns()) * 1e-9))
        late_ns = self._elapsed_ns() - elapsed_ns
        return self.get_clock().now() - Duration(nanoseconds=late_ns)

    def _next_odometry(self) -> None:
        loop, now, elapsed_ns = self._loop, self.get_clock().now(), self._elapsed_ns()
        pose = loop.odom_from_body(np.array([loop.time_ns(elapsed_ns)]))[0]
        msg = Odometry(header=header(now.nanoseconds, 'odom'), child_frame_id=loop.rig.body_frame)
        _set_pose(msg.pose.pose.position, msg.pose.pose.orientation, pose)
        self._odometry.publish(msg)

    def destroy_node(self) -> None:
        """Close the list of published frames, too."""
        if self._truth:
            self._truth.close()
        super().destroy_node()


def main(args: Sequence[str] | None = None) -> int:
    """Entry point of the process."""
    return execution.run(NAME, SyntheticRigNode, SyntheticRigNode.start, args)


if __name__ == '__main__':
    raise SystemExit(main())
