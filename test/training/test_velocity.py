# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What odometry's distances make of a learned motion: metres, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import RECIPES, DataConfig, load_recipe
from selfdepth_training.data.samples import RigSample, SampleSource
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.losses.motion import distances, velocity_error
from selfdepth_training.losses.surround import to_float
from selfdepth_training.networks import EgoMotionNetwork
from selfdepth_training.terms import TERMS

STEPS = 160
SMALL = (
    'network.encoder=[8, 8, 16, 32, 64]', 'network.decoder=[8, 8, 8, 8]',
    'network.refinements=0', 'network.scales=1', 'data.width=160', 'data.height=96',
)  # fmt: skip


@pytest.fixture
def driven(street) -> torch.Tensor:
    """Body poses of three frames of the street, at every camera's stamp."""
    return torch.from_numpy(street.cache.world_from_body[[8, 10, 12]])


def test_distances_are_those_of_the_drive(driven, street):
    moved = np.diff(street.cache.world_from_body[[8, 10, 12], :, :3, 3].mean(1), axis=0)
    assert np.allclose(distances(driven), np.linalg.norm(moved, axis=-1), atol=1e-9)
    assert velocity_error(driven, driven) < 1e-9


@pytest.mark.parametrize('start', [0.2, 5.0])
def test_it_alone_fixes_the_scale_within_2_percent(driven, start):
    """The motion as a network would say it, right but for its length."""
    log_factor = torch.tensor(np.log(start), requires_grad=True)
    optimizer = torch.optim.Adam([log_factor], 0.03)
    for _ in range(300):
        scaled = driven.clone()
        scaled[..., :3, 3] = driven[..., :3, 3] * log_factor.exp()
        loss = velocity_error(scaled, driven)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert log_factor.exp().item() == pytest.approx(1, abs=0.02)


def test_it_says_nothing_of_the_direction(driven):
    turn = SE3.exp(torch.tensor([3.0, -2, 1, 0.3, -0.8, 1.1], dtype=torch.float64))
    elsewhere = turn.matrix @ driven
    assert velocity_error(elsewhere, driven) < 1e-9


def test_distances_wait_until_images_have_told_the_direction(street):
    """An untrained network says mostly straight up or down, which distances alone lengthen."""
    config = load_recipe('packnet-slim', SMALL)
    learner = SurroundLearner(config, [street.rig], learn_motion=True)
    sample = SampleSource([street.cache], config.data).load(0, (6, 8, 10))
    begins = config.loss.velocity_from
    for progress, counts in ((0.0, False), (begins - 0.01, False), (begins, True)):
        (scene,) = learner.scenes([sample], progress, np.random.default_rng(0))
        assert (TERMS['velocity'](scene) is not None) == counts


def test_a_motion_that_goes_backwards_is_shortened_not_lengthened(street):
    """The street's true depths and drive, and the drive the other way: images tell which is which,
    so that a distance that is right holds the one and turns the other."""
    config = load_recipe('packnet-slim', [*SMALL, 'loss.coarse_until=[0, 0, 0]'])
    learner = SurroundLearner(config, [street.rig], learn_motion=True)
    sample = SampleSource([street.cache], config.data).load(0, (6, 8, 10))
    (scene,) = learner.scenes([sample], 0.5, np.random.default_rng(0))
    inverse = functional.avg_pool2d(1 / street.depth(8)[:, None], 2)
    measured = sample.world_from_body
    # In the body at the middle frame, as a learned motion is.
    drive = (torch.linalg.inv(measured[1, 0]) @ measured).float()
    for way, wanted in ((1.0, 0.0), (-1.0, 2.0)):
        length = torch.tensor(way, requires_grad=True)
        poses = drive.clone()
        poses[..., :3, 3] = length * drive[..., :3, 3]
        motion = scene.motion._replace(world_from_body=SE3(poses))
        told = replace(scene, inverse=[inverse], motion=motion, _depths={}, _views={})
        loss = TERMS['velocity'](told)
        off_m = wanted * distances(measured).mean().item()
        assert loss.item() == pytest.approx(config.loss.velocity * off_m, rel=1e-3, abs=1e-6)
        if way < 0:
            loss.backward()
            assert length.grad < 0, 'descent leads through zero to the right way'


@pytest.mark.parametrize('path', sorted(RECIPES.glob('*.yaml')), ids=lambda p: p.stem)
def test_where_odometry_is_not_taken_for_known_images_tell_the_direction_first(path):
    """Neither distances nor an auto-mask, which keeps what an untrained motion explains by
    chance, have a part in the first steps."""
    config = load_recipe(str(path))
    if config.data.with_odometry == 'learned':
        assert min(config.loss.velocity_from, config.loss.automask_from) >= 0.05


def test_a_motion_of_nothing_has_a_gradient_that_is_a_number(driven):
    still = driven[:1].expand(3, -1, -1, -1).clone().requires_grad_()
    velocity_error(still, driven).backward()
    assert still.grad.isfinite().all()


def test_it_alone_gives_a_learned_motion_its_scale_within_2_percent(street):
    """The ego motion network on four samples, trained with nothing else."""
    torch.manual_seed(0)
    network = EgoMotionNetwork(8)
    source = SampleSource([street.cache], DataConfig())
    samples = [source.draw(0, step) for step in range(4)]
    body_from_camera = SE3(torch.from_numpy(street.rig.body_from_cameras().matrix))

    def poses(sample: RigSample) -> tuple[torch.Tensor, torch.Tensor]:
        """Learned and measured, of three frames."""
        images = to_float(sample.images.flatten(0, 1)).unflatten(0, sample.images.shape[:2])
        before, after = network(images[[0, 1]], images[[1, 2]], body_from_camera)
        steps = torch.stack([-before, torch.zeros(6), after]).double()
        measured = sample.world_from_body
        return SE3.exp(steps).matrix[:, None].expand_as(measured), measured

    def ratio() -> float:
        """Of the distances learned and measured."""
        with torch.no_grad():
            ways = [[distances(each).sum() for each in poses(sample)] for sample in samples]
        learned, measured = torch.tensor(ways).sum(0)
        return (learned / measured).item()

    assert ratio() < 0.5, 'it begins with a motion that is not metric'
    optimizer = torch.optim.Adam(network.parameters())
    for step in range(STEPS):
        optimizer.param_groups[0]['lr'] = 3e-3 * (1 - step / STEPS) ** 2
        optimizer.zero_grad()
        velocity_error(*poses(samples[step % 4])).backward()
        optimizer.step()
    assert ratio() == pytest.approx(1, abs=0.02)
