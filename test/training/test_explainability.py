# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The explainability mask: it leaves out what no motion explains, and nothing for nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from selfdepth_ros.core.errors import ConfigError
from selfdepth_training.config import load_recipe
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.losses.surround import AFTER
from selfdepth_training.scene import Motion
from selfdepth_training.terms import TERMS

SMALL = (
    'network.encoder=[8, 8, 16, 32, 64]', 'network.decoder=[8, 8, 8, 8]', 'network.pose_width=8',
    'network.scales=1', 'data.width=160', 'data.height=96', 'data.flip=false',
    'loss.coarse_until=[0.0, 0.0, 0.0]',
)  # fmt: skip
WEIGHT = 0.05


@pytest.fixture
def learner(street):
    torch.manual_seed(0)
    config = load_recipe('sfm', [*SMALL, f'loss.explainability={WEIGHT}'])
    return SurroundLearner(config, [street.rig], learn_motion=True)


def scene_of(learner, street):
    """A scene with the street's true depths and motion."""
    source = SampleSource([street.cache], learner.config.data)
    (scene,) = learner.scenes([source.load(0, (6, 8, 10))], 0.5, np.random.default_rng(0))
    inverse = torch.nn.functional.avg_pool2d(1 / street.depth(8)[:, None], 2)
    poses = replace_poses(scene.motion, scene.sample.world_from_body)
    return replace(scene, inverse=[inverse], motion=poses, _depths={}, _views={})


def replace_poses(motion: Motion, matrix: torch.Tensor) -> Motion:
    return motion._replace(world_from_body=type(motion.world_from_body)(matrix))


def test_a_mask_that_descends_leaves_out_what_no_motion_explains(learner, street):
    """Planted: noise in a part of one frame. Where the error exceeds the weight, the mask falls to
    weight / error (the minimum of E error - weight log E); elsewhere it stays at one."""
    scene = scene_of(learner, street)
    images = scene.sample.images.clone()
    noise = np.random.default_rng(0).integers(0, 2, (40, 60, 3), np.uint8) * 255
    images[AFTER, 0, 20:60, 50:110] = torch.from_numpy(noise)
    scene = replace(scene, sample=replace(scene.sample, images=images))
    logits = torch.full((6, 2, 48, 80), 2.0, requires_grad=True)
    optimizer = torch.optim.Adam([logits], 0.2)
    for _ in range(60):
        motion = scene.motion._replace(explained=torch.sigmoid(logits))
        now = replace(scene, motion=motion)
        optimizer.zero_grad()
        (TERMS['temporal'](now) + TERMS['explainability'](now)).backward()
        optimizer.step()
    mask = torch.sigmoid(logits.detach())[0]
    # Inside of the noise, whatever the motion between the frames is.
    planted, same_place_before = mask[1, 14:26, 30:50].mean(), mask[0, 14:26, 30:50].mean()
    assert planted < 0.6 < 0.9 < same_place_before
    assert torch.sigmoid(logits.detach())[1:].mean() > 0.9


def test_without_anything_unexplained_the_mask_costs_what_it_leaves_out(learner, street):
    scene = scene_of(learner, street)
    half = replace(scene, motion=scene.motion._replace(explained=torch.full((6, 2, 4, 4), 0.5)))
    whole = replace(scene, motion=scene.motion._replace(explained=torch.ones(6, 2, 4, 4)))
    assert TERMS['explainability'](half).item() == pytest.approx(WEIGHT * np.log(2), rel=1e-5)
    assert TERMS['explainability'](whole).item() == 0
    errors = [TERMS['temporal'](each).item() for each in (half, whole)]
    assert errors[0] == pytest.approx(0.5 * errors[1], rel=1e-4)


def test_the_masks_are_those_of_the_middle_frame(learner, street, monkeypatch):
    """It is the later one of the first pair of frames, and the earlier one of the second."""
    marks = torch.tensor([[1.0, 2.0], [3.0, 4.0]])  # (pair, earlier or later)

    def says(earlier, later, body_from_camera, present):
        return torch.zeros(2, 6), marks[:, None, :, None, None].expand(2, 6, 2, 3, 5)

    monkeypatch.setattr(learner.ego_motion, 'explained', says)
    source = SampleSource([street.cache], learner.config.data)
    (scene,) = learner.scenes([source.draw(0, 0)], 0.5, np.random.default_rng(0))
    assert scene.motion.explained.shape == (6, 2, 3, 5)
    assert scene.motion.explained[3, :, 1, 1].tolist() == [2.0, 3.0]


def test_the_network_says_a_mask_of_both_frames_for_every_camera(learner, street):
    images = torch.from_numpy(street.cache.images[[6, 8]]).permute(0, 1, 4, 2, 3).float() / 255
    geometry = learner.reprojection(0, 0, torch.device('cpu')).geometry
    twist, masks = learner.ego_motion.explained(images[:1], images[1:], geometry.body_from_camera)
    assert twist.shape == (1, 6) and masks.shape == (1, 6, 2, 24, 40)
    assert ((masks > 0.5) & (masks < 1)).all(), 'a fresh mask believes nearly everything'


def test_a_mask_without_a_learned_motion_is_one_clear_error():
    with pytest.raises(ConfigError, match=r'explainability.*with_odometry.*learned'):
        load_recipe('monodepth2', ['loss.explainability=0.2'])
    with pytest.raises(ConfigError, match=r"'still'.*temporal"):
        load_recipe('monodepth2', ['data.without_odometry=still'])
