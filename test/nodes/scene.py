# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Three small cameras, pictures of theirs, and a real ONNX model: what the live tests play."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.core.rig import Rig, RigCamera, save_rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.inference import load_engine
from selfdepth_ros.pipeline import SurroundDepth

CAMERAS = ('a', 'b', 'c')
SIX = ('a', 'b', 'c', 'd', 'e', 'f')
DEAD = 'dead'
WIDTH, HEIGHT = 64, 48
NETWORK = (32, 24)
OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def picture(camera: str) -> np.ndarray:
    """A smooth picture, another one for each camera."""
    phase = SIX.index(camera)
    row, column = np.mgrid[0:HEIGHT, 0:WIDTH]
    colors = [row * 2 + column + 20 * phase, 200 - row, 3 * column + 10 * phase]
    return np.stack(colors, axis=-1).astype(np.uint8)


def rig_of(names: tuple[str, ...]) -> Rig:
    """Cameras that look around from the middle, each on its own height."""
    cameras = []
    for index, name in enumerate(names):
        yaw = 2 * np.pi * index / len(names)
        turn = np.array(
            [[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1.0]]
        )
        pose = SE3.from_rotation_translation(turn @ OPTICAL, np.array([0.1, 0.2, 1 + index / 4]))
        lens = PinholeCamera(WIDTH, HEIGHT, 50.0, 50.0, WIDTH / 2 - 0.5, HEIGHT / 2 - 0.5)
        cameras.append(RigCamera(name, lens, pose, f'{name}_optical_frame'))
    return Rig(tuple(cameras))


def write_model(folder: Path, size: tuple[int, int] = NETWORK, **graph: Any) -> Path:
    """The small model of size (width, height), and a manifest; `graph`: see small_model."""
    import small_model  # the cameras' process does not find it, nor need it

    manifest = Manifest('brightness', *size, 'z_depth', 0.1, 100.0, CAMERAS)
    return small_model.write_model(folder, manifest, embed=False, **graph)


@dataclass(frozen=True)
class Scene:
    """A folder with the model, its rig, rigs with too many cameras or of other size."""

    folder: Path

    @classmethod
    def write(cls, folder: Path) -> 'Scene':
        """Write all files."""
        write_model(folder)
        save_rig(rig_of(CAMERAS), folder / 'rig.yaml')
        save_rig(rig_of((*CAMERAS, DEAD)), folder / 'rig_of_four.yaml')
        save_rig(rig_of(SIX), folder / 'rig_of_six.yaml')
        save_rig(rig_of(CAMERAS).scaled(80, 60), folder / 'rig_of_other_size.yaml')
        return cls(folder)

    @cached_property
    def model(self) -> Path:
        """The model file."""
        return self.folder / 'model.onnx'

    @property
    def rig(self) -> Rig:
        """The rig of the cameras that play."""
        return rig_of(CAMERAS)

    @property
    def pictures(self) -> dict[str, np.ndarray]:
        """What each camera sees."""
        return {name: picture(name) for name in CAMERAS}

    def picture(self, camera: str) -> np.ndarray:
        """What a camera of the six sees."""
        return picture(camera)

    def expected(
        self,
        names: tuple[str, ...] = CAMERAS,
        model: Path | None = None,
        config=None,
        playing: Collection[str] = CAMERAS,
    ):
        """What the pipeline itself makes of the pictures of those that play."""
        images = tuple(picture(name) if name in playing else None for name in names)
        stamps = tuple(None if image is None else 1 for image in images)
        pipeline = SurroundDepth(load_engine(model or self.model), rig_of(names), config)
        return pipeline(SurroundFrame(1, images, stamps))
