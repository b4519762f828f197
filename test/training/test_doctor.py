# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What `selfdepth doctor` calls trainable is what `selfdepth train` takes."""

import re
from dataclasses import replace
from typing import Any

import pytest

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.parallax import ParallaxLimits
from selfdepth_ros.doctor.checkup import Checkup
from selfdepth_ros.doctor.of_bag import check_bag
from selfdepth_training.config import DataConfig, TrainConfig, load_recipe
from selfdepth_training.train import train

FRONT = 'camera_front'
FIT: dict[str, dict[str, Any]] = {
    'good': {},
    'no odometry, but overlaps': {'frames': 6, 'odometry': False},
    'a camera at half the rate': {'slow': (FRONT,)},
    'a K of another size': {'lenses': 2.0},
    'an indoor robot of .3 m/s': {'frames': 30, 'pace': 0.04},
}
UNFIT: dict[str, dict[str, Any]] = {
    'the robot stands': {'still': True},
    'the robot creeps': {'frames': 30, 'pace': 0.013},
    'the robot stands, without odometry': {'frames': 6, 'still': True, 'odometry': False},
    'a camera without CameraInfo': {'uncalibrated': (FRONT,)},
    'CameraInfo of another size': {'lenses': 0.5},
    'neither odometry nor overlap': {'odometry': False, 'cameras': (FRONT,)},
    'two frames': {'frames': 2},
    'two frames, without odometry': {'frames': 2, 'odometry': False},
}


@pytest.fixture
def bag(record, street):
    """Write a case; a number for `lenses` scales K, or, below 1, the whole CameraInfo."""

    def write(how: dict[str, Any]):
        lens = street.rig[FRONT].camera
        factor = how.get('lenses')
        if factor and factor < 1:
            lens = lens.scaled(int(lens.width * factor), int(lens.height * factor))
        elif factor:
            names = ('fx', 'fy', 'cx', 'cy')
            lens = replace(lens, **{name: factor * getattr(lens, name) for name in names})
        return record(**how | {'lenses': {FRONT: lens}})

    return write


@pytest.fixture
def config() -> TrainConfig:
    """One step of the smallest network."""
    small = (
        'network.encoder=[8, 8, 16, 32, 64]',
        'network.decoder=[8, 8, 8, 8]',
        'data.width=96',
        'data.height=64',
        'data.frames=2',
    )
    return load_recipe('fsm', [*small, 'precision=32-true', 'steps=1'])


def verdict(bag, data: DataConfig | None = None) -> Checkup:
    data = data or DataConfig()
    limits = data.min_motion_m, data.max_motion_m, data.max_offset, data.max_seconds
    return check_bag(bag, ParallaxLimits(*limits))


@pytest.mark.parametrize('case', FIT)
def test_what_is_trainable_is_trained(bag, config, tmp_path, case) -> None:
    path = bag(FIT[case])
    found = verdict(path)
    assert found.trainable.yes, str(found.trainable)
    assert train([path], tmp_path / 'run', config, cache_root=tmp_path).is_file()
    if 'lenses' in FIT[case] or 'slow' in FIT[case]:
        assert any(text.startswith(FRONT) for text in found.warnings)


@pytest.mark.parametrize('case', UNFIT)
def test_what_is_not_trainable_is_refused(bag, config, tmp_path, case) -> None:
    path = bag(UNFIT[case])
    found = verdict(path)
    assert not found.trainable.yes
    with pytest.raises(SelfdepthError):
        train([path], tmp_path / 'run', config, cache_root=tmp_path)


def test_a_robot_that_is_too_slow_is_told_the_setting_with_which_it_trains(bag, config, tmp_path):
    path = bag(FIT['an indoor robot of .3 m/s'])
    config = replace(config, data=replace(config.data, max_seconds=0.5))
    with pytest.raises(SelfdepthError, match='are too slow: drive faster'):
        train([path], tmp_path / 'run', config, cache_root=tmp_path)
    advice = r'are too slow: drive faster, or --set data\.max_seconds=(\d+)'
    told = re.search(advice, str(verdict(path, config.data).trainable))
    assert told is not None
    config = replace(config, data=replace(config.data, max_seconds=float(told[1])))
    assert verdict(path, config.data).trainable.yes
    assert train([path], tmp_path / 'run', config, cache_root=tmp_path).is_file()
