# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Write rosbag2 bags that Humble and everything newer can play."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.factory import MessageFactory
from selfdepth_ros.bags.unfinished import hold, unfinished_prefix
from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages import PackedPoints, pack_xyz

METADATA_VERSION = 8
"""Newest metadata layout that Humble's rosbag2 reads."""
_STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
_FOREVER = QosTime(9223372036, 854775807)
_DISK_ERRORS = (OSError, sqlite3.Error)
"""Of the two storages."""


class BagWriter:
    """Write one bag; use as a context manager.

    The bag grows under a temporary name beside `path` and appears at `path` only when the block
    ends without an error. An existing `path` is refused. Times are integer nanoseconds; `log_ns`
    is when the message reached the recorder and defaults to the stamp.
    """

    def __init__(self, path: str | Path, storage: str = 'mcap') -> None:
        self.path = Path(path)
        if storage not in _STORAGES:
            raise BagError(f'storage {storage!r}: expected one of {", ".join(_STORAGES)}')
        if self.path.exists():
            raise BagError(f'{self.path} exists already: choose another path or remove it first')
        self.messages = MessageFactory()
        self._storage = _STORAGES[storage]
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> BagWriter:
        prefix = unfinished_prefix(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self.path.parent))
            self._hold = hold(self._folder)
        except OSError as error:
            raise BagError(f'{self.path} cannot be written: {error.strerror or error}') from error
        # rosbag2 names the data file after its folder, so the folder has its final name already.
        self._writer = Writer(self.folder, version=METADATA_VERSION, storage_plugin=self._storage)
        try:
            self._writer.open()
        except _DISK_ERRORS as error:
            self._let_go()
            raise BagError(f'{self.path} cannot be written: {error}') from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
            else:
                self._abort()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Remove what is not at its place by now."""
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._hold is not None:
            os.close(self._hold)

    def _finish(self) -> None:
        """Close the data file and let the bag appear under its name."""
        if not any(self._writer.counts.values()):
            self._writer.min_timestamp = 0  # an empty bag still needs a start
        try:
            self._writer.close()
            self.folder.rename(self.path)
        except _DISK_ERRORS as error:
            self._abort()
            raise BagError(f'{self.path} could not be finished: {error}') from error

    def _abort(self) -> None:
        """Close the data file. A full disk refuses what was buffered, the second time now."""
        with contextlib.suppress(*_DISK_ERRORS):
            self._writer.abort()

    def set_custom_data(self, key: str, value: str) -> None:
        """Keep a text in the bag's metadata (see `custom_data`); a later one replaces it."""
        self._writer.set_custom_data(key, value)

    @property
    def folder(self) -> Path:
        """Where the bag grows: further files that are put there appear with it."""
        return self._folder / self.path.name

    def write_image(
        self,
        topic: str,
        stamp_ns: int,
        frame_id: str,
        image: NDArray[Any],
        *,
        encoding: str = 'rgb8',
        log_ns: int | None = None,
    ) -> None:
        """Write an array (H, W) or (H, W, channels) as sensor_msgs/Image."""
        msg = self.messages.image(stamp_ns, frame_id, image, encoding)
        self.write(topic, msg, stamp_ns if log_ns is None else log_ns)

    def write_depth(
        self,
        topic: str,
        stamp_ns: int,
        frame_id: str,
        z_depth_m: NDArray[np.float32],
        *,
        log_ns: int | None = None,
    ) -> None:
        """Write z-depth (H, W) in metres as 32FC1: +inf sky, NaN unknown (REP 117, 118)."""
        depth = np.asarray(z_depth_m, dtype=np.float32)
        self.write_image(topic, stamp_ns, frame_id, depth, encoding='32FC1', log_ns=log_ns)

    def write_compressed(
        self,
        topic: str,
        stamp_ns: int,
        frame_id: str,
        data: bytes | NDArray[np.uint8],
        *,
        format: str = 'jpeg',
        log_ns: int | None = None,
    ) -> None:
        """Write encoded bytes, as they are, as sensor_msgs/CompressedImage."""
        msg = self.messages.compressed(stamp_ns, frame_id, data, format)
        self.write(topic, msg, stamp_ns if log_ns is None else log_ns)

    def write_camera_info(
        self,
        topic: str,
        stamp_ns: int,
        frame_id: str,
        camera: Camera,
        *,
        log_ns: int | None = None,
    ) -> None:
        """Write the lens as sensor_msgs/CameraInfo."""
        msg = self.messages.camera_info(stamp_ns, frame_id, camera)
        self.write(topic, msg, stamp_ns if log_ns is None else log_ns)

    def write_tf_static(
        self,
        transforms: Sequence[tuple[str, str, SE3]],
        stamp_ns: int,
        *,
        log_ns: int | None = None,
    ) -> None:
        """Write (parent frame, child frame, parent_from_child) as one message on /tf_static."""
        msg = self.messages.transforms(stamp_ns, transforms)
        self.write('/tf_static', msg, stamp_ns if log_ns is None else log_ns)

    def write_odometry(
        self,
        topic: str,
        stamp_ns: int,
        odom_from_body: SE3,
        *,
        frame_id: str = 'odom',
        child_frame_id: str = 'base_link',
        log_ns: int | None = None,
    ) -> None:
        """Write a pose as nav_msgs/Odometry."""
        msg = self.messages.odometry(stamp_ns, frame_id, child_frame_id, odom_from_body)
        self.write(topic, msg, stamp_ns if log_ns is None else log_ns)

    def write_cloud(
        self,
        topic: str,
        stamp_ns: int,
        frame_id: str,
        points: NDArray[Any] | PackedPoints,
        *,
        intensity: NDArray[Any] | None = None,
        ring: NDArray[Any] | None = None,
        log_ns: int | None = None,
    ) -> None:
        """Write points (n, 3) in metres, or points packed already, as sensor_msgs/PointCloud2."""
        packed = points if isinstance(points, PackedPoints) else pack_xyz(points, intensity, ring)
        msg = self.messages.cloud(stamp_ns, frame_id, packed)
        self.write(topic, msg, stamp_ns if log_ns is None else log_ns)

    def write(self, topic: str, msg: Any, log_ns: int) -> None:
        """Write any message made by `self.messages` at `log_ns`; one type per topic."""
        connection = self._connections.get(topic) or self._connect(topic, msg.__msgtype__)
        if connection.msgtype != msg.__msgtype__:
            raise BagError(
                f'{topic} carries {connection.msgtype}: it cannot carry {msg.__msgtype__} too'
            )
        try:
            self._writer.write(connection, int(log_ns), self.messages.serialize(msg))
        except _DISK_ERRORS as error:
            why = getattr(error, 'strerror', None) or error
            raise BagError(f'{self.path} cannot be written: {why}') from error

    def _connect(self, topic: str, kind: str) -> Connection:
        """Announce a topic; /tf_static latched, as a late joiner to a replay needs it."""
        latched = topic == '/tf_static'
        durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
        connection = self._writer.add_connection(
            topic,
            kind,
            typestore=self.messages.store,
            offered_qos_profiles=[_qos(durability, 1 if latched else 10)],
        )
        self._connections[topic] = connection
        return connection


def _qos(durability: QosDurability, depth: int) -> Qos:
    """Return a reliable keep-last profile without deadlines."""
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=depth,
        reliability=QosReliability.RELIABLE,
        durability=durability,
        deadline=_FOREVER,
        lifespan=_FOREVER,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=_FOREVER,
        avoid_ros_namespace_conventions=False,
    )
