# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Image subscriptions: callbacks store, nothing is decoded here."""

import functools
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, Image

from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.sync import JUMP_BACK_NS, SetReady, SurroundSync
from selfdepth_ros.messages import stamp_from_ns, stamp_ns
from selfdepth_ros.nodes.entities import all_or_none
from selfdepth_ros.nodes.parameters import SurroundDepthConfig
from selfdepth_ros.nodes.qos import overridden_qos
from selfdepth_ros.nodes.sets import SetQueue

_STOCK_QUEUE = 10
_WINDOW = 50
"""The rate of a camera is that of so many last images."""
SILENT_AFTER_S = 3.0
"""A camera without an image for so long is taken for dead."""


class Arrivals:
    """When the images of one camera came, on the steady clock `clock_s`."""

    def __init__(self, topic: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.topic, self._clock_s = topic, clock_s
        self.count = 0
        self._since_s = clock_s()
        self._recent_s: deque[float] = deque(maxlen=_WINDOW)

    def add(self) -> None:
        """An image came."""
        self.count += 1
        self._recent_s.append(self._clock_s())

    @property
    def silence_s(self) -> float:
        """Seconds without an image."""
        return self._clock_s() - (self._recent_s[-1] if self._recent_s else self._since_s)

    @property
    def silent(self) -> bool:
        """Whether the camera is to be taken for dead."""
        return self.silence_s > SILENT_AFTER_S

    @property
    def rate_hz(self) -> float:
        """Images per second, of the last ones; it falls while none come."""
        if len(self._recent_s) < 2:
            return 0.0
        period_s = (self._recent_s[-1] - self._recent_s[0]) / (len(self._recent_s) - 1)
        return 1 / max(period_s, self.silence_s, 1e-9)


def topic_of(pattern: str, camera: str) -> str:
    """Put a camera's name into a topic pattern; ConfigError when it has no place for it."""
    if '{camera}' not in pattern:
        raise ConfigError(f'topic {pattern!r}: expected {{camera}} where the camera name belongs')
    return pattern.replace('{camera}', camera)


def image_topics(config: SurroundDepthConfig, cameras: Sequence[str]) -> dict[str, str]:
    """Return the image topic of each camera."""
    ending = '/compressed' if config.transport == 'compressed' else ''
    return {name: topic_of(config.image_topic, name) + ending for name in cameras}


def make_queue(config: SurroundDepthConfig, cameras: Sequence[str]) -> SetQueue:
    """Return the queue with the synchronizer that the parameters ask for."""
    tolerance_ns, deadline_ns = int(config.tolerance_ms * 1e6), int(config.deadline_ms * 1e6)
    try:
        sync = SurroundSync(cameras, tolerance_ns, deadline_ns, absent_after=config.absent_after)
    except ValueError as error:
        raise ConfigError(
            f'cameras {list(cameras)}, tolerance_ms {config.tolerance_ms}, deadline_ms '
            f'{config.deadline_ms}: {error}'
        ) from error
    return SetQueue(sync)


def stamp_offsets_ns(config: SurroundDepthConfig, cameras: Sequence[str]) -> dict[str, int]:
    """By how much each camera's stamps are later than its exposures; ConfigError for a wrong
    number of them."""
    given_ms = config.stamp_offsets_ms or (0.0,) * len(cameras)
    if len(given_ms) != len(cameras):
        raise ConfigError(
            f'stamp_offsets_ms: found {list(given_ms)}, expected {len(cameras)} numbers, for '
            f'{", ".join(cameras)} in this order, or [0.0] for none'
        )
    return {name: round(own * 1e6) for name, own in zip(cameras, given_ms, strict=True)}


def late_for_their_sets(config: SurroundDepthConfig, offsets_ns: Mapping[str, int]) -> str | None:
    """Say that a camera comes when its sets have left, and the deadline it needs; None: none does.

    Who stamps what it receives sends it as much later as it stamps it. Stamps before the exposure
    make no image come sooner.
    """
    late_ms = {name: max(own_ns, 0) / 1e6 for name, own_ns in offsets_ns.items()}
    apart_ms = max(late_ms.values()) - min(late_ms.values())
    if config.sync != 'surround' or apart_ms < config.deadline_ms:
        return None
    last = max(late_ms, key=late_ms.__getitem__)
    return (
        f'stamp_offsets_ms: images of {last}, where they are stamped at receipt, come '
        f'{apart_ms:g} ms after the first of their set, which leaves without them after '
        f'deadline_ms, {config.deadline_ms:g}: set deadline_ms to '
        f'{apart_ms + config.deadline_ms:g}'
    )


def correct_stamp(stamp: Any, offset_ns: int) -> None:
    """Make a message's stamp, which is late by `offset_ns`, that of its exposure.

    No stamp (0) stays none, and one that would be before the beginning of time stays as it is.
    """
    given_ns = stamp_ns(stamp)
    if given_ns > max(offset_ns, 0):
        stamp.sec, stamp.nanosec = stamp_from_ns(given_ns - offset_ns)


class Intake:
    """Subscribes to the images of all cameras (SensorData QoS, overridable), feeds the queue.

    Args:
        node: whose images they are.
        config: names of topics, kind of images, synchronizer.
        offsets_ns: camera -> by how much its stamps are later than its exposures, in the order of
            the rig. Images have the stamp of their exposure from here on.
        queue: takes the images.
    """

    def __init__(
        self,
        node: Node,
        config: SurroundDepthConfig,
        offsets_ns: Mapping[str, int],
        queue: SetQueue,
    ) -> None:
        self._node, self._queue, self._config = node, queue, config
        self._offsets_ns = offsets_ns
        if told := late_for_their_sets(config, offsets_ns):
            node.get_logger().warning(told)
        compressed = config.transport == 'compressed'
        self._kind = CompressedImage if compressed else Image
        self.topics = image_topics(config, offsets_ns)
        self.arrivals = {name: Arrivals(topic) for name, topic in self.topics.items()}
        """Camera -> its images."""
        self._silent: list[str] = []
        start = self._stock if config.sync == 'message_filters' else self._own
        self._subscriptions = start()

    def _options(self) -> dict[str, Any]:
        # A copy: overrides are written into the profile.
        base = qos_profile_sensor_data
        return {
            'qos_profile': QoSProfile(
                history=base.history, depth=base.depth, reliability=base.reliability
            ),
            'qos_overriding_options': QoSOverridingOptions.with_default_policies(),
        }

    def _own(self) -> list[Any]:
        made = (self._subscribe(name, topic) for name, topic in self.topics.items())
        return all_or_none(made, self._node.destroy_subscription)

    def _subscribe(self, camera: str, topic: str) -> Any:
        take = functools.partial(self._take, camera)
        with overridden_qos(self._node, topic):
            return self._node.create_subscription(self._kind, topic, take, **self._options())

    def _take(self, camera: str, msg: Any) -> None:
        self._receive(camera, msg)
        self._queue.push(camera, stamp_ns(msg.header), msg)

    def _receive(self, camera: str, msg: Any) -> None:
        """Count an image and correct its stamp, before anybody else looks at it."""
        self.arrivals[camera].add()
        if offset_ns := self._offsets_ns[camera]:
            correct_stamp(msg.header.stamp, offset_ns)

    def _stock(self) -> list[Any]:
        try:
            import message_filters  # from a ROS installation; only this option needs it
        except ImportError as cause:
            raise ConfigError(
                'sync: message_filters needs the Python package message_filters, which is not '
                'installed (ros-<distro>-message-filters); sync: surround works without it'
            ) from cause

        def filter_of(topic: str) -> Any:
            with overridden_qos(self._node, topic):
                return message_filters.Subscriber(self._node, self._kind, topic, **self._options())

        made = (filter_of(topic) for topic in self.topics.values())
        filters = all_or_none(made, lambda item: self._node.destroy_subscription(item.sub))
        for index, (item, name) in enumerate(zip(filters, self.topics, strict=True)):
            item.registerCallback(functools.partial(self._receive, name))
            item.registerCallback(functools.partial(self._forget_after_jump, index))
        self._stock_sync = message_filters.ApproximateTimeSynchronizer(
            filters, _STOCK_QUEUE, self._config.tolerance_ms * 1e-3
        )
        self._stock_sync.registerCallback(self._take_all)
        return [item.sub for item in filters]

    def _forget_after_jump(self, index: int, msg: Any) -> None:
        """Empty a camera's queue when its bag starts again.

        The stock synchronizer keeps the newest stamps: it would let go of all images from then on.
        """
        queue = self._stock_sync.queues[index]
        if queue and stamp_ns(msg.header) < max(queue) - JUMP_BACK_NS:
            queue.clear()

    def _take_all(self, *messages: Any) -> None:
        stamps = tuple(stamp_ns(msg.header) for msg in messages)
        self._queue.put(SetReady(min(stamps), stamps, messages, missing=()))

    def silent(self) -> list[str]:
        """Topics on which nothing has come for a while, or ever."""
        return [item.topic for item in self.arrivals.values() if item.silent]

    def warn_of_silence(self) -> None:
        """Log the topics that have become silent since this was asked last."""
        before, self._silent = self._silent, self.silent()
        newly = [topic for topic in self._silent if topic not in before]
        if newly:
            count = self._node.count_publishers
            seen = ', '.join(f'{topic} ({count(topic)})' for topic in newly)
            self._node.get_logger().warning(
                f'no images for {SILENT_AFTER_S:.0f} s on (publishers): {seen}; '
                'check image_topic, transport, QoS'
            )

    def close(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
