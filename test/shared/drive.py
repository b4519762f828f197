# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A short drive whose clouds are known: grey walls, cameras that fire one after another.

The model of small_model says 3 m for black and 6 m for white images. One camera looks forward,
one back, the second later; the robot drives ahead and turns a little.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import small_model

from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3

WIDTH, HEIGHT = 32, 24
START_NS = 1_700_000_000 * 10**9
PERIOD_NS, LATER_NS, LIDAR_LATER_NS = 100_000_000, 20_000_000, 40_000_000
BODY_FROM_LIDAR = SE3.exp(np.array([0.2, 0.1, 1.8, 0, 0, 0.7]))
FORWARD = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
TWIST = np.array([10.0, 0, 0, 0, 0, 0.2])
"""Per second: 10 m ahead, a fifth of a radian to the left."""


def make_rig() -> Rig:
    """Two cameras at twice the network's size."""
    lens = PinholeCamera(2 * WIDTH, 2 * HEIGHT, 60.0, 60.0, WIDTH - 0.5, HEIGHT - 0.5)
    places = (('front', FORWARD, 0.5), ('back', np.diag([-1.0, -1, 1]) @ FORWARD, -0.5))
    return Rig(
        tuple(
            RigCamera(
                name,
                lens,
                SE3.from_rotation_translation(turn, np.array([x, 0.0, 1.0])),
                f'{name}_optical',
            )
            for name, turn, x in places
        )
    )


def odom_from_body(stamp_ns: int) -> SE3:
    """Where the robot is."""
    return SE3.exp((stamp_ns - START_NS) * 1e-9 * TWIST)


def write_model(folder: Path) -> Path:
    """Write the model with its manifest inside; returns its file."""
    manifest = Manifest('walls', WIDTH, HEIGHT, 'z_depth', 0.1, 100.0, ('front', 'back'))
    return small_model.write_model(folder, manifest, beside=False)


@dataclass(frozen=True)
class Drive:
    """How the bag is recorded."""

    frames: int = 4
    storage: str = 'mcap'
    odometry: bool = True
    footprint: bool = False
    """base_link hangs on base_footprint."""
    grey: int = 0
    world: np.ndarray | None = None
    """What a LiDAR sees: points (n, 3) in odom; None: no LiDAR."""
    lidar_frame: str = 'lidar'

    def write(self, path: Path) -> Path:
        """Write the bag."""
        rig = make_rig()
        frames = [('base_link', cam.frame_id, cam.body_from_camera) for cam in rig.cameras]
        if self.footprint:
            frames.append(('base_footprint', 'base_link', SE3.exp(np.array([0, 0, 0.3, 0, 0, 0]))))
        frames.append(('base_link', 'lidar', BODY_FROM_LIDAR))
        with BagWriter(path, self.storage) as bag:
            bag.write_tf_static(frames, START_NS - PERIOD_NS)
            if self.odometry:
                self._write_odometry(bag)
            for frame in range(self.frames):
                self._write_frame(bag, rig, START_NS + frame * PERIOD_NS)
        return path

    def _write_odometry(self, bag: BagWriter) -> None:
        for stamp in range(START_NS, START_NS + self.frames * PERIOD_NS, 10_000_000):
            pose = odom_from_body(stamp)
            msg = bag.messages.odometry(stamp, 'odom', 'base_link', pose)
            msg.twist.twist.linear.x = TWIST[0]
            bag.write('/odom', msg, stamp)

    def _write_frame(self, bag: BagWriter, rig: Rig, begin_ns: int) -> None:
        for index, camera in enumerate(rig.cameras):
            stamp = begin_ns + index * LATER_NS
            image = np.full((2 * HEIGHT, 2 * WIDTH, 3), self.grey, np.uint8)
            bag.write_camera_info(
                f'/{camera.name}/camera_info', stamp, camera.frame_id, camera.camera
            )
            bag.write_image(f'/{camera.name}/image_raw', stamp, camera.frame_id, image)
        if self.world is not None:
            stamp = begin_ns + LIDAR_LATER_NS
            lidar_from_odom = (odom_from_body(stamp) @ BODY_FROM_LIDAR).inverse()
            bag.write_cloud(
                '/lidar/points', stamp, self.lidar_frame, lidar_from_odom.apply(self.world)
            )
