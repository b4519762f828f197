# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A bag of images becomes a bag of clouds that plays by itself."""

import heapq
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.clouds.config import CloudsConfig
from selfdepth_ros.clouds.errors import CloudError
from selfdepth_ros.clouds.making import CloudMaker, ahead
from selfdepth_ros.clouds.voxel_map import VoxelMap
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.inference import DepthEngine
from selfdepth_ros.messages import transform_from_msg
from selfdepth_ros.pcd import write_pcd
from selfdepth_ros.ply import write_ply

CLOUD_TOPIC = '/surround/points'
"""Where the launch file has the node publish them, too."""
MAP_FILE = 'map.ply'
_WRITERS = {'ply': write_ply, 'pcd': write_pcd}
_Write = tuple[int, str, Any]
"""Stamp, topic, message."""


@dataclass(frozen=True)
class CloudOutputs:
    """What is written beside the bag's own files, inside its folder."""

    files: tuple[str, ...] = ()
    """'ply', 'pcd': a folder of this name with a file per cloud, named by its stamp (s)."""
    map: bool = False
    """map.ply: all clouds as one."""
    every: int = 1
    """Clouds are made of every n-th set only."""


@dataclass
class CloudSummary:
    """What became of a bag."""

    path: Path
    clouds: int = 0
    points: int = 0
    first_ns: int = 0
    last_ns: int = 0
    seconds: float = 0.0
    """How long it took."""
    map_points: int | None = None
    unmoved: int = 0
    problem: str = ''

    def add(self, cloud: PointCloud) -> None:
        """Count a cloud."""
        self.first_ns = self.first_ns or cloud.stamp_ns
        self.last_ns = cloud.stamp_ns
        self.clouds, self.points = self.clouds + 1, self.points + len(cloud)

    def __str__(self) -> str:
        recorded_s = (self.last_ns - self.first_ns) * 1e-9
        each = self.points / max(1, self.clouds)
        lines = [
            f'{self.path}: {self.clouds} clouds of {each:,.0f} points on {CLOUD_TOPIC}, '
            f'{recorded_s:.1f} s of recording in {self.seconds:.1f} s'
        ]
        if self.map_points is not None:
            lines.append(f'  {self.path / MAP_FILE}: {self.map_points:,} points')
        if self.unmoved:
            lines.append(
                f'  {self.unmoved} clouds are as seen, not moved to one time: {self.problem}'
            )
        return '\n'.join(lines)


def write_clouds(
    engine: DepthEngine,
    reader: BagReader,
    rig: Rig,
    out: Path,
    config: CloudsConfig,
    outputs: CloudOutputs,
    progress: Callable[[Iterator[Any]], Iterator[Any]] = iter,
) -> CloudSummary:
    """Write the clouds of a bag with /tf_static, its odometry, and /tf of that.

    `out` appears when all is done, and not otherwise. Messages are logged at their stamps, so
    that transforms come before the clouds they place. Raises CloudError and what the layers
    below raise.
    """
    maker = CloudMaker(reader, engine, rig, config)
    if outputs.map and not len(maker.trajectory):
        raise CloudError(
            f'{reader.path} has no odometry that can be used, expected some for a map: clouds '
            'cannot be put together without it; leave --map out'
        )
    start, summary = time.perf_counter(), CloudSummary(out)
    with BagWriter(out) as bag:
        job = _Job(reader, bag, maker, outputs, summary, VoxelMap(config.map))
        try:
            job.run(progress)
        except OSError as error:
            raise CloudError(f'{out} cannot be written: {error.strerror or error}') from error
    summary.seconds = time.perf_counter() - start
    summary.unmoved, summary.problem = maker.unmoved, maker.problem
    return summary


@dataclass(frozen=True)
class _Job:
    """One bag that is being written."""

    reader: BagReader
    bag: BagWriter
    maker: CloudMaker
    outputs: CloudOutputs
    summary: CloudSummary
    map: VoxelMap

    def run(self, progress: Callable[[Iterator[Any]], Iterator[Any]]) -> None:
        """Write all that there is, in the order of stamps."""
        writes = heapq.merge(self._odometry(), self._clouds(progress), key=itemgetter(0))
        frames = self.reader.fixed_frames.edges
        for index, (stamp_ns, topic, msg) in enumerate(writes):
            if not index:
                self.bag.write_tf_static(frames, stamp_ns)
            self.bag.write(topic, msg, stamp_ns)
        if not self.summary.clouds:
            raise CloudError(
                f'{self.reader.path}: not one image can be used; {self.reader.report}'
            )
        if self.outputs.map:
            self._write_map()

    def _clouds(self, progress: Callable[[Iterator[Any]], Iterator[Any]]) -> Iterator[_Write]:
        made = ahead(self.maker.clouds(self.outputs.every), 1)  # written while the next is made
        for cloud, packed in progress(made):
            self.summary.add(cloud)
            self._write_files(cloud)
            if self.outputs.map and (
                pose := self.maker.trajectory.fixed_from_body(cloud.stamp_ns)
            ):
                self.map.add(cloud, pose)
            msg = self.bag.messages.cloud(cloud.stamp_ns, cloud.frame_id, packed)
            yield cloud.stamp_ns, CLOUD_TOPIC, msg

    def _odometry(self) -> Iterator[_Write]:
        """Odometry as recorded, and the transform that it is.

        The transform ends at the root of the fixed frames: a frame has one parent only.
        """
        frames, topic = self.reader.fixed_frames, self.reader.topics.odometry or ''
        root = frames.root(self.reader.rig().body_frame)
        for stamp_ns, msg in self.reader.odometry_messages():
            parent = msg.header.frame_id.lstrip('/') or 'odom'
            try:
                parent_from_child = transform_from_msg(msg.pose.pose)
            except CalibrationError:
                continue  # counted by BagReader.odometry
            yield stamp_ns, topic, msg
            if parent != root:
                child = msg.child_frame_id.lstrip('/') or self.reader.rig().body_frame
                pose = parent_from_child @ frames.target_from_source(child, root)
                message = self.bag.messages.transforms(stamp_ns, [(parent, root, pose)])
                yield stamp_ns, '/tf', message

    def _write_files(self, cloud: PointCloud) -> None:
        seconds, nanoseconds = divmod(cloud.stamp_ns, 10**9)
        for kind in self.outputs.files:
            _WRITERS[kind](self.bag.folder / kind / f'{seconds}.{nanoseconds:09d}.{kind}', cloud)

    def _write_map(self) -> None:
        _, msg = next(self.reader.odometry_messages())
        cloud = self.map.cloud(self.summary.last_ns, msg.header.frame_id.lstrip('/') or 'odom')
        write_ply(self.bag.folder / MAP_FILE, cloud, self.map.origin_m)
        self.summary.map_points = len(cloud)
