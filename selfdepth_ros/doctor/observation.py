# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What came of a rig's topics, from a bag or live: stamps, sizes, a few looks at the pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.bags.checks import FirstPicture, optical_frame
from selfdepth_ros.bags.discovery import BagTopics, CameraTopics
from selfdepth_ros.bags.frames import FrameTree, Mounts
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.picture import Look, look_at
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages import MessageError, decode_image, stamp_ns, transform_from_msg

_SMALL_PX = 80


class View(NamedTuple):
    """One picture that was looked at."""

    stamp_ns: int
    size: tuple[int, int]
    """Width and height in pixels."""
    look: Look
    small: NDArray[np.int16]
    """Green channel on a coarse grid."""


@dataclass
class CameraSeen:
    """All that came of one camera."""

    topics: CameraTopics
    stamps_ns: list[int] = field(default_factory=list)
    """Of the images that have a stamp."""
    received_ns: list[int] = field(default_factory=list)
    """When these were received, or recorded."""
    unstamped: int = 0
    """Images whose stamp is 0."""
    image_bytes: int = 0
    infos: int = 0
    info: Any = None
    """The first CameraInfo."""
    picture: FirstPicture = field(default_factory=FirstPicture)
    views: list[View] = field(default_factory=list)
    unreadable: str = ''
    """Why an image could not be decoded."""

    @property
    def images(self) -> int:
        """How many came."""
        return len(self.stamps_ns) + self.unstamped


@dataclass
class PosesSeen:
    """Poses of one frame in another, by stamp."""

    topic: str
    parent: str = ''
    child: str = ''
    poses: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    unusable: int = 0
    """Without stamp, or no pose."""

    def add(self, stamp: int, parent: str, child: str, pose: Any) -> None:
        """Take in a Pose or a TransformStamped."""
        try:
            if not stamp:
                raise CalibrationError('stamp is 0')
            matrix = np.asarray(transform_from_msg(pose).matrix)
            self.poses.pop(stamp, None)  # so that their order is that of the log
            self.poses[stamp] = matrix
        except CalibrationError:
            self.unusable += 1
            return
        self.parent, self.child = parent.lstrip('/'), child.lstrip('/')

    def track(self, child_from_body: SE3) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return stamps (n,) and the body's poses (n, 4, 4), in order of time."""
        stamps = sorted(self.poses)
        poses = np.array([self.poses[stamp] for stamp in stamps]).reshape(-1, 4, 4)
        return np.array(stamps, np.int64), poses @ np.asarray(child_from_body.matrix)


class Observation:
    """Takes messages in, in the order in which they came; keeps their stamps, not their content.

    Every `look_every`-th image of a camera is decoded, and kept as a small one.
    """

    def __init__(self, topics: BagTopics, look_every: int = 1) -> None:
        self.topics = topics
        self.cameras = {camera.name: CameraSeen(camera) for camera in topics.cameras}
        self.frames = FrameTree(topics.tf_static)
        """Those of /tf_static."""
        self._mounts = Mounts()
        self._moving: dict[str, Any] = {}
        """The last TransformStamped of each child in /tf."""
        self.odometry = PosesSeen(topics.odometry or '')
        self.body_in_tf = PosesSeen(topics.tf)
        self.arrivals: list[tuple[int, str, int]] = []
        """Time of reception, camera and stamp (0: none) of each image."""
        self._look_every = look_every
        self._takers: dict[str, Callable[[int, Any], None]] = {
            topics.tf_static: self._take_fixed,
            topics.tf: self._take_moving,
        }
        for camera in self.cameras.values():
            self._takers[camera.topics.image] = partial(self._take_image, camera)
            self._takers[camera.topics.info] = partial(self._take_info, camera)
        if topics.odometry:
            self._takers[topics.odometry] = self._take_odometry

    @property
    def wanted(self) -> list[str]:
        """The topics to listen to."""
        return list(self._takers)

    @property
    def frames_now(self) -> FrameTree:
        """The fixed frames, and the others where they were last."""
        return self.frames.with_moving(self._moving.values())

    @property
    def mounted(self) -> list[str]:
        """Optical frames that the fixed frames do not connect to the body."""
        seen = [optical_frame(c.topics, c.info) for c in self.cameras.values() if c.info]
        return [name for name in seen if not self.frames.joins(self.topics.body_frame, name)]

    @property
    def frames_still(self) -> FrameTree:
        """The fixed frames, and of the others those that hold a camera and have not moved."""
        return self.frames.with_mounts(self._mounts, self.topics.body_frame, self.mounted)

    def take(self, topic: str, received_ns: int, msg: Any) -> None:
        """Take in one message of a wanted topic."""
        self._takers[topic](received_ns, msg)

    def _take_image(self, camera: CameraSeen, received_ns: int, msg: Any) -> None:
        stamp = camera.topics.exposed_ns(msg)
        if camera.images % self._look_every == 0:
            self._look(camera, stamp, msg)
        camera.picture.take(msg)
        camera.image_bytes += len(msg.data)
        self.arrivals.append((received_ns, camera.topics.name, stamp))
        if not stamp:
            camera.unstamped += 1
            return
        camera.stamps_ns.append(stamp)
        camera.received_ns.append(received_ns)

    def _look(self, camera: CameraSeen, stamp: int, msg: Any) -> None:
        try:
            image = decode_image(msg)
        except MessageError as error:
            camera.unreadable = str(error)
            return
        height, width = image.shape[:2]
        step = max(1, width // _SMALL_PX)
        small = image[::step, ::step, 1].astype(np.int16)
        camera.views.append(View(stamp, (width, height), look_at(image), small))

    def _take_info(self, camera: CameraSeen, received_ns: int, msg: Any) -> None:
        camera.infos += 1
        camera.info = camera.info or msg

    def _take_odometry(self, received_ns: int, msg: Any) -> None:
        stamp, parent = stamp_ns(msg.header), msg.header.frame_id
        self.odometry.add(stamp, parent, msg.child_frame_id, msg.pose.pose)

    def _take_fixed(self, received_ns: int, msg: Any) -> None:
        self.frames.add(msg)

    def _take_moving(self, received_ns: int, msg: Any) -> None:
        self._mounts.add(msg)
        for item in msg.transforms:
            self._moving[item.child_frame_id] = item
            if item.child_frame_id.lstrip('/') == self.topics.body_frame:
                stamp, parent = stamp_ns(item.header), item.header.frame_id
                self.body_in_tf.add(stamp, parent, item.child_frame_id, item)
