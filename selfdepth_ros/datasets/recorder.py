# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One scene's events -> the messages of a bag: topics as a robot's own recording has them."""

from __future__ import annotations

import numpy as np

from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.reading import unreadable
from selfdepth_ros.datasets.report import SceneReport
from selfdepth_ros.datasets.scene import Event, Picture, Pose, Scene, Sweep
from selfdepth_ros.messages import MessageError, encoded_size


class SceneRecorder:
    """Writes /<camera>/image_raw/compressed (the files' own bytes), /<camera>/camera_info,
    /tf_static, /odom and /lidar/points; counts what it writes and what it cannot.

    /odom starts where the body is at the first pose.
    """

    def __init__(self, bag: BagWriter, scene: Scene) -> None:
        self.report = SceneReport(notes=list(scene.notes))
        for loss in scene.losses:
            self.report.lose(loss.what, loss.why)
        self._bag = bag
        self._scene = scene
        self._first_from_world: SE3 | None = None
        self._last_pose_ns = -1
        self._begun = False

    def record(self, event: Event) -> None:
        """Write one event, or count it as lost."""
        if not self._begun:
            self._write_frames(event.stamp_ns)
        if isinstance(event, Pose):
            self._record_pose(event)
            return
        what = event.camera if isinstance(event, Picture) else 'lidar'
        try:
            if isinstance(event, Picture):
                self._record_picture(event)
            else:
                self._record_sweep(event)
        except DatasetError as error:
            kind = 'broken' if event.path.exists() else 'missing'
            self.report.lose(what, kind, str(error))

    def finish(self) -> None:
        """Tell cameras without an image; DatasetError when none has one."""
        absent = [name for name in self._scene.rig.names if not self.report.written[name]]
        if len(absent) == len(self._scene.rig):
            raise DatasetError('; '.join(['not one image can be used', *self.report.lines()[1:]]))
        if absent:
            self.report.notes.append(f'without an image, so not in the rig: {", ".join(absent)}')

    def _write_frames(self, stamp_ns: int) -> None:
        body = self._scene.rig.body_frame
        lidars = self._scene.body_from_lidars.items()
        self._bag.write_tf_static(
            [
                *((body, cam.frame_id, cam.body_from_camera) for cam in self._scene.rig.cameras),
                *((body, frame_id, pose) for frame_id, pose in lidars),
            ],
            stamp_ns,
        )
        self._begun = True

    def _record_pose(self, pose: Pose) -> None:
        """Sensors that fire at one moment have one pose: it is written once."""
        if pose.stamp_ns == self._last_pose_ns:
            return
        if self._first_from_world is None:
            self._first_from_world = pose.world_from_body.inverse()
        odom_from_body = self._first_from_world @ pose.world_from_body
        self._bag.write_odometry('/odom', pose.stamp_ns, odom_from_body)
        self._last_pose_ns = pose.stamp_ns
        self.report.written['poses'] += 1

    def _record_picture(self, picture: Picture) -> None:
        camera = self._scene.rig[picture.camera]
        try:
            data = picture.path.read_bytes()
            height, width = encoded_size(data)
        except (OSError, MessageError) as error:
            raise unreadable(picture.path, error) from error
        lens = camera.camera
        if (width, height) != (lens.width, lens.height):
            raise DatasetError(
                f'{picture.path} is {width}x{height}: expected {lens.width}x{lens.height} as '
                'the calibration says'
            )
        name, common = picture.camera, (picture.stamp_ns, camera.frame_id)
        kind = 'png' if data.startswith(b'\x89PNG') else 'jpeg'
        self._bag.write_camera_info(f'/{name}/camera_info', *common, lens)
        self._bag.write_compressed(f'/{name}/image_raw/compressed', *common, data, format=kind)
        self.report.written[name] += 1

    def _record_sweep(self, sweep: Sweep) -> None:
        points = sweep.read(sweep.path)
        ring = None if points.ring is None else points.ring.astype(np.uint16)
        self._bag.write_cloud(
            '/lidar/points', sweep.stamp_ns, sweep.frame_id, points.xyz,
            intensity=points.intensity, ring=ring,
        )  # fmt: skip
        self.report.written['sweeps'] += 1
