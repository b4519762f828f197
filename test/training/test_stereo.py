# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The recipe that compares neighbours at one moment, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from selfdepth_ros.core.errors import CalibrationError
from selfdepth_training.checkpoint import load_checkpoint
from selfdepth_training.config import load_recipe
from selfdepth_training.data.samples import SampleBatch, SampleSource
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.losses.surround import AFTER, BEFORE
from selfdepth_training.scale import ScaleError
from selfdepth_training.train import train

SMALL = (
    'network.encoder=[8, 8, 16, 32, 64]', 'network.decoder=[8, 8, 8, 8]', 'network.scales=1',
    'precision=32-true',
)  # fmt: skip


def test_only_the_moment_itself_counts(street):
    config = load_recipe('stereo', [*SMALL, 'data.width=160', 'data.height=96'])
    learner = SurroundLearner(config, [street.rig], learn_motion=False)
    sample = SampleSource([street.cache], config.data).draw(0, 5)
    noise = sample.images.clone()
    random = np.random.default_rng(0).integers(0, 256, noise[0].shape, np.uint8)
    noise[BEFORE] = noise[AFTER] = torch.from_numpy(random)
    learner.eval()
    terms = [
        learner(SampleBatch([each]), 0.5, [0]).terms
        for each in (sample, replace(sample, images=noise))
    ]
    assert set(terms[0]) == {'smoothness', 'spatial'}
    assert terms[0] == terms[1]
    assert terms[0]['spatial'] > 0


def test_without_motion_or_knowledge_of_it_depths_are_in_metres(record, tmp_path):
    """No motion is needed, so none is estimated or learned."""
    bag = record(frames=6, odometry=False)
    config = load_recipe('stereo', [*SMALL, 'data.width=96', 'data.height=64', 'steps=2'])
    still = record('still', frames=6, still=True)
    for name, each in (('moving', bag), ('still', still)):
        train([each], tmp_path / name / 'run', config, cache_root=tmp_path)
        state = load_checkpoint(tmp_path / name / 'run')
        assert state['scale'] == 'metric'
        assert not any(key.startswith('ego_motion') for key in state['learner'])


@pytest.mark.parametrize('odometry', [True, False])
def test_cameras_without_an_overlap_are_one_clear_error(record, tmp_path, odometry):
    bag = record(cameras=('camera_front', 'camera_back'), odometry=odometry)
    config = load_recipe('stereo', [*SMALL, 'data.width=96', 'data.height=64', 'steps=2'])
    with pytest.raises((ScaleError, CalibrationError), match='overlap|share'):
        train([bag], tmp_path / 'run', config, cache_root=tmp_path)
