# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from selfdepth_training.config import load_recipe
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.optimizers import (
    ConvolutionMuon,
    optimizers_of,
    orthogonalised,
    rate_share,
)


@pytest.mark.parametrize('shape', [(16, 40), (40, 16), (24, 24)])
def test_every_direction_gets_about_the_same_length(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    before = torch.linalg.svdvals(matrix)
    after = torch.linalg.svdvals(orthogonalised(matrix))
    assert before.max() / before.min() > 1.5
    # The smallest value of a square random matrix is nearly zero and rises only part of the way.
    assert after.median() > 0.6
    assert after.max() < 1.3


def test_orthogonalising_keeps_the_directions():
    matrix = torch.randn(12, 30, generator=torch.Generator().manual_seed(1))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    aligned = torch.nn.functional.cosine_similarity(
        orthogonalised(matrix).flatten(), (u @ v).flatten(), dim=0
    )
    assert aligned > 0.97


def test_muon_finds_a_convolution_that_it_is_shown():
    generator = torch.Generator().manual_seed(2)
    truth = torch.randn(8, 4, 3, 3, generator=generator)
    images = torch.randn(4, 4, 12, 12, generator=generator)
    layer = torch.nn.Conv2d(4, 8, 3, bias=False).to(memory_format=torch.channels_last)
    optimizer = ConvolutionMuon(layer.parameters(), lr=0.1)
    target = torch.nn.functional.conv2d(images, truth)
    errors = []
    for step in range(150):
        optimizer.param_groups[0]['lr'] = 0.1 * (1 - step / 150)
        loss = (layer(images) - target).square().mean()
        errors.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert errors[-1] < 0.01 * errors[0]


def test_every_parameter_has_one_optimizer(street):
    config = load_recipe('fsm')
    learner = SurroundLearner(config, [street.cache.rig], learn_motion=True)
    optimizers = optimizers_of(learner, config.optimizer)
    owned = [id(p) for o in optimizers for g in o.param_groups for p in g['params']]
    assert sorted(owned) == sorted(map(id, learner.parameters()))
    assert [type(o) for o in optimizers] == [torch.optim.AdamW, ConvolutionMuon]
    (adamw,) = optimizers_of(learner, load_recipe('fsm', ['optimizer.muon_rate=0']).optimizer)
    assert sum(len(g['params']) for g in adamw.param_groups) == len(owned)


def test_the_rate_rises_stays_and_falls():
    config = load_recipe('fsm', ['optimizer.warmup=0.1', 'optimizer.decay=0.4']).optimizer
    shares = [rate_share(config, progress / 100) for progress in range(101)]
    assert shares[0] < 0.02
    assert shares[:11] == sorted(shares[:11])
    assert set(shares[10:61]) == {1.0}
    assert shares[80] == pytest.approx(0.5)
    assert shares[-1] == 0.01
