# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Networks may be rounded to bfloat16; where pixels are looked up may not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import load_recipe
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.terms import sample_losses

SMALL = (
    'network.encoder=[8, 8, 16, 32, 64]', 'network.decoder=[8, 8, 8, 8]', 'network.pose_width=8',
    'network.scales=1', 'data.width=160', 'data.height=96', 'data.flip=false',
    'loss.coarse_until=[0.0, 0.0, 0.0]', 'loss.spatial=0.1',
)  # fmt: skip


@pytest.mark.parametrize('learned', [False, True])
def test_under_autocast_the_losses_are_those_without(street, learned):
    torch.manual_seed(0)
    config = load_recipe('sfm' if learned else 'monodepth2', SMALL)
    source = SampleSource([street.cache], config.data)
    learner = SurroundLearner(config, [street.rig], source.learn_motion)
    (scene,) = learner.scenes([source.draw(0, 3)], 0.5, np.random.default_rng(0))
    plain = sample_losses(scene)
    with torch.autocast('cpu', torch.bfloat16):
        rounded = sample_losses(replace(scene, _views={}, _depths={}))
    assert {'temporal', 'spatial', 'smoothness'} <= plain.keys()
    for name, value in plain.items():
        assert rounded[name].dtype == torch.float32
        assert rounded[name].item() == pytest.approx(value.item(), rel=1e-5), name


def test_under_autocast_a_learned_motion_is_a_rotation_and_a_translation(street, monkeypatch):
    config = load_recipe('sfm', SMALL)
    source = SampleSource([street.cache], config.data)
    learner = SurroundLearner(config, [street.rig], source.learn_motion)
    twist = torch.tensor([[0.7, 0.1, 0.02, 0.02, 0.01, 0.1]]).expand(2, 6)
    monkeypatch.setattr(learner.ego_motion, 'explained', lambda *_: (twist, None))
    poses = []
    for on in (False, True):
        with torch.autocast('cpu', torch.bfloat16, enabled=on):
            (scene,) = learner.scenes([source.draw(0, 3)], 0.5, np.random.default_rng(0))
        poses.append(scene.motion.world_from_body)
    assert poses[1].matrix.dtype == torch.float32
    assert torch.equal(poses[0].matrix, poses[1].matrix)
    assert SE3(poses[1].matrix[0]).is_within(2.0, 0.5)
