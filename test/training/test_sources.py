# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is made of several sources and several scales: minimum or mean, full or own size, masks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from selfdepth_training.config import load_recipe
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.losses.automask import AUTOMASKS
from selfdepth_training.losses.combine import least, mean
from selfdepth_training.losses.surround import NOW
from selfdepth_training.scene import Scene
from selfdepth_training.terms import TERMS

SMALL = (
    'network.encoder=[8, 8, 16, 32, 64]', 'network.decoder=[8, 8, 8, 8]', 'network.pose_width=8',
    'data.width=160', 'data.height=96', 'data.flip=false', 'loss.coarse_until=[0.0, 0.0, 0.0]',
)  # fmt: skip


def test_the_minimum_forgives_what_one_source_does_not_see_and_the_mean_does_not():
    error = torch.tensor([0.1, 0.9, 0.4]).expand(1, 2, 1, 3).clone()
    error[:, 1] = torch.tensor([0.9, 0.1, 0.2])
    seen = torch.ones(1, 2, 1, 3, dtype=torch.bool)
    seen[:, 1, :, 2] = False
    assert torch.allclose(least(error, seen).error[0, 0], torch.tensor([0.1, 0.1, 0.4]))
    assert torch.allclose(mean(error, seen).error[0, 0], torch.tensor([0.5, 0.5, 0.4]))
    for combine in (least, mean):
        assert combine(error, seen).valid.all()
        assert not combine(error, torch.zeros_like(seen)).valid.any()


def test_the_minimum_is_less_wrong_about_occlusions_of_a_street(street, helpers):
    """With true depths what is left of the error is mostly what one frame hides."""
    views, depth = helpers.triplet(street, 8, 2), street.depth(8)
    found = {
        combine: replace(helpers.reprojection(street.rig), combine=combine).temporal(views, depth)
        for combine in (least, mean)
    }
    assert torch.equal(found[least].valid, found[mean].valid)
    large = [(found[combine].error > 0.2)[found[least].valid].float().mean() for combine in found]
    assert large[0] < 0.75 * large[1]


def scene_of(street, recipe: str, *settings: str) -> Scene:
    """A scene of the street as a fresh learner sees it."""
    torch.manual_seed(0)
    config = load_recipe(recipe, [*SMALL, *settings])
    source = SampleSource([street.cache], config.data)
    learner = SurroundLearner(config, [street.rig], source.learn_motion)
    (scene,) = learner.scenes([source.draw(0, 3)], 0.5, np.random.default_rng(0))
    return scene


def with_leaves(scene: Scene) -> Scene:
    """The scene with depths that are leaves, of which gradients can be asked."""
    inverse = [each.detach().requires_grad_() for each in scene.inverse]
    return replace(scene, inverse=inverse, _depths={}, _views={})


def checkerboard(scene: Scene) -> Scene:
    """Squares of two pixels in every image: plain grey at an eighth of the size."""
    v, u = torch.meshgrid(torch.arange(96), torch.arange(160), indexing='ij')
    board = (255 * ((u // 2 + v // 2) % 2)).to(torch.uint8)[..., None]
    images = board.expand(scene.sample.images.shape).contiguous()
    return replace(scene, sample=replace(scene.sample, images=images))


@pytest.mark.parametrize(('pyramid', 'sees'), [('full', True), ('own', False)])
def test_coarse_depths_are_judged_on_texture_of_the_full_size(street, pyramid, sees):
    """Godard et al. 2019, 3.2: at its own size a coarse depth cannot see fine texture, and is
    taught holes instead."""
    settings = f'loss.pyramid={pyramid}', 'loss.automask_from=1.0'
    scene = with_leaves(checkerboard(scene_of(street, 'monodepth2', *settings)))
    TERMS['temporal'](scene).backward()
    slopes = [each.grad.abs().sum().item() for each in scene.inverse]
    assert len(slopes) == 4 and slopes[0] > 0
    assert (slopes[3] > 0.01 * slopes[0]) == sees, slopes


def test_known_motion_is_odometrys_and_learned_motion_is_the_networks(street):
    known, learned = scene_of(street, 'monodepth2'), scene_of(street, 'sfm')
    assert torch.equal(known.motion.world_from_body.matrix, known.sample.world_from_body)
    assert not known.motion.learned and learned.motion.learned
    assert learned.motion.world_from_body.matrix.requires_grad


def moving_along(street, helpers):
    """Views in which one camera sees a thing that moves as the robot does, and where it is."""
    views = helpers.triplet(street, 8, 2)
    images, thing = views.images.clone(), torch.zeros(6, 96, 160, dtype=torch.bool)
    thing[0, 30:66, 60:110] = True
    texture = torch.rand(3, 18, 25, generator=torch.manual_seed(3))
    texture = functional.interpolate(texture[None], (36, 50), mode='bilinear')[0]
    images[:, 0, :, 30:66, 60:110] = texture
    return views._replace(images=images), thing


def test_the_auto_mask_removes_what_moves_along_and_nothing_else(street, helpers):
    """Measured against what is planted: precision and recall. Sky and plain walls look alike
    whether warped or not, so that only pixels of which the warped source is clearly better count
    as wrongly removed."""
    views, thing = moving_along(street, helpers)
    reprojection, depth = helpers.reprojection(street.rig), street.depth(8)
    without = reprojection.temporal(views, depth)
    removed = (
        without.valid & ~reprojection.temporal(views, depth, reprojection.still_error(views)).valid
    )
    inside = functional.max_pool2d((~thing).float(), 3, 1, 1) == 0  # SSIM looks a pixel further
    assert removed[inside & without.valid].float().mean() > 0.9
    still = (views.images[NOW] - views.images[2]).abs().mean(1)
    moving = without.valid & (still > 0.1) & (without.error < 0.05)
    moving[0] &= functional.max_pool2d(thing[0, None, None].float(), 21, 1, 10)[0, 0] == 0
    assert moving.sum() > 2000
    assert removed[moving].float().mean() < 0.1


def test_the_auto_mask_belongs_to_monodepth2_from_the_start_and_never_to_sfm(street):
    for recipe, has in (('monodepth2', True), ('sfm', False)):
        scene = scene_of(street, recipe)
        still = scene.sample.images[NOW].expand_as(scene.sample.images).contiguous()
        scene = replace(
            with_leaves(scene), sample=replace(scene.sample, images=still), progress=0.0
        )
        assert (TERMS['temporal'](scene).item() == 0) == has


@pytest.mark.parametrize('name', AUTOMASKS)
def test_the_recipe_says_by_which_rule_pixels_are_dropped(street, name):
    scene = scene_of(street, 'monodepth2', f'loss.automask={name}')
    assert scene.tables(0).moves_along is AUTOMASKS[name]
