# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Indoor robots, slow for the rate of their cameras: every recipe learns from them as it is."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import RECIPES, DataConfig, load_recipe
from selfdepth_training.data.cache import FrameCache
from selfdepth_training.data.samples import DataError, SampleSource

WIDTH, HEIGHT, CAMERAS = 128, 64, 2


def drive(speed_m_s: float, rate_hz: float, frames: int = 90, images=None) -> FrameCache:
    """Straight ahead; without `images` all of them are black."""
    lens = PinholeCamera(WIDTH, HEIGHT, 60.0, 60.0, 63.5, 31.5)
    cameras = [RigCamera(f'camera_{i}', lens, SE3.identity(), f'{i}') for i in range(CAMERAS)]
    poses = np.tile(np.eye(4), (frames, CAMERAS, 1, 1))
    poses[..., 0, 3] = speed_m_s / rate_hz * np.arange(frames)[:, None]
    stamps_ns = np.arange(frames) * round(1e9 / rate_hz) + 1_700_000_000_000_000_000
    black = np.broadcast_to(np.uint8(0), (frames, CAMERAS, HEIGHT, WIDTH, 3))
    return FrameCache(
        images=black if images is None else images,
        stamps_ns=np.repeat(stamps_ns[:, None], CAMERAS, 1),
        world_from_body=poses if images is None else None,
        present=np.ones((frames, CAMERAS), bool),
        rig=Rig(tuple(cameras)), source=Path('drive'), folder=Path('none'),
    )  # fmt: skip


@pytest.mark.parametrize('recipe', sorted(path.stem for path in RECIPES.glob('*.yaml')))
@pytest.mark.parametrize(('speed', 'rate'), [(0.5, 30), (0.3, 10)])
def test_every_recipe_takes_a_slow_robot(recipe, speed, rate):
    cache, config = drive(speed, rate), load_recipe(recipe).data
    source = SampleSource([cache], config)
    lead = np.ceil(0.25 / speed * rate)
    assert len(source) >= len(cache) - 2 * lead
    away_m = np.diff([source.draw(0, step).frames for step in range(99)], axis=1) * speed / rate
    assert away_m.min() >= config.min_motion_m - 1e-9
    assert away_m.max() <= min(config.max_motion_m, config.max_seconds * speed) + 1e-9


def panned(frames: int, step_px: float) -> np.ndarray:
    """A texture that moves by parts of a pixel from frame to frame."""
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (HEIGHT, WIDTH + 60, 3), np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 2)
    texture = ((texture - texture.mean()) * 3 + 128).clip(0, 255).astype(np.uint8)
    found = np.zeros((frames, CAMERAS, HEIGHT, WIDTH, 3), np.uint8)
    for frame in range(frames):
        move = np.float32([[1, 0, -frame * step_px], [0, 1, 0]])
        found[frame] = cv2.warpAffine(texture, move, (WIDTH, HEIGHT))
    return found


def test_images_that_move_by_parts_of_a_pixel_have_neighbours_too():
    """Half a pixel of 128 is motion; what moves by a fifth a frame gets there in three."""
    cache = drive(0.0, 30, 40, panned(40, 0.2))
    source = SampleSource([cache], DataConfig(max_offset=1))
    assert len(source) > 30
    offsets = np.diff([source.draw(0, step).frames for step in range(40)], axis=1)
    assert 2 <= offsets.min() <= np.median(offsets) <= 4


def test_images_that_stand_have_none():
    with pytest.raises(DataError, match='raise data.max_seconds'):
        SampleSource([drive(0.0, 30, 20, panned(20, 0.0))], DataConfig())


def test_a_robot_that_creeps_is_told_so():
    with pytest.raises(DataError, match=r'expected a robot that moves\. In drive 0\.16 m in 2 s'):
        SampleSource([drive(0.08, 30)], DataConfig())
