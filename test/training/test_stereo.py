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
from selfdepth_training.data.samples import DataError, SampleBatch, SampleSource
from selfdepth_training.effect import compares_times
from selfdepth_training.feed import Feed
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


@pytest.mark.parametrize('recipe', ['stereo', 'supervised'])
def test_who_looks_at_no_other_time_learns_from_every_frame(street, tmp_path, recipe, monkeypatch):
    """A drive of 2 m and more from frame to frame, which then halts."""
    poses = street.cache.world_from_body.copy()
    poses[:, :, :3, 3] *= 10
    poses[30:] = poses[30]
    fast = replace(street.cache, world_from_body=poses)
    with pytest.raises(DataError, match='drive slower'):
        SampleSource([fast], load_recipe('fsm').data)
    monkeypatch.setattr('selfdepth_training.train.build_cache', lambda *_, **__: fast)
    fed = []
    monkeypatch.setattr(Feed, 'batch', lambda feed, *_: fed.append(feed) or 1 / 0)
    config = load_recipe(recipe, [*SMALL, 'data.width=160', 'data.height=96', 'steps=1'])
    with pytest.raises(ZeroDivisionError):
        train([street.bag], tmp_path / 'run', config)
    source = fed[0].source
    assert source.entries == [(0, now) for now in range(len(fast))]
    assert source.draw(0, 3).frames == 3 * source.draw(0, 3).frames[:1]


def test_who_looks_at_no_other_time_keeps_to_what_may_be_learned_from(street):
    present = street.cache.present.copy()
    present[4] = False
    data = replace(load_recipe('stereo').data, held_out=0.25)
    source = SampleSource([replace(street.cache, present=present)], data, alone=True)
    assert [now for _, now in source.entries] == [now for now in range(30) if now != 4]
    assert [now for _, now in source.held_out] == list(range(30, 40))


@pytest.mark.parametrize(
    ('recipe', 'settings', 'compares'),
    [
        ('fsm', (), True),
        ('semi', (), True),
        ('stereo', (), False),
        ('stereo', ('loss.hint=1',), True),
        ('stereo', ('data.align_intensity=true',), True),
        ('stereo', ('data.with_odometry=learned',), True),
        ('supervised', (), False),
        ('supervised', ('data.without_odometry=visual', 'loss.temporal=1'), False),
        ('supervised', ('data.without_odometry=learned',), False),
        ('semi', ('loss.temporal=0', 'loss.spatial_times=now'), False),
        ('fsm', ('data.labels=lidar',), False),
        ('fsm', ('data.labels=lidar', 'loss.images_from=0.9'), True),
    ],
)
def test_which_recipes_look_at_other_times(recipe, settings, compares):
    """A plane sweep looks before and after where odometry tells the motion; steps on hints alone
    look at none, whatever the loss would."""
    assert compares_times(load_recipe(recipe, settings), [True]) == compares
