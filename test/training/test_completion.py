# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pixels take the depth of neighbours of their colour, where these agree."""

import pytest
import torch

from selfdepth_training.completion import completed
from selfdepth_training.data.samples import SureDepth

HEIGHT, WIDTH, OUTLINE = 20, 30, 15
NEAR_M, FAR_M = 5.0, 20.0


@pytest.fixture
def outline() -> tuple[SureDepth, torch.Tensor, torch.Tensor]:
    """A dark near thing left of a bright far one; the sweep says nonsense around the outline."""
    right = torch.arange(WIDTH) >= OUTLINE
    truth = torch.where(right, FAR_M, NEAR_M).expand(1, HEIGHT, WIDTH)
    noise = torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    images = 0.2 + 0.5 * right.float().expand(1, 3, HEIGHT, WIDTH) + 0.01 * noise
    open_ = (torch.arange(WIDTH) - OUTLINE + 0.5).abs() < 3
    swept = SureDepth(torch.where(open_, 1.7, truth), ~open_.expand(1, HEIGHT, WIDTH))
    return swept, images, truth


def everywhere(swept: SureDepth) -> torch.Tensor:
    return torch.ones_like(swept.sure)


def test_each_side_of_an_outline_takes_the_depth_of_its_colour(outline):
    swept, images, truth = outline
    found = completed(swept, images, everywhere(swept))
    assert found.sure.all()
    assert torch.allclose(found.depth, truth, rtol=0.02)


def test_without_a_difference_in_colour_the_outline_stays_open(outline):
    swept, images, _ = outline
    found = completed(swept, torch.full_like(images, 0.4), everywhere(swept))
    assert not found.sure[..., OUTLINE - 1 : OUTLINE + 1].any()


def test_a_rough_depth_is_calmed_and_its_outline_is_not(outline):
    swept, images, truth = outline
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))
    rough = SureDepth(swept.depth * torch.exp(0.05 * noise), swept.sure)
    found = completed(rough, images, everywhere(swept))
    off = torch.log(found.depth / truth).abs()[swept.sure]
    assert off.mean() < 0.4 * torch.log(rough.depth / truth).abs()[swept.sure].mean()
    assert off.max() < 0.05


def test_one_lone_pixel_does_not_spread(outline):
    swept, images, _ = outline
    alone = torch.zeros_like(swept.sure)
    alone[0, HEIGHT // 2, 4] = True
    found = completed(SureDepth(swept.depth, alone), images, everywhere(swept))
    assert torch.equal(found.sure, alone)


def test_the_robot_s_own_body_gets_no_depth(outline):
    swept, images, _ = outline
    visible = everywhere(swept)
    visible[:, -5:] = False
    found = completed(swept, images, visible)
    assert torch.equal(found.sure[:, -5:], swept.sure[:, -5:])
    assert found.sure[:, :-5].all()
