# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Motion of one camera without overlaps, against exact views and the street's true odometry."""

import re
from dataclasses import replace

import numpy as np
import pytest

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import load_recipe
from selfdepth_training.corners import OdometryError
from selfdepth_training.odometry import with_visual_odometry
from selfdepth_training.two_views import PARALLAX_PX, UNIT, motion_between, triangulated

FOCAL = 150.0
FRAMES = 12
MOVED = SE3.from_rotation_translation(
    SE3.exp(np.array([0, 0, 0, 0.01, -0.02, 0.005])).rotation, np.array([0.1, -0.05, -0.9])
)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def points():
    """In the first camera, 4 to 20 m ahead."""
    rng = np.random.default_rng(0)
    return rng.uniform([-8, -2, 4], [8, 2, 20], (300, 3))


def test_rays_of_standing_points_meet_there(points):
    second = MOVED.apply(points)
    found = triangulated(unit(points), unit(second), MOVED, FOCAL)
    assert found.stands.mean() > 0.7
    np.testing.assert_allclose(found.points[found.stands], second[found.stands], atol=1e-6)
    assert (found.parallax_px[found.stands] > PARALLAX_PX).all()


def test_what_moves_faster_than_the_camera_does_not_stand(points):
    """It drives on ahead: its rays would meet behind the cameras."""
    second = MOVED.apply(points + np.array([0, 0, 2.5]))
    found = triangulated(unit(points), unit(second), MOVED, FOCAL)
    # But for a few near the direction of the motion.
    assert found.stands.mean() < 0.05 < (found.parallax_px > PARALLAX_PX).mean()


def test_two_views_tell_the_motion_but_for_its_unit(points, street):
    camera = street.rig.cameras[0].camera
    pixels = [camera.project(each) for each in (points, MOVED.apply(points))]
    seen = pixels[0][1] & pixels[1][1]
    motion = motion_between(pixels[0][0][seen], pixels[1][0][seen], camera)
    np.testing.assert_allclose(motion.rotation, MOVED.rotation, atol=1e-4)
    length = np.linalg.norm(motion.translation)
    np.testing.assert_allclose(
        motion.translation / length, unit(MOVED.translation[None])[0], atol=1e-3
    )
    found = triangulated(unit(points[seen]), unit(MOVED.apply(points[seen])), motion, camera.focal)
    assert np.median(found.points[found.stands, 2]) == pytest.approx(UNIT, rel=1e-3)


def one_camera(street, folder, frames):
    """A recording without odometry of the front camera alone, and its rig."""
    cache, rows = street.cache, list(frames)
    rig = replace(street.rig, cameras=street.rig.cameras[:1])
    means = cache.stamps_ns[: len(rows), :1]
    return replace(
        cache, images=cache.images[rows, :1], present=cache.present[rows, :1], stamps_ns=means,
        world_from_body=None, rig=rig, folder=folder,
    ), rig  # fmt: skip


def steps_of(poses):
    return SE3(poses[:-1, 0]).inverse() @ SE3(poses[1:, 0])


def test_the_motion_of_one_camera_is_found_but_for_its_unit(street, tmp_path):
    """Directions within 3 degrees, turns within .2, lengths in one ratio within a tenth."""
    cache, rig = one_camera(street, tmp_path, range(FRAMES))
    assert not rig.overlap_pairs()
    found = with_visual_odometry(cache, rig, load_recipe('fsm'), progress=False)
    true, ours = steps_of(street.cache.world_from_body[:FRAMES]), steps_of(found.world_from_body)
    true_m, length = (np.linalg.norm(each.translation, axis=1) for each in (true, ours))
    cosine = (true.translation * ours.translation).sum(1) / (true_m * length)
    ratio = length / true_m
    turned = np.linalg.norm((true.inverse() @ ours).log()[:, 3:], axis=1)
    print(np.rad2deg(np.arccos(cosine)), ratio, np.rad2deg(turned))
    assert np.rad2deg(np.arccos(cosine.min())) < 3
    assert np.rad2deg(turned.max()) < 0.2
    np.testing.assert_allclose(ratio / np.median(ratio), 1, atol=0.1)
    # Near enough to metres for thresholds in metres to mean something.
    assert 0.4 < np.median(ratio) < 2.5


def test_a_robot_that_stands_at_first_is_known_to(street, tmp_path):
    cache, rig = one_camera(street, tmp_path, [0] * 5 + list(range(1, FRAMES)))
    found = with_visual_odometry(cache, rig, load_recipe('fsm'), progress=False)
    length = np.linalg.norm(steps_of(found.world_from_body).translation, axis=1)
    assert length[:4].max() < 0.02 * np.median(length[4:])


def test_a_robot_that_only_stands_is_one_clear_error(street, tmp_path, capsys):
    """A bar shows how far the search is."""
    cache, rig = one_camera(street, tmp_path, [0] * 8)
    with pytest.raises(OdometryError, match=r'no two images .*Record /odom'):
        with_visual_odometry(cache, rig, load_recipe('fsm'))
    assert re.search(r'first motion .* 6/6 ', capsys.readouterr().err)
    with pytest.raises(OdometryError):
        with_visual_odometry(cache, rig, load_recipe('fsm'), progress=False)
    assert not capsys.readouterr().err
    assert not list(tmp_path.iterdir())
