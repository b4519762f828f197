# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Clouds of one colour each and the images of one blue camera, to be told apart in a picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages import pack_points

START_NS = 1_700_000_000 * 10**9
STEP_NS = 500_000_000
RED, GREEN, BLUE = (250, 20, 20), (20, 250, 20), (30, 30, 250)
FORWARD = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def wall(color: tuple[int, int, int], x_m: float = 4.0) -> PointCloud:
    """A wall of one colour ahead, 8 m wide and 4 m high, a point every 5 cm."""
    y, z = (v.ravel() for v in np.meshgrid(np.arange(-4, 4, 0.05), np.arange(0, 4, 0.05)))
    points = np.stack([np.full(len(y), x_m), y, z], axis=-1).astype(np.float32)
    colors = np.tile(np.array(color, np.uint8), (len(y), 1))
    return PointCloud.of(points, colors, np.zeros(len(y), np.uint8), START_NS, 'base_link')


def one_camera() -> Rig:
    """A camera that looks ahead."""
    lens = PinholeCamera(64, 48, 60.0, 60.0, 31.5, 23.5)
    pose = SE3.from_rotation_translation(FORWARD, np.array([0.5, 0.0, 1.0]))
    return Rig((RigCamera('front', lens, pose, 'front_optical'),))


@dataclass(frozen=True)
class Recording:
    """A bag whose log runs behind its stamps."""

    lag_ns: int = 0
    colors: tuple[tuple[int, int, int], ...] = (RED, GREEN)
    images: bool = True
    calibrated: bool = True

    def write(self, path: Path) -> Path:
        """Write the bag; a cloud comes 70 ms after its image and has the stamp of that."""
        entry = one_camera().cameras[0]
        with BagWriter(path) as bag:
            bag.write_tf_static(
                [('base_link', entry.frame_id, entry.body_from_camera)], START_NS + self.lag_ns
            )
            for index, color in enumerate(self.colors):
                stamp = START_NS + index * STEP_NS
                log = stamp + self.lag_ns
                if self.images:
                    image = np.full((48, 64, 3), BLUE, np.uint8)
                    image[0, 0] = index
                    info = bag.messages.camera_info(stamp, entry.frame_id, entry.camera)
                    if self.calibrated:
                        bag.write('/front/camera_info', info, log)
                    picture = bag.messages.image(stamp, entry.frame_id, image, 'rgb8')
                    bag.write('/front/image_raw', picture, log)
                cloud = bag.messages.cloud(stamp, 'base_link', pack_points(wall(color)))
                bag.write('/surround/points', cloud, log + 70_000_000)
        return path


SCENE = (slice(100, None), slice(None, 460))
"""Where no panel lies over the browser's picture."""


def share(picture: np.ndarray, channel: int) -> float:
    """Share of the scene's pixels in which one channel is far above the others."""
    scene = picture[SCENE].astype(int)
    others = np.delete(scene, channel, axis=-1).max(-1)
    return float((scene[..., channel] - others > 100).mean())
