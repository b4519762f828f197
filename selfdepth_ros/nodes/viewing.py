# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Listens to running clouds, and to the cameras beside them, for whoever shows them."""

import functools
import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, PointCloud2

from selfdepth_ros.bags.discovery import COMPRESSED, IMAGE, cameras_of_rig, discover
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.messages import (
    CloudFields,
    MessageError,
    decode_image,
    fields_from_cloud_msg,
    stamp_ns,
)
from selfdepth_ros.nodes import execution

NAME = 'selfdepth_view'
_LOOK_AROUND_S = 2.0
_IMAGES_EVERY_S = 0.5
"""Six large JPEGs of every cloud would take a core."""
_NEWEST = QoSProfile(
    depth=1, history=HistoryPolicy.KEEP_LAST, reliability=QoSReliabilityPolicy.BEST_EFFORT
)
_KINDS = {IMAGE: Image, COMPRESSED: CompressedImage}

Show = Callable[[int, CloudFields, list[Any]], None]
"""Stamp, cloud, and the rig's images: RGB, None where nothing new came."""


class ViewerNode(Node):
    """Holds the newest cloud and the newest image of each camera, nothing else.

    Publishers may come, go and come again, with stamps of any time: what arrives is shown.
    """

    def __init__(self, topic: str, rig: Rig | None, show: Show) -> None:
        super().__init__(NAME)
        self._rig, self._show = rig, show
        self._cloud: Any = None
        self._images: dict[str, Any] = {}
        self._heard: set[str] = set()
        self._told: set[str] = set()
        self._images_due_s = 0.0
        self.create_subscription(PointCloud2, topic, self._take_cloud, _NEWEST)
        if rig:
            self._look_around()
            self.create_timer(_LOOK_AROUND_S, self._look_around)

    def show_newest(self) -> None:
        """Show the cloud that has come since the last time, if one has."""
        msg, self._cloud = self._cloud, None
        if msg is None:
            return
        try:
            fields = fields_from_cloud_msg(msg)
        except MessageError as error:
            self._warn(str(error))
            return
        frame = msg.header.frame_id.lstrip('/')
        if self._rig and frame != self._rig.body_frame:
            self._warn(f"clouds are in {frame!r}, expected the rig's frame {self._rig.body_frame}")
        self._show(stamp_ns(msg.header), fields, self._pictures())

    def _take_cloud(self, msg: Any) -> None:
        self._cloud = msg

    def _take_image(self, camera: str, msg: Any) -> None:
        self._images[camera] = msg

    def _look_around(self) -> None:
        """Listen to the rig's cameras that are there by now."""
        there = {name: kinds[0] for name, kinds in self.get_topic_names_and_types()}
        try:
            topics = discover(there, {name: self.count_publishers(name) for name in there})
        except BagError:  # not one camera yet
            return
        of_rig = cameras_of_rig(topics.cameras, self._rig.names) if self._rig else {}
        for name, camera in of_rig.items():
            if name not in self._heard:
                self._heard.add(name)
                take = functools.partial(self._take_image, name)
                kind = _KINDS[there[camera.image]]
                self.create_subscription(kind, camera.image, take, _NEWEST)

    def _pictures(self) -> list[Any]:
        """The newest image of each camera, now and then."""
        names = self._rig.names if self._rig else ()
        if time.monotonic() < self._images_due_s:
            return [None] * len(names)
        self._images_due_s = time.monotonic() + _IMAGES_EVERY_S
        return [self._picture(name) for name in names]

    def _picture(self, camera: str) -> Any:
        msg = self._images.pop(camera, None)
        try:
            return None if msg is None else decode_image(msg)
        except MessageError as error:
            self._warn(f'{camera}: {error}')
            return None

    def _warn(self, what: str) -> None:
        """Once, however often it happens."""
        if what not in self._told and len(self._told) < 20:
            self._told.add(what)
            self.get_logger().warning(what)


def listen(topic: str, rig: Rig | None, show: Show) -> int:
    """Show what comes until a signal does; returns the status of the process."""

    def shown(node: ViewerNode) -> bool:
        node.show_newest()
        return False

    return execution.run(
        NAME, lambda: ViewerNode(topic, rig, show), lambda node: None, [], finished=shown
    )
