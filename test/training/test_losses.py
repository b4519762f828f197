# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Laws of the loss terms."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdepth_training.losses import edge_aware_smoothness, photometric_error
from selfdepth_training.losses.fast_photometric import fast_photometric_error
from selfdepth_training.losses.photometric import masked_mean
from selfdepth_training.losses.surround import WarpedViews, match_brightness

SSIM = 0.85


def images(seed: int, count: int = 2, size: tuple[int, int] = (12, 16)) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.uniform(size=(count, 3, *size)).astype(np.float32))


@given(st.integers(0, 10**6), st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_the_photometric_error_is_a_symmetric_distance_between_0_and_1(seed, weight):
    a, b = images(seed), images(seed + 1)
    there, back = photometric_error(a, b, weight), photometric_error(b, a, weight)
    assert torch.allclose(there, back, atol=1e-6)
    assert there.shape == (2, 12, 16)
    assert there.min() >= 0 and there.max() <= 1
    assert photometric_error(a, a, weight).abs().max() < 1e-6


def test_l1_is_the_mean_over_colours():
    a, b = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    b[:, 0], b[:, 1] = 0.3, 0.6
    assert torch.allclose(photometric_error(a, b, 0.0), torch.full((1, 4, 4), 0.3))


def test_ssim_of_constant_images_is_what_the_formula_gives():
    a, b = torch.full((1, 3, 6, 6), 0.2), torch.full((1, 3, 6, 6), 0.6)
    luminance = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    expected = torch.full((1, 6, 6), (1 - luminance) / 2)
    assert torch.allclose(photometric_error(a, b, 1.0), expected, atol=1e-4)


def test_structure_counts_more_than_brightness():
    a = images(5)
    shuffled = a.flatten(2)[:, :, torch.randperm(12 * 16, generator=torch.manual_seed(0))]
    other = photometric_error(a, shuffled.reshape(a.shape), 1.0).mean()
    assert other > 3 * photometric_error(a, (a + 0.1).clamp(0, 1), 1.0).mean()


def test_the_error_has_the_gradient_of_its_differences():
    a, b = images(1, 1, (4, 5)).double(), images(2, 1, (4, 5)).double()
    assert torch.autograd.gradcheck(
        lambda x: photometric_error(a, x, SSIM), b.requires_grad_(), eps=1e-6, atol=1e-5
    )


@pytest.mark.parametrize('size', [(12, 16), (2, 2), (3, 7)])
@pytest.mark.parametrize('weight', [SSIM, 0.0, 1.0])
def test_the_fast_error_and_its_gradient_are_those_of_autograd(size, weight):
    target = images(1, 2, size).double()
    warped = (0.7 * target + 0.3 * images(2, 2, size).double()).requires_grad_()
    warped.data[0, 0] = target[0, 0]  # no gradient of L1, and SSIM at its bound
    counts = images(3, 2, size)[:, 0].double() * (images(4, 2, size)[:, 0] > 0.5)
    found = []
    for function in (photometric_error, fast_photometric_error):
        error = function(target, warped, weight)
        found.append((error.detach(), *torch.autograd.grad((error * counts).sum(), warped)))
    (expected, gradient), (fast, its_gradient) = found
    assert gradient.abs().max() > 1e-3
    assert torch.equal(fast, expected)
    assert torch.allclose(its_gradient[1], gradient[1], atol=1e-12)
    # On its bound, rounding says whether the error is clamped and its gradient is nothing.
    assert torch.allclose(its_gradient[0, 1:], gradient[0, 1:], atol=1e-12)


def test_a_target_with_a_gradient_is_refused_by_the_fast_error():
    target = images(1).requires_grad_()
    with pytest.raises(ValueError, match='Detach'):
        fast_photometric_error(target, images(2), SSIM)


# In a process of its own: the type checks that tests run with cannot be compiled.
COMPARISON = """
import torch
from torch._dynamo.utils import counters
from selfdepth_training.losses.fast_photometric import fast_photometric_error
from selfdepth_training.losses.photometric import photometric_error

torch.manual_seed(0)
a, b = torch.rand(2, 3, 12, 16), torch.rand(2, 3, 12, 16, requires_grad=True)
for function in (photometric_error, fast_photometric_error):
    error = function(a, b, 0.85)
    error.mean().backward()
    found = torch.cat([error.detach().flatten(), 100 * b.grad.flatten()])
    b.grad = None
    if function is photometric_error:
        expected = found
print(counters['stats']['unique_graphs'], float((found - expected).abs().max()))
"""


KINDS = """
import functools
import torch
from torch._dynamo.utils import counters
from selfdepth_training.losses.fast_photometric import fast_photometric_error

torch.compile = functools.partial(torch.compile, backend='eager')
for width in range(8, 24):
    fast_photometric_error(torch.rand(1, 3, 8, width), torch.rand(1, 3, 8, width), 0.85)
print(counters['stats']['unique_graphs'])
"""


def run_compiled(script: str) -> list[str]:
    environment = {k: v for k, v in os.environ.items() if k != 'TORCH_COMPILE_DISABLE'}
    done = subprocess.run(
        [sys.executable, '-c', script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_error_is_compiled_for_more_kinds_of_input_than_torch_would_by_itself():
    """Four sizes, in time and across, with a gradient and without: torch stops at eight."""
    assert run_compiled(KINDS)[-1] == '16'


@pytest.mark.slow
def test_the_compiled_error_and_its_gradient_are_the_eager_ones():
    graphs, difference = run_compiled(COMPARISON)[-2:]
    assert int(graphs) > 0
    assert float(difference) < 1e-5


def test_the_masked_mean_is_over_what_is_valid_only():
    values = torch.tensor([1.0, 2.0, float('nan'), 40.0], requires_grad=True)
    valid = torch.tensor([True, True, False, False])
    mean = masked_mean(values, valid)
    mean.backward()
    assert mean == 1.5
    assert values.grad.tolist() == [0.5, 0.5, 0.0, 0.0]


def test_the_masked_mean_of_nothing_is_zero_with_a_zero_gradient():
    values = torch.tensor([1.0, 2.0], requires_grad=True)
    mean = masked_mean(values, torch.zeros(2, dtype=torch.bool))
    mean.backward()
    assert mean == 0
    assert values.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(('gain', 'offset'), [(0.8, 0.0), (1.3, -0.1), (1.0, 0.2)])
def test_matching_brightness_removes_gain_and_offset(gain, offset):
    target = 0.25 + 0.5 * images(7)
    valid = torch.ones(2, 12, 16, dtype=torch.bool)
    matched = match_brightness(WarpedViews(target * gain + offset, valid), target)
    assert torch.allclose(matched, target, atol=1e-2)
    again = match_brightness(WarpedViews(target, valid), target)
    assert torch.allclose(again, target, atol=1e-5)


def test_matching_brightness_does_not_remove_structure():
    target, other = images(8), images(9)
    valid = torch.ones(2, 12, 16, dtype=torch.bool)
    before = photometric_error(target, other, SSIM).mean()
    matched = match_brightness(WarpedViews(other, valid), target)
    assert photometric_error(target, matched, SSIM).mean() > 0.9 * before


def test_a_wall_without_texture_is_not_given_any():
    target = images(8)
    valid = torch.ones(2, 12, 16, dtype=torch.bool)
    matched = match_brightness(WarpedViews(torch.full_like(target, 0.5), valid), target)
    assert matched.std((2, 3)).max() < 1e-4


def test_only_what_is_valid_decides_the_brightness():
    target = 0.25 + 0.5 * images(10)
    valid = torch.ones(2, 12, 16, dtype=torch.bool)
    valid[..., 8:] = False
    spoiled = target.clone() * 0.8
    spoiled[..., 8:] = 1.0
    matched = match_brightness(WarpedViews(spoiled, valid), target)
    assert torch.allclose(matched[..., :8], target[..., :8], atol=1e-2)


def test_matching_brightness_carries_no_gradient_through_its_moments():
    view = (0.3 + 0.4 * images(11)).requires_grad_()
    valid = torch.ones(2, 12, 16, dtype=torch.bool)
    target = 0.3 + 0.4 * images(12)
    match_brightness(WarpedViews(view, valid), target).sum().backward()
    gains = view.grad[:, :, :1, :1].expand_as(view)
    assert torch.allclose(view.grad, gains)
    assert ((gains >= 0.7) & (gains <= 1.4)).all()


def test_a_constant_is_perfectly_smooth_whatever_the_image():
    assert edge_aware_smoothness(torch.full((2, 1, 12, 16), 0.3), images(0)) == 0


@given(st.floats(0.01, 100))
@settings(max_examples=10, deadline=None)
def test_smoothness_does_not_depend_on_the_scale_of_depth(scale):
    depth = images(1)[:, :1] + 0.1
    a, b = (edge_aware_smoothness(x, images(2)) for x in (depth, depth * scale))
    assert torch.allclose(a, b, rtol=1e-3)


def test_a_step_of_depth_is_forgiven_where_the_image_has_an_edge():
    depth, image = torch.full((1, 1, 12, 16), 0.2), torch.zeros(1, 3, 12, 16)
    depth[..., 8:] = 0.4
    at_edge, elsewhere = image.clone(), image.clone()
    at_edge[..., 8:] = 1.0
    elsewhere[..., 4:] = 1.0
    forgiven = float(edge_aware_smoothness(depth, at_edge))
    punished = float(edge_aware_smoothness(depth, elsewhere))
    assert forgiven == pytest.approx(punished * np.exp(-1), rel=1e-4)
    assert punished == pytest.approx(float(edge_aware_smoothness(depth, image)), rel=1e-6)
