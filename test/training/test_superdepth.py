# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Sub-pixel upsampling is exact and free within a pixel; flips are fused with a gradient."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from selfdepth_ros.inference.engine import DepthPrediction
from selfdepth_training.config import load_recipe
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.flip import flip_fused
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.networks.upsampling import (
    NearestUp,
    SubpixelUp,
    depth_to_space,
    space_to_depth,
)
from selfdepth_training.predict import flip_averaged


@pytest.mark.parametrize('shape', [(2, 3, 4, 6), (1, 1, 2, 2), (3, 8, 10, 2)])
def test_space_to_depth_and_its_inverse_are_exact(shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(depth_to_space(space_to_depth(x)), x)
    assert torch.equal(space_to_depth(x), functional.pixel_unshuffle(x, 2))
    deep = x.repeat(1, 4, 1, 1)
    assert torch.equal(space_to_depth(depth_to_space(deep)), deep)
    assert torch.equal(depth_to_space(deep), functional.pixel_shuffle(deep, 2))


@pytest.mark.parametrize(('kind', 'free'), [(SubpixelUp, True), (NearestUp, False)])
def test_only_sub_pixels_differ_within_a_coarse_pixel(kind, free):
    """Seen where they are joined, without what the encoder adds."""
    torch.manual_seed(0)
    up, joined = kind(8, 4, 6), []
    up.join.register_forward_hook(lambda _, given, __: joined.append(given[0][:, :6]))
    up(torch.rand(1, 8, 5, 7), torch.zeros(1, 4, 10, 14))
    blocks = joined[0].unflatten(3, (7, 2)).unflatten(2, (5, 2))
    spread = blocks.amax((3, 5)) - blocks.amin((3, 5))
    assert (spread.mean().item() > 0.1) == free


def test_fusing_is_what_evaluation_does_with_flips():
    rng = np.random.default_rng(0)
    straight, mirrored = rng.uniform(2, 40, (2, 3, 8, 60)).astype(np.float32)
    depths = iter([straight, mirrored[:, :, ::-1]])
    images = np.zeros((3, 8, 60, 3), np.uint8)
    infer = flip_averaged(lambda *_: DepthPrediction(next(depths)))
    averaged = infer(images, np.ones(3, np.float32)).depth
    fused = flip_fused(*(1 / torch.from_numpy(d)[:, None] for d in (straight, mirrored)))
    assert np.allclose(1 / fused[:, 0].numpy(), averaged, rtol=1e-5)


def test_fusing_treats_both_sides_alike_and_teaches_both_answers():
    a, b = torch.rand(2, 2, 1, 6, 80, generator=torch.Generator().manual_seed(1)).unbind(0)
    assert torch.allclose(flip_fused(b.flip(-1), a.flip(-1)), flip_fused(a, b).flip(-1))
    a.requires_grad_(), b.requires_grad_()
    flip_fused(a, b).sum().backward()
    assert torch.allclose(a.grad + b.grad, torch.ones(()))
    # At the left border the mirrored answer alone, for which that border was the right one.
    assert (b.grad[..., 0] == 1).all() and (a.grad[..., -1] == 1).all()
    assert torch.allclose(a.grad[..., 40], torch.tensor(0.5))


def test_its_loss_is_of_the_fused_depth(street):
    torch.manual_seed(0)
    small = (
        'network.encoder=[8, 8, 16, 32, 64]', 'network.decoder=[8, 8, 8, 8]',
        'data.width=160', 'data.height=96', 'data.jitter=0.0',
    )  # fmt: skip
    config = load_recipe('superdepth', small)
    learner = SurroundLearner(config, [street.rig], learn_motion=False).eval()
    torch.nn.init.normal_(learner.depth.head.weight, std=0.3)
    sample = SampleSource([street.cache], config.data).draw(0, 0)
    (scene,) = learner.scenes([sample], 0.5, np.random.default_rng(0))
    assert [each.shape[2] for each in scene.inverse] == [48, 24, 12, 6]

    def said(images):
        return learner.depth.to_inverse_depth(learner.depth.logits(images), scene.focal)

    expected = flip_fused(said(scene.images), said(scene.images.flip(-1)).flip(-1))
    assert torch.allclose(scene.inverse[0], expected, rtol=1e-4)
    assert not torch.allclose(scene.inverse[0], said(scene.images), rtol=1e-2)
    mirrored = replace(sample, images=sample.images.flip(3))
    (other,) = learner.scenes([mirrored], 0.5, np.random.default_rng(0))
    assert torch.allclose(other.inverse[0].flip(-1), scene.inverse[0], rtol=1e-4)
