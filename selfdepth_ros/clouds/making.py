# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The clouds of a bag, as the node would publish them."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.trajectory import Trajectory
from selfdepth_ros.clouds.config import CloudsConfig
from selfdepth_ros.core.frames import PointCloud, SurroundFrame
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.inference import DepthEngine
from selfdepth_ros.messages import PackedPoints
from selfdepth_ros.packing import pack_result, thinned
from selfdepth_ros.pipeline import SurroundDepth

_AHEAD = 2
"""Sets that are decoded while the network runs."""
T = TypeVar('T')


class Made(NamedTuple):
    """One cloud of a bag, and its bytes."""

    cloud: PointCloud
    packed: PackedPoints


class CloudMaker:
    """Makes the clouds of one bag, one after another.

    `rig` has the bag's cameras, in its order and sizes; its poses, lenses and masks count.
    Odometry is held for the whole bag, 128 bytes a pose; nothing else grows with its length.
    """

    def __init__(
        self, reader: BagReader, engine: DepthEngine, rig: Rig, config: CloudsConfig
    ) -> None:
        self._reader, self._config = reader, config
        self._pipeline = SurroundDepth(engine, rig, config.fusion)
        self.trajectory = Trajectory(reader, config.motion.max_gap_ns)
        self.unmoved = 0
        """Clouds whose points stay where they were seen, though the images have several stamps."""
        self.problem = ''
        """Why the last one of them does."""

    def clouds(self, every: int = 1) -> Iterator[Made]:
        """Yield the cloud of every n-th set, in order of time."""
        for frame in ahead(self._reader.surround_frames(every=every), _AHEAD):
            if any(frame.present):
                yield self.made(frame)

    def made(self, frame: SurroundFrame) -> Made:
        """Return the cloud of one set."""
        result = self._pipeline(frame, lambda: self._now_from_then(frame))
        cloud = thinned(result, self._config.points)
        return Made(cloud, pack_result(result, cloud, frame.stamps_ns, self._config.points))

    def _now_from_then(self, frame: SurroundFrame) -> SE3 | None:
        """What moves each camera's points to the cloud's stamp."""
        motion = self.trajectory.between(frame.stamp_ns, frame.stamps_ns)
        if motion.problem:
            self.unmoved, self.problem = self.unmoved + 1, motion.problem
        return motion.now_from_then


def ahead(items: Iterator[T], count: int) -> Iterator[T]:
    """Yield what an iterator gives; another thread asks it for so many items in advance."""
    end = object()
    with ThreadPoolExecutor(1, 'ahead') as pool:
        waiting: deque[Future[Any]] = deque(pool.submit(next, items, end) for _ in range(count))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(pool.submit(next, items, end))
            yield item
