# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Small bags, whole and broken, of a rig of three cameras with different lenses and sizes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
PERIOD = SECOND // 10
LOOKS = {'camera_front': 0, 'camera_left': 90, 'camera_right': -90}
OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def look(degrees: float) -> SE3:
    """body_from_camera of a camera that looks so many degrees to the left."""
    angle = np.deg2rad(degrees)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    return SE3.from_rotation_translation(turn @ OPTICAL, turn @ np.array([0.5, 0.0, 1.5]))


def make_rig() -> Rig:
    lenses = (
        PinholeCamera(32, 24, 30.0, 30.0, 15.5, 11.5),
        PinholeCamera(40, 24, 30.0, 30.0, 19.5, 11.5, 'plumb_bob', (-0.1, 0.01, 0.0, 0.0, 0.0)),
        EquidistantCamera(48, 36, 20.0, 20.0, 23.5, 17.5, (0.01, 0.0, 0.0, 0.0)),
    )
    return Rig(
        tuple(
            RigCamera(name, lens, look(angle), f'{name}_optical_frame')
            for (name, angle), lens in zip(LOOKS.items(), lenses, strict=True)
        )
    )


def picture(camera: int, frame: int, shape: tuple[int, int]) -> np.ndarray:
    """The image that camera records at a frame; never two alike."""
    rng = np.random.default_rng([camera, frame])
    return rng.integers(0, 256, (*shape, 3), dtype=np.uint8)


@dataclass
class Recording:
    """How a bag is recorded, and what is wrong with it."""

    frames: int = 8
    storage: str = 'mcap'
    compressed: bool = False
    odometry: bool = True
    odometry_stamp: Callable[[int], int] = int
    no_info: tuple[str, ...] = ()
    no_images: tuple[str, ...] = ()
    no_transform: tuple[str, ...] = ()
    moving: tuple[str, ...] = ()
    """Cameras that turn: /tf places them, together with the body."""
    mounted: tuple[str, ...] = ()
    """Cameras that /tf places, and that do not move."""
    tf: str = '/tf'
    """That of the fixed frames ends with _static."""
    stamp: Callable[[str, int, int], int] = lambda name, frame, stamp: stamp
    log: Callable[[str, int], int] = lambda name, log: log
    """When what a camera sends is recorded."""
    shape: Callable[[str, tuple[int, int]], tuple[int, int]] = lambda name, shape: shape
    rename: tuple[tuple[str, str], ...] = ()
    rig: Rig = field(default_factory=make_rig)
    beside: Callable[[BagWriter, int], None] = lambda bag, now: None
    """Writes what else there is, at every frame."""

    def write(self, path: Path) -> Path:
        with BagWriter(path, self.storage) as bag:
            unfixed = {*self.no_transform, *self.moving, *self.mounted}
            known = [cam for cam in self.rig.cameras if cam.name not in unfixed]
            frames = [('base_link', cam.frame_id, cam.body_from_camera) for cam in known]
            if frames:
                fixed = [*frames, ('base_link', 'lidar', look(0))]
                bag.write(f'{self.tf}_static', bag.messages.transforms(START, fixed), START)
            for frame in range(self.frames):
                self._write_frame(bag, frame)
        return path

    def _write_frame(self, bag: BagWriter, frame: int) -> None:
        now = START + frame * PERIOD
        for index, cam in enumerate(self.rig.cameras):
            log = now + index * 3_000_000
            stamp = self.stamp(cam.name, frame, log)
            log = self.log(cam.name, log)
            base = dict(self.rename).get(cam.name, f'/{cam.name}')
            if cam.name not in self.no_info:
                bag.write_camera_info(
                    f'{base}/camera_info', stamp, cam.frame_id, cam.camera, log_ns=log
                )
            if cam.name not in self.no_images:
                shape = self.shape(cam.name, (cam.camera.height, cam.camera.width))
                self._write_image(bag, base, cam, stamp, log, picture(index, frame, shape))
        if parts := (*self.moving, *self.mounted):
            frames = [('odom', 'base_link', SE3.exp(np.array([0.1 * frame, 0, 0, 0, 0, 0])))]
            for cam in (self.rig[name] for name in parts):
                turn = SE3.exp(np.array([0, 0, 0, 0, 0.01 * frame * (cam.name in self.moving), 0]))
                frames.append(('base_link', cam.frame_id, cam.body_from_camera @ turn))
            bag.write(self.tf, bag.messages.transforms(now, frames), now)
        if self.odometry:
            for tick in range(5):
                pose = SE3.exp(np.array([0.1 * (frame + tick / 5), 0, 0, 0, 0, 0]))
                logged = now + tick * PERIOD // 5
                stamp = self.odometry_stamp(logged)
                bag.write_odometry('/odom', stamp, pose, log_ns=logged)
        bag.write_cloud('/lidar/points', now, 'lidar', np.full((2, 3), frame, np.float32))
        self.beside(bag, now)

    def _write_image(self, bag, base, cam, stamp, log, image) -> None:
        if self.compressed:
            data = cv2.imencode('.png', image[..., ::-1])[1].tobytes()
            bag.write_compressed(
                f'{base}/image_raw/compressed', stamp, cam.frame_id, data, format='png', log_ns=log
            )
        else:
            bag.write_image(f'{base}/image_raw', stamp, cam.frame_id, image, log_ns=log)
        depth = np.full(image.shape[:2], stamp % 97, np.float32)
        bag.write_depth(f'{base}/depth_truth', stamp, cam.frame_id, depth, log_ns=log)
