# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Small patches of another depth are dropped, large ones and slopes are kept."""

import pytest
import torch

from selfdepth_training.data.samples import SureDepth
from selfdepth_training.specks import without_specks


@pytest.fixture
def road() -> SureDepth:
    """Depth grows from row to row by less than what ends a patch; one open row."""
    depth = (4.0 * 1.05 ** torch.arange(40))[None, :, None].repeat(2, 1, 60)
    sure = torch.ones_like(depth, dtype=torch.bool)
    sure[:, 20] = False
    return SureDepth(depth, sure)


def test_a_slope_is_one_patch(road):
    found = without_specks(road)
    assert torch.equal(found.sure, road.sure)
    assert torch.equal(found.depth, road.depth)


@pytest.mark.parametrize(('side', 'kept'), [(3, False), (6, False), (7, True)])
def test_patches_are_kept_from_a_size_on(road, side, kept):
    patch = 0, slice(5, 5 + side), slice(8, 8 + side)
    road.depth[patch] = 90.0
    found = without_specks(road)
    assert found.sure[patch].all() == kept
    assert found.sure[patch].any() == kept
    around = road.sure.clone()
    around[patch] = False
    assert torch.equal(found.sure & around, around)


def test_open_pixels_stay_open(road):
    nothing = SureDepth(road.depth, torch.zeros_like(road.sure))
    assert not without_specks(nothing).sure.any()
