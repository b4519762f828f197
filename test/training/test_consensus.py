# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What several moments say about one place, with the true depths of the street made worse, and
what they lend each other."""

import math

import pytest
import torch

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.borrowing import with_borrowed
from selfdepth_training.consensus import AGREE, Moment, averaged
from selfdepth_training.data.samples import SureDepth
from selfdepth_training.geometry import RigGeometry

CPU = torch.device('cpu')
NOW, AROUND = 20, (14, 17, 23, 26)
NOISE = 0.06


@pytest.fixture(scope='module', params=['z_depth', 'ray_distance'])
def geometry(street, request) -> RigGeometry:
    return RigGeometry.of(street.rig, 160, 96, request.param, CPU)


@pytest.fixture(scope='module')
def truth(street, geometry):
    """The true moment of a frame."""

    def moment(frame: int) -> Moment:
        z_depth = street.depth(frame)
        depth = z_depth / geometry.rays[..., 2]
        world_from_body = torch.from_numpy(street.cache.world_from_body[frame])
        sure = geometry.visible & (z_depth < 60)
        world_from_camera = SE3(world_from_body) @ geometry.body_from_camera
        images = torch.from_numpy(street.cache.images[frame].copy()).permute(0, 3, 1, 2) / 255
        return Moment(SureDepth(depth, sure), world_from_camera, images, geometry.visible)

    return moment


def worse(moment: Moment, factor: torch.Tensor) -> Moment:
    """The moment with its depths multiplied."""
    return moment._replace(found=moment.found._replace(depth=moment.found.depth * factor))


def noisy(moment: Moment, seed: int) -> Moment:
    noise = torch.randn(moment.found.depth.shape, generator=torch.Generator().manual_seed(seed))
    return worse(moment, torch.exp(NOISE * noise.clamp(-2, 2)))


def error(found: SureDepth, true: Moment) -> float:
    """Mean error of log depth where the truth is sure."""
    off = (torch.log(found.depth) - torch.log(true.found.depth)).abs()
    return off[true.found.sure].mean().item()


def test_true_depths_stay_true(truth, geometry):
    """Samples of a grid 160 pixels wide are off by .4 % in the mean."""
    now = truth(NOW)
    same = averaged(now, [truth(frame) for frame in AROUND], geometry)
    assert error(same, now) < 0.01


def test_independent_errors_average_out(truth, geometry):
    now = truth(NOW)
    own = noisy(now, 0)
    others = [noisy(truth(frame), 1 + frame) for frame in AROUND]
    assert error(averaged(own, others, geometry), now) < 0.7 * error(own.found, now)
    alone = averaged(own, [], geometry)
    overlapping = (alone.depth / own.found.depth - 1).abs() > 1e-3
    assert 0.02 < overlapping.float().mean() < 0.5, 'its own cameras have a say where they overlap'


def test_the_wrong_pose_is_not_believed(truth, geometry):
    """Or the test above would pass with whatever is averaged."""
    now = truth(NOW)
    own = noisy(now, 0)
    poses = [truth(frame).world_from_camera for frame in reversed(AROUND)]
    others = [
        noisy(truth(frame), 1 + frame)._replace(world_from_camera=pose)
        for frame, pose in zip(AROUND, poses, strict=True)
    ]
    right = [noisy(truth(frame), 1 + frame) for frame in AROUND]
    assert error(averaged(own, others, geometry), now) > 1.2 * error(
        averaged(own, right, geometry), now
    )


def test_what_disagrees_has_no_say(truth, geometry):
    """Half as far again is another thing: a mover, or what stands before it."""
    now = truth(NOW)
    others = [worse(truth(frame), torch.tensor(1.5)) for frame in AROUND]
    with_others, alone = averaged(now, others, geometry), averaged(now, [], geometry)
    same = (with_others.depth / alone.depth - 1).abs() < 1e-6
    assert same[now.found.sure].float().mean() > 0.9
    change = (torch.log(with_others.depth) - torch.log(now.found.depth)).abs()
    assert change.max() <= AGREE + 1e-3


def test_the_nearer_view_has_the_greater_say(truth, geometry):
    """Twelve frames on, the front camera is nearer to what it looks at."""
    now = truth(NOW)
    found = averaged(worse(now, torch.tensor(1.1)), [truth(32)], geometry)
    front = front_camera(geometry)
    off = torch.log(found.depth / now.found.depth)[front]
    log_own = math.log(1.1)
    heard = now.found.sure[front] & (now.found.depth[front] > 15) & (off < 0.99 * log_own)
    assert heard.float().mean() > 0.02
    assert off[heard].median() < 0.45 * log_own, 'less than the plain mean leaves'


def front_camera(geometry: RigGeometry) -> int:
    """The camera that looks ahead most."""
    return int(geometry.body_from_camera.rotation[:, 0, 2].argmax())


def test_what_is_not_sure_is_left_alone(truth, geometry):
    now = truth(NOW)
    doubted = now.found._replace(sure=torch.zeros_like(now.found.sure))
    found = averaged(now._replace(found=doubted), [truth(frame) for frame in AROUND], geometry)
    assert torch.equal(found.depth, now.found.depth) and not found.sure.any()


def test_witnesses_keep_what_stands_and_drop_chance_matches(truth, geometry):
    """A patch of every moment has depths of its own, as a sweep finds them on a mover."""

    def spoilt(moment: Moment, factor: float) -> Moment:
        wrong = torch.ones_like(moment.found.depth)
        wrong[0, 30:60, 60:100] = factor
        return worse(moment, wrong)

    now = spoilt(truth(NOW), 2.0)
    others = [spoilt(truth(frame), 2.0 + index) for index, frame in enumerate(AROUND)]
    found = averaged(now, others, geometry, witnesses=2)
    chance = torch.zeros_like(now.found.sure)
    chance[0, 30:60, 60:100] = True
    kept = found.sure[now.found.sure & ~chance].float().mean()
    assert kept > 0.8
    assert found.sure[now.found.sure & chance].float().mean() < 0.1
    assert averaged(now, others, geometry).sure[now.found.sure & chance].all()


def test_no_more_witnesses_are_asked_for_than_there_are(truth, geometry):
    """Alone, a frame keeps what it found; of one other, that one must agree."""
    now, other = truth(NOW), truth(AROUND[1])
    alone = averaged(now, [], geometry, witnesses=2)
    assert torch.equal(alone.sure, now.found.sure) and alone.sure.any()
    of_one = averaged(now, [other], geometry, witnesses=2)
    assert torch.equal(of_one.sure, averaged(now, [other], geometry, witnesses=1).sure)
    assert 0.3 < of_one.sure[now.found.sure].float().mean() < 0.99


def with_a_gap(moment: Moment) -> tuple[Moment, torch.Tensor]:
    """The moment unsure of a third of every image's width, and where that is."""
    gap = torch.zeros_like(moment.found.sure)
    gap[:, :, 50:105] = True
    open_ = moment.found._replace(sure=moment.found.sure & ~gap)
    return moment._replace(found=open_), gap & moment.found.sure


def test_what_a_frame_is_not_sure_of_is_lent_by_those_around(truth, geometry):
    now, others = truth(NOW), [truth(frame) for frame in AROUND]
    before, gap = with_a_gap(now)
    found = with_borrowed(before, others, geometry, 60.0)
    lent = gap & found.sure
    assert lent.sum() > 0.6 * gap.sum()
    off = (torch.log(found.depth) - torch.log(now.found.depth)).abs()[lent]
    assert off.median() < 0.01
    assert (off < 0.1).float().mean() > 0.95
    # What was sure stays as it was, and what is not to be seen stays open.
    known = before.found.sure
    assert torch.equal(found.depth[known], before.found.depth[known]) and found.sure[known].all()
    assert not (found.sure & ~geometry.visible).any()


def test_the_neighbour_lends_what_both_see(truth, geometry):
    """At one moment, with nobody else to ask: along the rims of the images."""
    now, before = truth(NOW), truth(NOW)
    before.found.sure[:, :, :12] = False
    found = with_borrowed(before, [], geometry, 60.0)
    lent = found.sure & ~before.found.sure
    assert lent.sum() > 300
    off = (torch.log(found.depth) - torch.log(now.found.depth)).abs()[lent & now.found.sure]
    assert (off < 0.1).float().mean() > 0.9


def test_nothing_is_lent_to_another_colour_or_from_beyond_the_limit(truth, geometry):
    others = [truth(frame) for frame in AROUND]
    before, gap = with_a_gap(truth(NOW))
    strange = before._replace(images=(before.images + 0.3) % 1.0)
    assert (with_borrowed(strange, others, geometry, 60.0).sure & gap).sum() < 0.05 * gap.sum()
    # The limit is what the lenders saw, some metres before or behind.
    limited, whole = (with_borrowed(before, others, geometry, limit) for limit in (8.0, 60.0))
    assert limited.depth[gap & limited.sure].max() < 16 < whole.depth[gap & whole.sure].max()
