# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Six cameras that fail on command, and a judge of every cloud: what the tests of faults play."""

import math
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, PointCloud2

from selfdepth_ros.messages import cloud_from_msg
from selfdepth_ros.nodes.to_ros import header, image_message

SIX = ('a', 'b', 'c', 'd', 'e', 'f')
TOPIC = 'stage/{camera}/image_raw'
POINTS = '/surround_depth/points'
PERIOD_NS = 100_000_000


class Stage:
    """Publishes a set with every `step`; stamps are its own, so nothing hangs on the clock."""

    def __init__(self, listener: Any, scene: Any) -> None:
        self._listener, self._scene = listener, scene
        self._publishers: dict[str, Any] = {}
        self.pictures: dict[str, Any] = {}
        """Camera -> what it publishes instead of its picture."""
        self.late: dict[str, int] = {}
        """Camera -> by how many sets its images come too late."""
        self.ahead_ns: dict[str, int] = {}
        """Camera -> by how much its clock is ahead of the others'."""
        self._sent_ns: set[int] = set()
        self._waiting: dict[str, deque[Image]] = {name: deque() for name in SIX}
        self.stamp_ns = 1_000 * 10**9
        self.clouds: list[PointCloud2] = []
        self._judged = 0
        self.revive(*SIX)
        self.use_model(scene.model)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the node needs to see the stage, and tell which cameras a cloud is of."""
        return {
            'model': self._scene.model,
            'rig': self._scene.folder / 'rig_of_six.yaml',
            'image_topic': TOPIC,
            'diagnostics_period_s': 0.1,
            'deadline_ms': 400.0,
            'absent_after': 2,
            'points.camera': 'true',
        }

    def picture(self, name: str) -> np.ndarray:
        """What a camera sees."""
        return self._scene.picture(name)

    def kill(self, *names: str) -> None:
        """Take cameras off the graph."""
        for name in names:
            self._listener.node.destroy_publisher(self._publishers.pop(name))

    def revive(self, *names: str) -> None:
        """Put them back."""
        for name in names:
            topic = TOPIC.format(camera=name)
            self._publishers[name] = self._listener.node.create_publisher(
                Image, topic, qos_profile_sensor_data
            )

    def step(self) -> None:
        """Publish a set, 100 ms after the one before."""
        self._sent_ns.add(self.stamp_ns)
        for name, publisher in self._publishers.items():
            waiting = self._waiting[name]
            waiting.append(self._message(name))
            while len(waiting) > self.late.get(name, 0):
                publisher.publish(waiting.popleft())
        self.stamp_ns += PERIOD_NS

    def _message(self, name: str) -> Image:
        picture, stamp_ns = self.pictures.get(name), self.stamp_ns + self.ahead_ns.get(name, 0)
        if isinstance(picture, Image):
            picture.header = header(stamp_ns, f'{name}_optical_frame')
            return picture
        picture = self.picture(name) if picture is None else picture
        return image_message(picture, 'rgb8', stamp_ns, f'{name}_optical_frame')

    def play_until(self, until: Callable[[], Any], what: str) -> None:
        """One set at a time, none before the last one's effect could be seen; judge the clouds."""
        if not self.clouds:
            self.clouds = self._listener.listen(PointCloud2, POINTS)

        def stepped() -> Any:
            self.step()
            for _ in range(5):
                self._listener.spin()
            self.judge()
            return until()

        self._listener.wait(stepped, what)

    def comes(self, *names: str) -> Callable[[], bool]:
        """Whether two clouds of exactly these cameras have come since this was asked for."""
        begin = len(self.clouds)
        return lambda: (
            sum(self.cameras_of(cloud) == set(names) for cloud in self.clouds[begin:]) >= 2
        )

    def cameras_of(self, message: PointCloud2) -> set[str]:
        """Cameras that have points in a cloud."""
        return {SIX[index] for index in np.unique(cloud_from_msg(message).camera)}

    def judge(self) -> None:
        """Fail when a cloud is not, to the bit, what the pictures of its cameras become.

        Or when it has a stamp that no set was sent with.
        """
        for message in self.clouds[self._judged :]:
            found = cloud_from_msg(message)
            if found.stamp_ns < self._judged_from_ns:
                continue
            right = self._expected(frozenset(self.cameras_of(message)))
            np.testing.assert_array_equal(found.points, right.points)
            np.testing.assert_array_equal(found.colors, right.colors)
            assert found.stamp_ns in self._sent_ns
        self._judged = len(self.clouds)

    def use_model(self, model: Path) -> None:
        """Judge the clouds of sets that are sent from now on by another model."""
        self._judged_from_ns = self.stamp_ns if self.clouds else -math.inf
        self._expected = cache(
            lambda playing: self._scene.expected(SIX, model, playing=playing).cloud
        )

    def close(self) -> None:
        """Take all publishers away."""
        self.kill(*self._publishers)
