# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the last layer says: depth, its distance to a hint, and how sure it is."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfdepth_training.config import NetworkConfig
from selfdepth_training.networks.heads import HEADS, HistogramHead, LaplaceHead, SigmoidHead

CONFIG = NetworkConfig()
# Depths that have an interval on both sides.
inside_m = st.floats(1.0, 80.0)


def histogram() -> HistogramHead:
    return HistogramHead(16, CONFIG)


def bounds_m(head: HistogramHead) -> torch.Tensor:
    """Between which depths the intervals lie."""
    steps = torch.arange(CONFIG.intervals + 1)
    return torch.exp(head.nearest + head.interval * steps)


def logits_of(head: HistogramHead, shares: dict[int, float]) -> torch.Tensor:
    """Likelihoods of some intervals, for a single pixel."""
    likelihood = torch.full((1, CONFIG.intervals, 1, 1), 1e-12)
    for interval, share in shares.items():
        likelihood[0, interval] = share
    return torch.log(likelihood)


@given(inside_m)
def test_a_histogram_that_has_learned_a_hint_says_it(depth_m):
    head = histogram()
    place = (math.log(depth_m) - head.nearest) / head.interval
    interval, share = int(place), place - int(place)
    box = {interval - 1: (1 - share) / 2, interval: 0.5, interval + 1: share / 2}
    said = 1 / head.inverse_depth(logits_of(head, box)).item()
    assert said == pytest.approx(depth_m, rel=1e-3)


@pytest.mark.parametrize('name', HEADS)
def test_descending_on_the_distance_to_a_hint_finds_it(name):
    head = HEADS[name](16, CONFIG)
    features, hint = torch.ones(1, 16, 4, 4), torch.full((1, 4, 4), 23.0)
    optimizer = torch.optim.Adam(head.parameters())
    for step in range(300):
        optimizer.param_groups[0]['lr'] = 0.005 * (1 - step / 300)
        optimizer.zero_grad()
        head.hint_error(head(features), hint).mean().backward()
        optimizer.step()
    # The middle: at the border, zero padding makes other features of them.
    found = 1 / head.inverse_depth(head(features))[0, 0, 1:3, 1:3]
    torch.testing.assert_close(found, torch.full((2, 2), 23.0), rtol=0.02, atol=0)


@pytest.mark.parametrize(('near', 'side'), [(0.6, 'near'), (0.4, 'far')])
def test_between_two_depths_the_likelier_one_is_said_and_none_between(near, side):
    head = histogram()
    bounds = bounds_m(head)
    said = 1 / head.inverse_depth(logits_of(head, {5: near, 20: 1 - near})).item()
    interval = 5 if side == 'near' else 20
    assert bounds[interval] <= said <= bounds[interval + 1]


def test_confidence_is_the_likelihood_of_less_than_a_quarter_of_error():
    head = histogram()
    torch.manual_seed(0)
    logits = 2 * torch.randn(1, CONFIG.intervals, 3, 4)
    median = 1 / head.inverse_depth(logits)[0, 0]
    likelihood, bounds = logits.softmax(1)[0], bounds_m(head)
    # Depths drawn from the histogram: an interval by its likelihood, evenly in log depth inside.
    drawn = torch.multinomial(likelihood.flatten(1).T, 200_000, replacement=True)
    share = torch.rand(drawn.shape)
    true = torch.exp(torch.log(bounds[drawn]) + share * head.interval).T.unflatten(1, (3, 4))
    expected = ((median - true).abs() / true < 0.25).float().mean(0)
    found = head.confidence(logits)[0, 0]
    torch.testing.assert_close(found, expected, rtol=0, atol=0.005)
    assert expected.max() - expected.min() > 0.1


def test_what_is_certain_has_confidence_one_and_one_number_has_none():
    head = histogram()
    assert head.confidence(logits_of(head, {9: 1.0})).item() == pytest.approx(1.0, abs=1e-4)
    assert SigmoidHead(16, CONFIG).confidence(torch.zeros(1, 1, 2, 2)) is None


def test_a_laplace_head_learns_how_far_labels_scatter_and_how_often_it_is_right():
    """Two pixels, told 10 m with a mean deviation of log depth of .05 and of .4."""
    head, deviation = LaplaceHead(16, CONFIG), torch.tensor([0.05, 0.4])
    noise = torch.distributions.Laplace(0.0, deviation)
    torch.manual_seed(0)
    told = 10 * torch.exp(noise.sample((20_000,)))[:, None]
    logits = torch.zeros(1, 2, 1, 2, requires_grad=True)
    optimizer = torch.optim.Adam([logits])
    for step in range(400):
        optimizer.param_groups[0]['lr'] = 0.1 * (1 - step / 400)
        optimizer.zero_grad()
        head.hint_error(logits.expand(len(told), -1, -1, -1), told).mean().backward()
        optimizer.step()
    said = 1 / head.inverse_depth(logits)[0, 0, 0]
    torch.testing.assert_close(said, torch.full((2,), 10.0), rtol=0.02, atol=0)
    right = ((said - told[:, 0]).abs() / told[:, 0] < 0.25).float().mean(0)
    confidence = head.confidence(logits)[0, 0, 0]
    torch.testing.assert_close(confidence, right, rtol=0, atol=0.02)
    assert confidence[0] > 0.95 and confidence[1] < 0.6


def test_labels_that_are_doubted_pull_less():
    head = LaplaceHead(16, CONFIG)
    logits = torch.zeros(1, 2, 1, 2)
    logits[0, 1, 0] = torch.tensor([-2.0, 2.0])
    logits.requires_grad_()
    head.hint_error(logits, torch.full((1, 1, 2), 30.0)).sum().backward()
    sure, doubting = logits.grad[0, 0, 0].abs()
    assert doubting < 0.2 * sure


def test_an_untrained_sigmoid_says_the_initial_depth():
    head = SigmoidHead(16, CONFIG)
    depth = 1 / head.inverse_depth(head(torch.zeros(1, 16, 3, 3)))
    assert depth.mean().item() == pytest.approx(CONFIG.initial_depth_m, rel=1e-4)


@pytest.mark.parametrize('name', HEADS)
def test_hints_beyond_the_ends_are_said_as_the_bounds(name):
    head = HEADS[name](16, CONFIG)
    logits = torch.zeros(1, head.out_channels, 1, 2, requires_grad=True)
    optimizer = torch.optim.Adam([logits], 0.3)
    for _ in range(300):
        optimizer.zero_grad()
        head.hint_error(logits, torch.tensor([[[0.01, 1e4]]])).sum().backward()
        optimizer.step()
    said = 1 / head.inverse_depth(logits)[0, 0, 0]
    torch.testing.assert_close(said, torch.tensor(head.bounds_m), rtol=0.02, atol=0)


@pytest.mark.parametrize('logits', [
    torch.zeros(CONFIG.intervals),
    torch.tensor([-45.5] * 3 + [0.0] + [-45.5] * (CONFIG.intervals - 4)),
    torch.tensor([0.0] + [-20.0] * (CONFIG.intervals - 2) + [0.0]),
    torch.tensor([0.0] + [-200.0] * (CONFIG.intervals - 2) + [0.0]),
], ids=['flat', 'peak', 'two peaks', 'two peaks and nothing between'])  # fmt: skip
def test_gradients_of_the_depth_have_bounds(logits):
    """Where an image teaches, one pixel of an outline must not own the step."""
    head = histogram().train()
    given = logits.reshape(1, -1, 1, 1).clone().requires_grad_()
    depth = torch.log(head.inverse_depth(given))
    assert depth.item() == pytest.approx(torch.log(head.eval().inverse_depth(given)).item())
    depth.sum().backward()
    assert given.grad.isfinite().all()
    assert given.grad.abs().max() <= head.interval * CONFIG.intervals


def test_confidence_does_not_depend_on_autocast():
    head = histogram()
    logits = 3 * torch.randn(2, CONFIG.intervals, 4, 4, generator=torch.Generator().manual_seed(1))
    with torch.autocast('cpu', torch.bfloat16):
        inside = head.confidence(logits)
    torch.testing.assert_close(inside, head.confidence(logits))
