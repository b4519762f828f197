# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Features to compare by: they lead from afar where colours say nothing, and learn from no
comparison."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from selfdepth_ros.core.errors import ConfigError
from selfdepth_training.config import LossConfig, load_recipe
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.features import LearnedFeatures
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.losses.features import feature_error, steepness_and_bend
from selfdepth_training.losses.photometric import photometric_error
from selfdepth_training.networks import FeatureAutoencoder
from selfdepth_training.scene import Scene
from selfdepth_training.terms import TERMS
from selfdepth_training.warp import sample

SMALL = (
    'network.encoder=[8, 8, 16, 32, 64]', 'network.decoder=[8, 8, 8, 8]', 'network.pose_width=8',
    'network.scales=1', 'data.width=160', 'data.height=96', 'data.flip=false',
    'loss.coarse_until=[0.0, 0.0, 0.0]',
)  # fmt: skip
HEIGHT, WIDTH, MARGIN = 64, 128, 8
SHIFTS = range(-20, 21, 2)


def walls(seed: int, count: int) -> Tensor:
    """Plain walls, at least 52 pixels wide, between textures."""
    rng = torch.Generator().manual_seed(seed)
    images = torch.zeros(count, 3, HEIGHT, WIDTH)
    for cell, share in ((8, 0.6), (3, 0.4)):
        coarse = torch.rand(count, 3, HEIGHT // cell + 2, WIDTH // cell + 2, generator=rng)
        images += share * functional.interpolate(coarse, (HEIGHT, WIDTH), mode='bilinear')
    for image in images:
        left, right = (int(torch.randint(16, 36, (1,), generator=rng)) for _ in range(2))
        image[:, :, left : WIDTH - right] = torch.rand(3, 1, 1, generator=rng) * 0.6 + 0.2
    return images


def noisy(images: Tensor, seed: int) -> Tensor:
    """As a camera would see them: noise of one percent."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
    return (images + 0.01 * noise).clamp(0, 1)


def shifted(images: Tensor, pixels: float) -> Tensor:
    height, width = images.shape[2:]
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    grid = torch.stack([(2 * (u + pixels) + 1) / width - 1, (2 * v + 1) / height - 1], -1)
    return sample(images, grid[None].float())


def basin(errors: list[float]) -> int:
    """Pixels of shift, on both sides of none, over which the error rises all the way."""
    middle = len(errors) // 2
    sides = np.diff(errors[middle:]) > 0, np.diff(errors[middle::-1]) > 0
    steps = sum(int(np.argmin([*side, False])) for side in sides)
    return steps * (SHIFTS[1] - SHIFTS[0])


def taught_with(weight: float) -> FeatureAutoencoder:
    """An autoencoder after 300 steps on walls, steep and straight by this weight."""
    torch.manual_seed(0)
    loss = LossConfig(discriminative=weight, convergent=weight)
    learned = LearnedFeatures(loss, refines=False)
    optimizer = torch.optim.AdamW(learned.parameters(), 1e-3)
    for step in range(300):
        image = noisy(walls(100 + step, 2), step)
        optimizer.zero_grad()
        learned.lesson(image, learned.network.features(image)).backward()
        optimizer.step()
    return learned.network


@pytest.fixture(scope='module')
def taught() -> FeatureAutoencoder:
    return taught_with(LossConfig().discriminative)


@torch.no_grad()
def basins(compared: Callable[[Tensor, Tensor], Callable[[float], Tensor]]) -> list[int]:
    """Basins, from narrow to wide, of the error in twelve columns in the middle of six walls that
    were never learned from, seen twice."""
    found = []
    for seed in range(6):
        wall = walls(5000 + seed, 1)
        error = compared(noisy(wall, 7000 + seed), noisy(wall, 8000 + seed))
        found.append(basin([error(pixels).mean().item() for pixels in SHIFTS]))
    return sorted(found)


def by_colours(target: Tensor, source: Tensor) -> Callable[[float], Tensor]:
    rows, columns = slice(MARGIN, -MARGIN), slice(58, 70)
    return lambda by: photometric_error(target, shifted(source, by), 0.85)[:, rows, columns]


def by_features(network: FeatureAutoencoder) -> Callable[..., Callable[[float], Tensor]]:
    rows, columns = slice(MARGIN // 2, -MARGIN // 2), slice(29, 35)

    def compared(target: Tensor, source: Tensor) -> Callable[[float], Tensor]:
        one, other = network.features(target), network.features(source)
        return lambda by: feature_error(one, shifted(other, by / 2))[:, rows, columns]

    return compared


def test_on_a_plain_wall_features_lead_from_ten_times_as_far(taught):
    """Shifted by up to 20 pixels to both sides. Measured, of 40 pixels: 2 to 8 with colours, which
    are noise there, 20 to 40 (median 40) with features."""
    colours, features = basins(by_colours), basins(by_features(taught))
    assert colours[3] <= 6 and colours[-1] < features[0], (colours, features)
    assert features[2] >= 30, features


def test_features_that_are_taught_to_paint_alone_do_not():
    """The paper's weights, 1e-3, are next to none for features that are bounded."""
    assert basins(by_features(taught_with(1e-3)))[3] <= 10


@torch.no_grad()
def test_features_do_not_know_where_in_the_image_they_are(taught):
    """With zeros around the image they would, and would then say that nothing ever moves."""
    plain = torch.tensor([0.3, 0.5, 0.7])[None, :, None, None].expand(1, 3, HEIGHT, WIDTH)
    found = taught.features(plain)
    assert (found - found[..., :1, :1]).abs().max() < 1e-4


@torch.no_grad()
def test_features_tell_the_image(taught):
    image = walls(9000, 2)
    painted = taught.painted(taught.features(image))
    assert painted.shape == image.shape
    plain = (image - image.mean((2, 3), keepdim=True)).abs().mean()
    assert (painted - image).abs().mean() < 0.5 * plain


def test_a_ramp_is_steep_and_straight_and_an_edge_of_the_image_excuses_it():
    ramp = torch.linspace(0, 1, 11).expand(1, 2, 5, 11)
    plain = torch.full((1, 3, 5, 11), 0.5)
    steep, bent = steepness_and_bend(ramp, plain)
    assert steep.item() == pytest.approx(0.1, rel=1e-5) and bent.item() < 1e-6
    edges = plain.clone()
    edges[..., ::2] += 1
    assert steepness_and_bend(ramp, edges)[0].item() == pytest.approx(0.1 * np.exp(-1), rel=1e-5)
    steep, bent = steepness_and_bend((ramp * 10).round().remainder(2), plain)
    assert (steep.item(), bent.item()) == pytest.approx((1, 2))


def learner_of(street, *settings: str) -> tuple[SurroundLearner, Scene]:
    torch.manual_seed(0)
    config = load_recipe('featmetric', [*SMALL, *settings])
    source = SampleSource([street.cache], config.data)
    learner = SurroundLearner(config, [street.rig], source.learn_motion)
    (scene,) = learner.scenes([source.load(0, (6, 8, 10))], 0.5, np.random.default_rng(0))
    return learner, scene


def taught_by(module: torch.nn.Module) -> list[bool]:
    return [p.grad is not None and bool(p.grad.any()) for p in module.parameters()]


def test_the_comparison_teaches_depth_and_never_the_features(street):
    """Features that are alike everywhere would please it most."""
    learner, scene = learner_of(street)
    TERMS['feature_metric'](scene).backward()
    assert not any(taught_by(learner.features))
    assert sum(taught_by(learner.depth)) > 0.9 * len(list(learner.depth.parameters()))


def test_the_autoencoder_learns_in_every_step_from_its_own_loss(street):
    learner, scene = learner_of(street)
    TERMS['autoencoder'](scene).backward()
    assert all(taught_by(learner.features))
    assert not any(taught_by(learner.depth))


@pytest.mark.parametrize('features', ['learned', 'encoder'])
def test_true_depths_have_the_least_error(street, features):
    _, scene = learner_of(street, f'loss.features={features}', 'loss.automask_from=1.0')
    true = functional.avg_pool2d(1 / street.depth(8)[:, None], 2)
    errors = {
        factor: TERMS['feature_metric'](replace(scene, inverse=[factor * true], _depths={})).item()
        for factor in (0.7, 0.85, 1.0, 1.2, 1.4)
    }
    assert min(errors, key=errors.get) == 1.0, errors


def test_the_encoders_own_features_are_taken_as_they_are(street):
    """Nothing is learned for them, and looking at more frames moves no statistics."""
    learner, _ = learner_of(street, 'loss.features=encoder')
    before = {name: value.clone() for name, value in learner.depth.state_dict().items()}
    images = torch.rand(3, 6, 3, 96, 160)
    found = learner.features(images, torch.ones(6, dtype=torch.bool), learner.depth)
    assert found.loss is None and not found.maps.requires_grad
    assert found.maps.shape == (3, 6, 8, 48, 80)
    assert all(torch.equal(value, before[n]) for n, value in learner.depth.state_dict().items())
    assert learner.depth.encoder.training
    assert not list(learner.features.parameters())


def test_only_a_recipe_that_compares_features_has_a_network_for_them(street):
    config = load_recipe('monodepth2', SMALL)
    learner = SurroundLearner(config, [street.rig], learn_motion=False)
    assert learner.features is None
    assert any(name.startswith('features.') for name in learner_of(street)[0].state_dict())


def test_features_without_images_are_one_clear_error():
    with pytest.raises(ConfigError, match=r'images_from.*feature_metric'):
        load_recipe('fsm', ['loss.feature_metric=0.1'])
