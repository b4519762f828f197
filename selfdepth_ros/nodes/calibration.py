# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The rig: from a file, or from CameraInfo and TF as they come in."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo

from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.rig import Rig, RigCamera, load_rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages import camera_from_info, transform_from_msg

Lookup = Callable[[str], SE3 | None]
"""Frame of a camera -> body_from_camera, None while it is not known."""


def rig_from_file(path: Path, cameras: Sequence[str], output_frame: str) -> Rig:
    """Return the rig of a file, reduced to `cameras` if there are any. Raises CalibrationError."""
    rig = load_rig(path)
    if rig.body_frame != output_frame:
        raise CalibrationError(
            f'{path}: body_frame is {rig.body_frame!r}, the parameter output_frame '
            f'{output_frame!r}: make them one, the rig file places the cameras in its body frame'
        )
    return rig.subset(tuple(cameras)) if cameras else rig


class TfLookup:
    """Extrinsics from TF: body_from_camera of a frame, as soon as TF knows it."""

    def __init__(self, node: Node, body_frame: str) -> None:
        try:
            import tf2_ros  # from a ROS installation; not needed with a rig file
        except ImportError as cause:
            raise CalibrationError(
                'there is no rig file, so the extrinsics must come from TF, and the Python '
                'package tf2_ros is not installed: install ros-<distro>-tf2-ros-py, or give a rig '
                'file (rig:=<path>.yaml), which works without TF'
            ) from cause
        self._body_frame, self._unknown = body_frame, tf2_ros.TransformException
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def __call__(self, frame_id: str) -> SE3 | None:
        """Return body_from_camera, or None while TF does not know it."""
        try:
            found = self._buffer.lookup_transform(self._body_frame, frame_id, Time())
        except self._unknown:
            return None
        return transform_from_msg(found)

    def close(self) -> None:
        """Stop listening: a busy /tf costs, and the rig does not change."""
        self._listener.unregister()


class RigFromTopics:
    """Collects one CameraInfo per camera; complete once TF knows where each camera sits."""

    def __init__(
        self, node: Node, topics: dict[str, str], lookup: Lookup, body_frame: str
    ) -> None:
        self._topics, self._lookup, self._body_frame = topics, lookup, body_frame
        self._lenses: dict[str, tuple[Camera, str]] = {}
        self._node = node
        self.problems: dict[str, str] = {}
        """Camera -> what is wrong with the last CameraInfo that came for it."""
        self._subscriptions = [
            node.create_subscription(
                CameraInfo, topic, functools.partial(self.take, name), qos_profile_sensor_data
            )
            for name, topic in topics.items()
        ]

    def take(self, name: str, msg: Any) -> None:
        """Keep the lens of a CameraInfo; the first good one counts."""
        if name in self._lenses:
            return
        try:
            if not msg.header.frame_id:
                raise CalibrationError('CameraInfo without header.frame_id: TF cannot place it')
            self._lenses[name] = camera_from_info(msg), msg.header.frame_id
        except CalibrationError as error:
            self._complain(name, f'{name} ({self._topics[name]}): {error}')
            return
        self.problems.pop(name, None)

    def _complain(self, name: str, text: str) -> None:
        if self.problems.get(name) != text:
            self._node.get_logger().error(f'{text}; waiting for a better one')
        self.problems[name] = text

    def rig(self) -> Rig | None:
        """Return the rig when everything is known, else None."""
        cameras = []
        for name in self._topics:
            lens, frame_id = self._lenses.get(name, (None, ''))
            pose = None if lens is None else self._lookup(frame_id)
            if lens is None or pose is None:
                return None
            cameras.append(RigCamera(name, lens, pose, frame_id))
        return Rig(tuple(cameras), self._body_frame)

    def missing(self) -> str:
        """Say in words what is still waited for."""
        silent = [topic for name, topic in self._topics.items() if name not in self._lenses]
        if silent:
            return f'a usable CameraInfo on {", ".join(silent)}'
        frames = [frame for _, frame in self._lenses.values() if self._lookup(frame) is None]
        return f'TF from {self._body_frame} to {", ".join(frames)}'

    def close(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
