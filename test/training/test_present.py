# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images of absent cameras are shown to no network; whole frames are shown as they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from selfdepth_training.config import load_recipe
from selfdepth_training.data.samples import SampleBatch, SampleSource
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.losses import edge_aware_smoothness
from selfdepth_training.losses.surround import AFTER, BEFORE, NOW
from selfdepth_training.networks import EgoMotionNetwork
from selfdepth_training.present import of_present
from selfdepth_training.terms import TERMS

SMALL = (
    'network.encoder=[8, 8, 16, 16, 16]', 'network.decoder=[8, 8, 8, 8]', 'network.pose_width=8',
    'data.width=160', 'data.height=96',
)  # fmt: skip
RECIPES = {
    'neighbouring frames': ('monodepth2', 'loss.rigidity=1', 'loss.automask_from=0'),
    'mirror images': ('superdepth',),
    'learned motion': ('sfm', 'loss.explainability=0'),
    'and its mask': ('sfm',),
    'learned features': ('featmetric',),
    'refined odometry': ('ba',),
}

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def sample(street):
    return SampleSource([street.cache], load_recipe('fsm', SMALL).data).load(0, (6, 8, 10))


def without(sample, grey, places):
    """The sample with images (time, camera) that are missing, and something in their place."""
    images, present = sample.images.clone(), sample.present.clone()
    for time, camera in places:
        images[time, camera], present[time, camera] = grey, False
    return replace(sample, images=images, present=present)


def stepped(street, name, samples):
    """Terms, gradients and all that the networks keep after a step on some samples."""
    torch.manual_seed(0)
    recipe, *settings = RECIPES[name]
    config = load_recipe(recipe, [*SMALL, *settings])
    learn = config.data.with_odometry == 'learned'
    learner = SurroundLearner(config, [street.rig], learn)
    losses = learner(SampleBatch(samples), 0.95, [0])
    losses.total.backward()
    gradients = {name: p.grad for name, p in learner.named_parameters() if p.grad is not None}
    return losses.terms, gradients, learner.state_dict()


def assert_same(first, other):
    for mine, theirs in zip(first, other, strict=True):
        assert mine.keys() == theirs.keys()
        assert [name for name in mine if not torch.equal(mine[name], theirs[name])] == []


@pytest.mark.parametrize('name', RECIPES)
def test_a_step_does_not_depend_on_what_stands_for_a_missing_image(street, sample, name):
    missing = [(BEFORE, 1), (NOW, 3), (AFTER, 4)]
    first, other = (
        stepped(street, name, [without(sample, grey, missing), sample]) for grey in (0, 200)
    )
    assert all(value.isfinite().all() for part in first for value in part.values())
    assert_same(first, other)


@pytest.mark.parametrize('name', RECIPES)
def test_whole_frames_are_shown_as_they_are_bit_for_bit(street, sample, name, monkeypatch):
    found = stepped(street, name, [sample])
    for module in ('learner', 'networks.ego_motion'):
        path = f'selfdepth_training.{module}.of_present'
        monkeypatch.setattr(path, lambda network, images, present: network(images))
    assert_same(found, stepped(street, name, [sample]))


def test_a_missing_image_moves_no_running_mean():
    """They are those of the images that there are, in both networks' way of asking."""
    torch.manual_seed(0)
    images = torch.rand(6, 3, 64, 64)
    present = torch.tensor([True, False, True, True, True, False])
    normalized = [torch.nn.BatchNorm2d(3) for _ in range(2)]
    black = images * present[:, None, None, None]
    (found,) = of_present(lambda shown: [normalized[0](shown)], black, present)
    kept = normalized[1](images[present])
    assert torch.equal(normalized[0].running_mean, normalized[1].running_mean)
    assert torch.equal(found[present], kept) and not found[~present].any()


def test_the_mask_of_a_camera_that_is_not_looked_at_explains_all(street):
    network = EgoMotionNetwork(8, explains=True)
    images = torch.rand(2, 1, 6, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    present = torch.tensor([[True] * 5 + [False]])
    rig = street.rig.body_from_cameras()
    poses = type(rig)(torch.from_numpy(np.asarray(rig.matrix)))
    _, masks = network.explained(images[0], images[1], poses, present)
    assert (masks[0, 5] == 1).all() and (masks[0, :5] < 1).all()


def test_smoothness_is_the_mean_over_the_cameras_that_are_there(street, sample):
    learner = SurroundLearner(load_recipe('fsm', SMALL), [street.rig], learn_motion=False)
    (scene,) = learner.scenes([sample], 0.5, np.random.default_rng(0))
    found = TERMS['smoothness'](replace(scene, sample=without(sample, 0, [(NOW, 2)])))
    seen = [0, 1, 3, 4, 5]
    small = functional.avg_pool2d(scene.images[seen], 2)
    weight = scene.loss.smoothness
    assert found == weight * edge_aware_smoothness(scene.inverse[0][seen], small)
    assert found != TERMS['smoothness'](scene)
