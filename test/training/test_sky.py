# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The sky is told by its colours, also where a sweep took it for a wall; traffic is not sky."""

import pytest
import torch
from torch.nn import functional

from selfdepth_training.config import load_recipe
from selfdepth_training.data.samples import SureDepth
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.losses.surround import to_float
from selfdepth_training.sky import with_sky, with_sky_as_asked

FARTHEST_M, WALL_M = 100.0, 12.0
SKY, WALL = (0.6, 0.7, 0.9), (0.5, 0.3, 0.2)
FRONT = 0


@pytest.fixture(scope='module')
def geometry(street) -> RigGeometry:
    return RigGeometry.of(street.rig, 80, 48, 'z_depth', torch.device('cpu'))


@pytest.fixture
def scene(geometry) -> tuple[SureDepth, torch.Tensor]:
    """Upper rows of sky, known to the sweep; a wall below that hides the horizon."""
    images = torch.tensor(WALL)[:, None, None].expand(3, 48, 80).repeat(6, 1, 1, 1)
    images[:, :, :12] = torch.tensor(SKY)[:, None, None]
    depth = torch.full((6, 48, 80), WALL_M)
    depth[:, :12] = FARTHEST_M
    return SureDepth(depth, geometry.visible.clone()), images


def test_a_gap_between_walls_is_sky_too(scene, geometry):
    swept, images = scene
    gap = FRONT, slice(12, 22), slice(30, 36)
    images[FRONT, :, 12:22, 30:36] = torch.tensor(SKY)[:, None, None]
    found = with_sky(swept, images, geometry.visible, geometry, FARTHEST_M)
    assert (found.depth[gap] == FARTHEST_M).all()
    assert found.sure[gap].all()
    found.depth[gap] = WALL_M
    assert torch.equal(found.depth, swept.depth)


def test_nothing_below_the_horizon_is_sky(scene, geometry):
    swept, images = scene
    images[FRONT, :, 30:40, 30:50] = torch.tensor(SKY)[:, None, None]
    found = with_sky(swept, images, geometry.visible, geometry, FARTHEST_M)
    assert (found.depth[FRONT, 30:40, 30:50] == WALL_M).all()


def test_textured_things_of_the_sky_s_colours_are_none(scene, geometry):
    swept, images = scene
    stripes = torch.where(torch.arange(30) % 2 == 0, 1.0, 0.6)
    images[FRONT, :, 14:20, 20:50] = torch.tensor(SKY)[:, None, None] * stripes
    found = with_sky(swept, images, geometry.visible, geometry, FARTHEST_M)
    assert (found.depth[FRONT, 14:20, 20:50] == WALL_M).all()


def test_what_is_farthest_without_the_sky_s_colours_is_not_believed(scene, geometry):
    swept, images = scene
    ahead = FRONT, slice(20, 24), slice(30, 50)
    swept.depth[ahead] = FARTHEST_M
    found = with_sky(swept, images, geometry.visible, geometry, FARTHEST_M)
    assert not found.sure[ahead].any()
    assert torch.equal(found.depth, swept.depth)


def test_where_no_sky_is_looked_for_nothing_farthest_is_believed(scene, geometry):
    swept, images = scene
    config = load_recipe('fsm', ['data.sky=false'])
    found = with_sky_as_asked(swept, images, geometry.visible, geometry, config)
    assert torch.equal(found.sure, swept.sure & (swept.depth < FARTHEST_M))
    assert torch.equal(found.depth, swept.depth)
    asked = with_sky_as_asked(swept, images, geometry.visible, geometry, load_recipe('fsm', []))
    assert (asked.sure & (asked.depth == FARTHEST_M)).any()


def test_the_robot_itself_is_never_sky(scene, geometry):
    swept, images = scene
    found = with_sky(swept, images, geometry.visible, geometry, FARTHEST_M)
    assert not (found.sure & ~geometry.visible).any()


def test_true_sky_is_found_and_little_else(street, geometry):
    """A third of the sky, in blocks, and what is near beside it, is withheld."""
    images = functional.avg_pool2d(to_float(torch.tensor(street.cache.images[10])), 2)
    truth = street.depth(10)[:, ::2, ::2]
    sky = truth > 1000
    withheld = torch.zeros_like(sky)
    withheld[:, :, 20:45] = True
    swept = SureDepth(
        torch.where(sky & ~withheld, FARTHEST_M, truth.clamp(max=20.0)), geometry.visible
    )
    found = with_sky(swept, images, geometry.visible, geometry, FARTHEST_M)
    called = found.sure & (found.depth == FARTHEST_M)
    assert (called & sky & withheld).sum() > 0.8 * (sky & withheld).sum()
    assert (called & ~sky).sum() < 0.02 * called.sum()


def test_a_camera_without_an_image_sees_no_sky_at_night_either(scene, geometry):
    """Its place in the batch is black, and so is the sky that the others see."""
    swept, images = scene
    images[:, :, :12] = 0
    absent, visible, sure = 2, geometry.visible.clone(), swept.sure.clone()
    images[absent], visible[absent], sure[absent] = 0, False, False
    found = with_sky(swept._replace(sure=sure), images, visible, geometry, FARTHEST_M)
    assert found.sure[FRONT, :12].float().mean() > 0.9
    assert (found.depth[FRONT, :12][found.sure[FRONT, :12]] == FARTHEST_M).all()
    assert not found.sure[absent].any()
