# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bounded gradients: whose, and that none goes unseen which is no number."""

import pytest
import torch
from torch import nn

from selfdepth_training.clipping import clip_gradients
from selfdepth_training.optimizers import ConvolutionMuon


@pytest.fixture
def learner() -> nn.ParameterDict:
    """Three weights: of AdamW, of the confidence, of Muon; all with a gradient of norm 5."""
    weights = nn.ParameterDict({name: torch.zeros(2, 1) for name in ('plain', 'sure', 'hidden')})
    for weight in weights.values():
        weight.grad = torch.tensor([[3.0], [4.0]])
    return weights


def clip(learner: nn.ParameterDict, most: float) -> torch.Tensor:
    adamw = torch.optim.AdamW([learner['plain'], learner['sure']])
    muon = ConvolutionMuon([learner['hidden']], lr=0.1)
    return clip_gradients([adamw, muon], [learner['sure']], most)


def test_the_gradients_of_the_confidence_are_bounded_apart(learner):
    learner['sure'].grad *= 100
    clip(learner, 1.0)
    for name in ('plain', 'sure'):
        torch.testing.assert_close(learner[name].grad, torch.tensor([[0.6], [0.8]]))


def test_a_small_gradient_and_that_of_muon_stay_as_they_are(learner):
    before = {name: weight.grad.clone() for name, weight in learner.items()}
    clip(learner, 6.0)
    assert all(torch.equal(weight.grad, before[name]) for name, weight in learner.items())
    clip(learner, 1.0)
    assert torch.equal(learner['hidden'].grad, before['hidden'])


@pytest.mark.parametrize('name', ['plain', 'sure', 'hidden'])
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_a_gradient_that_is_no_number_is_seen_whoever_moves_the_weight(learner, name, value):
    assert clip(learner, 1.0).isfinite().all()
    learner[name].grad[1] = value
    assert not clip(learner, 1.0).isfinite().all()
