# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The rig: from a file, or from CameraInfo and TF as they come in and as they change."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rclpy.node import Node
from rclpy.qos import QoSPolicyKind, QoSProfile, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo

from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.rig import Rig, RigCamera, load_rig
from selfdepth_ros.core.rig_difference import rig_differences
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages import beside_frame_m, camera_from_info, check_own_frame
from selfdepth_ros.nodes.entities import all_or_none
from selfdepth_ros.nodes.qos import overridden_qos

Lookup = Callable[[str], SE3 | None]
"""Frame of a camera -> body_from_camera, None while it is not known."""
_NAMES = ('the rig file', 'CameraInfo')
_OVERRIDABLE = (
    QoSPolicyKind.HISTORY,
    QoSPolicyKind.DEPTH,
    QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DURABILITY,
)
_ADVICE = (
    'if CameraInfo is right, use rig:=topics or a new rig file (selfdepth rig --from-bag BAG '
    '--save RIG.yaml); if the file is right, correct what the camera driver publishes'
)


def rig_from_file(path: Path, cameras: Sequence[str], output_frame: str) -> Rig:
    """Return the rig of a file, reduced to `cameras` if there are any. Raises CalibrationError."""
    rig = load_rig(path)
    if rig.body_frame != output_frame:
        raise CalibrationError(
            f'{path}: body_frame is {rig.body_frame!r}, the parameter output_frame '
            f'{output_frame!r}: make them one, the rig file places the cameras in its body frame'
        )
    return rig.subset(tuple(cameras)) if cameras else rig


class Seen(NamedTuple):
    """What the last good CameraInfo of a camera says."""

    camera: Camera
    frame_id: str
    beside_m: float
    """As of `beside_frame_m`."""


class CameraInfos:
    """The last good CameraInfo of each camera; `changes` counts how often one was another.

    `rectified` says which of K and D, or P, describes the images.
    """

    def __init__(self, node: Node, topics: Mapping[str, str], rectified: bool) -> None:
        self._node, self._rectified = node, rectified
        self.topics = dict(topics)
        self.seen: dict[str, Seen] = {}
        self.problems: dict[str, str] = {}
        """Camera -> what is wrong with the last CameraInfo that came for it."""
        self.changes = 0
        self._last: dict[str, Any] = {}
        made = (self._subscribe(name, topic) for name, topic in topics.items())
        self._subscriptions = all_or_none(made, node.destroy_subscription)

    def _subscribe(self, name: str, topic: str) -> Any:
        take = functools.partial(self._take, name)
        with overridden_qos(self._node, topic):
            return self._node.create_subscription(CameraInfo, topic, take, **_qos())

    def _take(self, name: str, msg: Any) -> None:
        """Keep what a CameraInfo says; one like the last is let go at once."""
        content = _content(msg)
        if self._last.get(name) == content:
            return
        self._last[name] = content
        try:
            lens = camera_from_info(msg, rectified=self._rectified)
            found = Seen(lens, msg.header.frame_id, beside_frame_m(msg))
        except CalibrationError as error:
            self.problems[name] = f'{name} ({self.topics[name]}): {error}'
            return
        self.problems.pop(name, None)
        if self.seen.get(name) != found:
            self.seen[name] = found
            self.changes += 1

    def close(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []


def _qos() -> dict[str, Any]:
    """SensorData QoS, overridable: a CameraInfo sent once and kept (latched) wants durability."""
    # A copy: overrides are written into the profile.
    base = qos_profile_sensor_data
    own = QoSProfile(history=base.history, depth=base.depth, reliability=base.reliability)
    return {'qos_profile': own, 'qos_overriding_options': QoSOverridingOptions(_OVERRIDABLE)}


def _content(msg: Any) -> tuple[Any, ...]:
    """All of a CameraInfo but its stamp, cheap to compare."""
    roi = msg.roi
    return (
        msg.header.frame_id,
        (msg.width, msg.height, msg.binning_x, msg.binning_y),
        (roi.x_offset, roi.y_offset, roi.width, roi.height),
        (msg.distortion_model, bytes(memoryview(msg.d))),
        (bytes(memoryview(msg.k)), bytes(memoryview(msg.p))),
    )


class RigFromTopics:
    """The rig of CameraInfo and TF; complete once each camera's lens and place are known."""

    def __init__(self, node: Node, infos: CameraInfos, lookup: Lookup, body_frame: str) -> None:
        self._node, self._infos = node, infos
        self._lookup, self._body_frame = lookup, body_frame
        self._said: dict[str, str] = {}

    @property
    def problems(self) -> dict[str, str]:
        """Camera -> what is wrong with its last CameraInfo. New ones are logged, once."""
        found = self._infos.problems | {
            name: f'{name} ({self._infos.topics[name]}): {why}'
            for name in self._infos.seen
            if (why := self._why_not_placed(name))
        }
        for name, text in found.items():
            if self._said.get(name) != text:
                self._node.get_logger().error(f'{text}; waiting for a better one')
        self._said = found
        return found

    def _why_not_placed(self, name: str) -> str:
        """Why a CameraInfo that has come gives its camera no frame; empty: it does."""
        frame_id, beside_m = self._infos.seen[name][1:]
        if not frame_id:
            return 'CameraInfo without header.frame_id: TF cannot place it'
        others = [seen.frame_id for other, seen in self._infos.seen.items() if other != name]
        try:
            check_own_frame(frame_id, beside_m, others)
        except CalibrationError as error:
            return str(error)
        return ''

    def rig(self) -> Rig | None:
        """Return the rig when everything is known, else None."""
        cameras = []
        for name in self._infos.topics:
            if name not in self._infos.seen or self._why_not_placed(name):
                return None
            seen = self._infos.seen[name]
            pose = self._lookup(seen.frame_id)
            if pose is None:
                return None
            cameras.append(RigCamera(name, seen.camera, pose, seen.frame_id))
        return Rig(tuple(cameras), self._body_frame)

    def missing(self) -> str:
        """Say in words what is still waited for."""
        seen = self._infos.seen
        silent = [
            topic
            for name, topic in self._infos.topics.items()
            if name not in seen or self._why_not_placed(name)
        ]
        if silent:
            return f'a usable CameraInfo on {", ".join(silent)}'
        frames = (seen[name].frame_id for name in self._infos.topics)
        unknown = [frame for frame in frames if self._lookup(frame) is None]
        return f'TF from {self._body_frame} to {", ".join(unknown)}'


class FileCheck:
    """Where the lenses of a rig file and of CameraInfo disagree; said once in the log."""

    def __init__(self, node: Node, rig: Rig, infos: CameraInfos) -> None:
        self._node, self._rig, self._infos = node, rig, infos
        self._changes = 0
        self.differences: list[str] = []
        """A sentence for each, none while they agree."""

    def look(self) -> None:
        """Compare anew if some CameraInfo is another."""
        if self._infos.changes == self._changes:
            return
        self._changes = self._infos.changes
        before, self.differences = self.differences, self._compare()
        if self.differences and self.differences != before:
            self._node.get_logger().warning(f'{" ".join(self.differences)} What to do: {_ADVICE}.')

    def _compare(self) -> list[str]:
        seen = self._infos.seen
        of_file = self._rig.subset(tuple(name for name in self._rig.names if name in seen))
        cameras = (
            replace(item, camera=seen[item.name].camera, self_occlusion=None)
            for item in of_file.cameras
        )
        return rig_differences(of_file, replace(of_file, cameras=tuple(cameras)), names=_NAMES)

    def warning(self) -> str:
        """Say in one line that they disagree; empty when they do not."""
        if not self.differences:
            return ''
        more = f' (and {len(self.differences) - 1} more)' if len(self.differences) > 1 else ''
        return f'rig file and CameraInfo disagree: {self.differences[0]}{more} {_ADVICE}'
