# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Read surround images, rig, odometry, LiDAR and depth truth out of a rosbag2, without ROS."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.bags.checks import (
    build_rig,
    counter_clockwise,
    sync_of_recording,
    two_drives,
    usual_tolerance_ns,
)
from selfdepth_ros.bags.discovery import (
    BagTopics,
    depth_truth_topic,
    load_mapping,
)
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.frames import FrameTree
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.bags.storage import BagStorage
from selfdepth_ros.bags.survey import (
    check_images,
    discover_in,
    read_frames_and_infos,
    usable_cameras,
)
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.core.sync import SetReady, SurroundSync
from selfdepth_ros.messages import (
    MessageError,
    decode_depth,
    decode_image,
    points_from_cloud_msg,
    stamp_ns,
    transform_from_msg,
)

ImageTransform = Callable[[int, NDArray[np.uint8]], NDArray[np.uint8]]
"""(camera index, image) -> image; called from several threads."""
_MARGIN_NS = 1_000_000_000
"""Reading from a stamp on begins so much earlier: the lags of images are not all those of one."""
_DECODERS = 2
"""Threads that decode images: cv2 releases the interpreter lock."""
Wanted = Callable[[int, Sequence[int | None]], bool]
"""(stamp of a set, stamps of its images) -> whether it is; called once for each set, in order."""


class BagReader:
    """One bag, read in a stream: memory does not grow with its length.

    Args:
        path: rosbag2 folder (mcap or sqlite3), or one .mcap or .db3 file.
        mapping: mapping file (see `load_mapping`) or its content; None: found by topic names.
            Stamps of images are corrected by what it says.
        tolerance_ns: largest difference of stamps within a surround set; None: 0.45 periods of the
            cameras, at most 50 ms.
        body_frame: the rig's frame when there is no mapping.

    Raises BagError or CalibrationError, each naming what is missing, when the bag cannot be used.
    What could not be read of a usable bag is told in `report`.
    """

    def __init__(
        self,
        path: str | Path,
        mapping: str | Path | BagTopics | None = None,
        *,
        tolerance_ns: int | None = None,
        body_frame: str = 'base_link',
    ) -> None:
        self.path = Path(path)
        self.report = BagReport(self.path)
        self._storage = BagStorage(self.path, self.report)
        self.topics = self._choose(mapping, body_frame)
        cameras = self.topics.cameras
        self._frames, infos = read_frames_and_infos(self.topics, self._storage, self.report)
        self._rig = build_rig(cameras, self.topics.body_frame, self._frames, infos)
        if mapping is None:
            order = counter_clockwise(self._rig)
            self.topics = replace(self.topics, cameras=tuple(cameras[index] for index in order))
            self._rig = replace(
                self._rig, cameras=tuple(self._rig.cameras[index] for index in order)
            )
        period_ns = check_images(self.topics.cameras, self._rig, self._storage, self.report)
        usual_ns = usual_tolerance_ns(period_ns)
        self.tolerance_ns = usual_ns if tolerance_ns is None else tolerance_ns

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names, in the order of the rig."""
        return tuple(camera.name for camera in self.topics.cameras)

    @property
    def has_depth_truth(self) -> bool:
        """Whether any camera has true depth."""
        return any(self._storage.counts[depth_truth_topic(cam)] for cam in self.topics.cameras)

    @property
    def has_lidar(self) -> bool:
        """Whether there are LiDAR clouds."""
        return self.topics.lidar is not None and self._storage.counts[self.topics.lidar] > 0

    @property
    def fixed_frames(self) -> FrameTree:
        """The frames of /tf_static, and of /tf the mounts of cameras that do not move."""
        return self._frames

    @property
    def most_frames(self) -> int:
        """Images of the camera with the most: about the number of surround sets."""
        return max(self._storage.counts[camera.image] for camera in self.topics.cameras)

    def rig(self) -> Rig:
        """Return the rig of the CameraInfos and /tf_static, at the images' own sizes."""
        return self._rig

    def files(self) -> list[Path]:
        """Return the files the bag is made of."""
        return self._storage.files()

    @property
    def span_ns(self) -> tuple[int, int]:
        """Stamp of the first image, and about that of the last message."""
        return self._storage.span_ns(self._offsets_ns)

    def surround_frames(
        self,
        transform: ImageTransform | None = None,
        every: int = 1,
        since_ns: int | None = None,
        wanted: Wanted | None = None,
    ) -> Iterator[SurroundFrame]:
        """Yield sets of images that belong together, in time order; a missing camera is None.

        `transform` is applied to each image as it is decoded; only every n-th set is. With
        `since_ns` only sets of this stamp and later ones, without reading up to there, if stamps
        and log keep their distance within a second. Sets that are not
        `wanted` are not decoded, nor given. Raises BagError at the end when of a whole
        bag not one set could be formed; `report` then holds the counts.
        """
        dropped = self.report.begin('images')
        sync = sync_of_recording(self.cameras, self.tolerance_ns)
        with ThreadPoolExecutor(_DECODERS) as pool:
            sets = itertools.islice(self._sets(sync, dropped, since_ns), None, None, every)
            for ready in sets:
                if wanted is None or wanted(ready.stamp_ns, ready.members):
                    yield self._decode(ready, transform, pool, dropped)
        self._count(sync, dropped)
        if since_ns is None and not sync.stats.matched:
            raise BagError(f'{self.path}: not one image can be used; {self.report}')

    def odometry_messages(self) -> Iterator[tuple[int, Any]]:
        """Yield (stamp_ns, nav_msgs/Odometry), as recorded, in log order; nothing without it."""
        for _, _, msg in self._storage.messages([self.topics.odometry or '']):
            if stamp := stamp_ns(msg.header):
                yield stamp, msg

    def odometry(self) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        """Return stamps (n,) and world_from_body (n, 4, 4) in time order, or None."""
        topic = self.topics.odometry
        if topic is None:
            return None
        poses: dict[int, NDArray[np.float64]] = {}
        dropped = self.report.begin('odometry')
        for _, _, msg in self._storage.messages([topic], dropped):
            stamp = stamp_ns(msg.header)
            if not stamp:
                dropped[f'{topic}: stamp is 0'] += 1
                continue
            try:
                pose = transform_from_msg(msg.pose.pose)
            except CalibrationError:
                dropped[f'{topic}: not a pose'] += 1
                continue
            poses.pop(stamp, None)  # so that their order is that of the log
            poses[stamp] = np.asarray((pose @ self._child_from_body(msg.child_frame_id)).matrix)
        if again := two_drives(topic, poses):
            self.report.note(again)
            return None
        if len(poses) < 2:
            self.report.note(f'{topic} has {len(poses)} poses: too few to be used')
            return None
        stamps = sorted(poses)
        return np.array(stamps, np.int64), np.stack([poses[stamp] for stamp in stamps])

    def body_from_lidar(self) -> SE3 | None:
        """Where the LiDAR is on the body, by its first message; None without a LiDAR."""
        for _, _, msg in self._storage.messages([self.topics.lidar or '']):
            return self._frames.target_from_source(self._rig.body_frame, msg.header.frame_id)
        return None

    def lidar(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield (stamp_ns, points (n, 3) metres in the body frame); nothing without a LiDAR."""
        dropped = self.report.begin('lidar')
        for topic, _, msg in self._storage.messages([self.topics.lidar or ''], dropped):
            body_from_lidar = self._frames.target_from_source(
                self._rig.body_frame, msg.header.frame_id
            )
            try:
                points = points_from_cloud_msg(msg)
            except MessageError as error:
                dropped[f'{topic}: {error}'] += 1
                continue
            yield stamp_ns(msg.header), body_from_lidar.apply(points)

    def depth_truth(self) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
        """Yield (camera index, stamp_ns, z-depth (H, W) metres); nothing without truth."""
        topics = [depth_truth_topic(camera) for camera in self.topics.cameras]
        return self._depths(topics, 'depth truth')

    def depth_images(self, pattern: str) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
        """Yield the same of other topics: `pattern` with the camera's name for {camera}.

        Raises BagError where that is one topic for several cameras.
        """
        topics = [pattern.replace('{camera}', camera.name) for camera in self.topics.cameras]
        if len(set(topics)) < len(topics):
            raise BagError(
                f'Found one topic {pattern} for the depth images of {len(topics)} cameras, '
                'expected one for each. Put {camera} where the name of the camera stands.'
            )
        return self._depths(topics, 'depth images')

    def _depths(
        self, topics: list[str], what: str
    ) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
        """Yield the depth images of topics, one for each camera."""
        index = {topic: camera for camera, topic in enumerate(topics)}
        dropped = self.report.begin(what)
        for topic, _, msg in self._storage.messages(list(index), dropped):
            try:
                depth = decode_depth(msg)
            except MessageError as error:
                dropped[f'{topic}: {error}'] += 1
                continue
            camera = index[topic]
            yield camera, self.topics.cameras[camera].exposed_ns(msg), depth

    def _choose(self, mapping: str | Path | BagTopics | None, body_frame: str) -> BagTopics:
        """Return the topics to read, with the cameras that can be used."""
        storage = self._storage
        if not storage.counts:
            raise BagError(f'{self.path} is empty: expected images; record it again')
        if mapping is None:
            topics = replace(discover_in(storage, self.report), body_frame=body_frame)
        else:
            topics = mapping if isinstance(mapping, BagTopics) else load_mapping(mapping)
        return replace(topics, cameras=usable_cameras(topics, storage, self.report))

    @property
    def _offsets_ns(self) -> dict[str, int]:
        """Image topic -> what its stamps are too late by."""
        return {camera.image: camera.stamp_offset_ns for camera in self.topics.cameras}

    def _sets(
        self, sync: SurroundSync, dropped: Counter[str], since_ns: int | None
    ) -> Iterator[SetReady]:
        """Drive the synchronizer with log time; images travel undecoded."""
        begin_ns = None
        if since_ns is not None:
            begin_ns = self._storage.logged_ns(self._offsets_ns, since_ns) - _MARGIN_NS
        for ready in self._all_sets(sync, dropped, begin_ns):
            if since_ns is None or ready.stamp_ns >= since_ns:
                yield ready

    def _all_sets(
        self, sync: SurroundSync, dropped: Counter[str], begin_ns: int | None
    ) -> Iterator[SetReady]:
        cameras = {camera.image: camera for camera in self.topics.cameras}
        for topic, log_ns, msg in self._storage.messages(list(cameras), dropped, begin_ns):
            if stamp := cameras[topic].exposed_ns(msg):
                yield from sync.push(cameras[topic].name, stamp, log_ns, msg)
            else:
                dropped[f'{topic}: stamp is 0'] += 1
        yield from sync.flush()

    def _decode(
        self,
        ready: SetReady,
        transform: ImageTransform | None,
        pool: ThreadPoolExecutor,
        dropped: Counter[str],
    ) -> SurroundFrame:
        """Decode one set; what cannot be decoded is missing, and counted."""

        def decode(index: int) -> NDArray[np.uint8] | str | None:
            if ready.payloads[index] is None:
                return None
            try:
                image = decode_image(ready.payloads[index])
            except MessageError as error:
                return str(error)
            lens = self._rig.cameras[index].camera
            if image.shape[:2] != (lens.height, lens.width):
                return f'image of {image.shape[1]}x{image.shape[0]}, not of its CameraInfo'
            return image if transform is None else transform(index, image)

        images = list(pool.map(decode, range(len(self.cameras))))
        for index, problem in enumerate(images):
            if isinstance(problem, str):
                dropped[f'{self.topics.cameras[index].image}: {problem}'] += 1
                images[index] = None
        stamps = [s if i is not None else None for s, i in zip(ready.members, images, strict=True)]
        full = all(image is not None for image in images)
        self.report.complete_sets += full
        self.report.partial_sets += not full
        return SurroundFrame(ready.stamp_ns, tuple(images), tuple(stamps))

    def _count(self, sync: SurroundSync, dropped: Counter[str]) -> None:
        """Put the synchronizer's counters into the report."""
        stats = sync.stats
        for count, reason in (
            (stats.duplicate, 'images: stamp of the image before'),
            (stats.late, 'images: older than a set that had left'),
            (stats.stray, 'images: stamp far from all the others, or ahead of most'),
            (stats.between, 'images: of a faster camera, between the sets of the others'),
        ):
            if count:
                dropped[reason] += count
        for count, direction in ((stats.jumps_back, 'back'), (stats.jumps_ahead, 'ahead')):
            if count:
                self.report.note(f'the stamps jump {direction} {count} times')

    def _child_from_body(self, child_frame_id: str) -> SE3:
        """Return child_from_body for odometry of another frame than the body's."""
        child = child_frame_id.lstrip('/')
        if child in {'', self._rig.body_frame}:
            return SE3.identity()
        return self._frames.target_from_source(child, self._rig.body_frame)
