# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rectification on the epipolar sphere and semi-global matching, against known truth."""

import cv2
import numpy as np
import pytest

from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.sgm import rectify
from selfdepth_training.sgm.matching import (
    Setting,
    disparities,
    disparities_of_right,
    drawn,
    fixed,
    mutual,
)
from selfdepth_training.sgm.pair import GreyView, matched_distances
from selfdepth_training.sgm.rectify import EpipolarSphere

PINHOLE = PinholeCamera(128, 96, 90.0, 90.0, 63.5, 47.5)
FISHEYE = EquidistantCamera(128, 96, 55.0, 55.0, 63.5, 47.5)
WALL_M = 5.0

# Twists (translation, rotation vector) of the source in the target's frame: ahead exactly, ahead
# and a bit aside, back, to both sides, down, and aside while turning.
POSES = {
    'ahead': (0, 0, 0.6, 0, 0, 0),
    'nearly ahead': (0.1, -0.05, 0.6, 0.01, 0.02, 0),
    'back': (0.02, 0.0, -0.6, 0, -0.02, 0),
    'right': (0.4, 0, 0, 0, 0, 0),
    'left': (-0.4, 0.02, 0.05, 0, 0, 0.02),
    'down': (0, 0.4, 0, 0, 0, 0),
    'turning': (0.3, 0, 0.1, 0.0, -0.2, 0.0),
}  # fmt: skip


def source_from_target(name: str) -> SE3:
    return SE3.exp(np.array(POSES[name], np.float64)).inverse()


@pytest.mark.parametrize('lens', [PINHOLE, FISHEYE], ids=['pinhole', 'fisheye'])
@pytest.mark.parametrize('name', POSES)
def test_matches_lie_in_one_row_and_their_disparity_is_the_distance(name, lens):
    pose = source_from_target(name)
    sphere = EpipolarSphere.of(lens, lens, pose, 32)
    rng = np.random.default_rng(0)
    rays = lens.pixel_rays()[0][::5, ::5]
    points = rays * rng.uniform(1.5, 40, (*rays.shape[:2], 1))
    seen_from_source = pose.apply(points)
    turned_back = seen_from_source @ pose.rotation  # directions from the source, in the target
    target, source = sphere.places(rays), sphere.places(turned_back)
    # At the epipole itself every row is its row.
    angle = (sphere.first_column_rad - target.columns * sphere.step_rad) % np.pi
    away = (angle > 0.05) & (angle < np.pi - 0.05)
    assert away.mean() > 0.9
    np.testing.assert_allclose(target.rows[away], source.rows[away], atol=0.02)
    disparity = target.columns - source.columns
    assert (disparity[away] > 0).all()
    told = sphere.distance_m(target, disparity)[away]
    np.testing.assert_allclose(told, np.linalg.norm(points, axis=-1)[away], rtol=0.02)


@pytest.mark.parametrize('name', POSES)
def test_a_sphere_of_few_rows_holds_all_that_the_target_sees(name, monkeypatch):
    monkeypatch.setattr(rectify, 'MOST_ROWS', 50)
    sphere = EpipolarSphere.of(PINHOLE, PINHOLE, source_from_target(name), 32)
    places = sphere.places(PINHOLE.pixel_rays()[0])
    assert sphere.rows == 50
    assert places.rows.min() >= -0.51 and places.rows.max() <= 49.51
    assert places.columns.min() >= 31 and places.columns.max() <= sphere.columns - 1


def texture(smooth_px: float = 8) -> np.ndarray:
    """Smooth noise, 16 x 12 metres at 100 pixels each."""
    noise = np.random.default_rng(3).integers(0, 256, (1200, 1600), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), smooth_px), None, 0, 255, cv2.NORM_MINMAX)


def wall(
    lens: PinholeCamera | EquidistantCamera, target_from_camera: SE3, wall_m: float = WALL_M
) -> GreyView:
    """A wall straight ahead of the target, as another camera sees it; what is beside it is not."""
    directions = lens.pixel_rays()[0] @ target_from_camera.rotation.T
    start = target_from_camera.translation
    ahead = directions[..., 2]
    far = (wall_m - start[2]) / np.where(ahead > 0.2, ahead, np.nan)
    x, y = (start[i] + far * directions[..., i] for i in (0, 1))
    u, v = (np.nan_to_num(100 * c + m, nan=-1e4) for c, m in ((x, 800), (y, 600)))
    image = cv2.remap(texture(), u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR)
    inside = (u > 0) & (u < 1599) & (v > 0) & (v < 1199)
    return GreyView(lens, image, inside)


@pytest.mark.parametrize('lens', [PINHOLE, FISHEYE], ids=['pinhole', 'fisheye'])
@pytest.mark.parametrize('name', ['nearly ahead', 'right', 'left', 'down', 'turning'])
def test_a_wall_is_found_where_it_is_whichever_way_the_camera_goes(name, lens):
    pose = source_from_target(name)
    target = wall(lens, SE3.identity())
    rays = lens.pixel_rays()[0]
    (found,) = matched_distances(
        target, wall(lens, pose.inverse()), pose, rays, [Setting(3, 32)], 0.0
    )
    known = np.isfinite(found) & target.visible
    off = np.abs(found * rays[..., 2] / WALL_M - 1)[known]
    # Ahead, near the epipole, there is little parallax, and none at it.
    assert known[target.visible].mean() > (0.6 if name == 'nearly ahead' else 0.75)
    assert np.median(off) < 0.05
    assert (off < 0.2).mean() > 0.8


@pytest.mark.parametrize('baseline_m', [0.03, 0.045])
def test_a_stereo_head_of_a_few_centimetres_tells_what_is_near(baseline_m):
    pose = SE3.exp(np.array([baseline_m, 0, 0, 0, 0, 0])).inverse()
    target, source = (wall(PINHOLE, p, 0.8) for p in (SE3.identity(), pose.inverse()))
    rays = PINHOLE.pixel_rays()[0]
    (found,) = matched_distances(target, source, pose, rays, [Setting(3, 32)], 0.0)
    known = np.isfinite(found) & target.visible
    assert known[target.visible].mean() > 0.75
    assert np.median(np.abs(found * rays[..., 2] / 0.8 - 1)[known]) < 0.05


def test_cameras_in_one_place_tell_no_depth():
    pose = SE3.exp(np.array([0.009, 0, 0, 0, 0.1, 0]))
    view, rays = wall(PINHOLE, SE3.identity()), PINHOLE.pixel_rays()[0]
    found = matched_distances(view, view, pose, rays, fixed(128), 0.0)
    assert found.shape == (len(fixed(128)), 96, 128) and np.isnan(found).all()


def test_what_the_source_does_not_see_is_not_told():
    pose, rays = source_from_target('right'), PINHOLE.pixel_rays()[0]
    target, source = wall(PINHOLE, SE3.identity()), wall(PINHOLE, pose.inverse())
    body = source.visible.copy()
    body[:, :64] = False
    settings = [Setting(3, 32)]
    (whole,) = matched_distances(target, source, pose, rays, settings, 0.0)
    (found,) = matched_distances(target, source._replace(visible=body), pose, rays, settings, 0.0)
    shift = 90 * 0.4 / WALL_M
    left, right = slice(0, 60), slice(int(66 + shift), 128)
    assert np.isfinite(whole[:, 30:60]).mean() > 0.9
    assert np.isnan(found[:, left]).mean() > 0.99
    np.testing.assert_array_equal(found[:, right], whole[:, right])


def occluded_pair() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left and right image of a square before a wall; which left pixels it hides on the right.

    The wall has 4 pixels of disparity, the square 28, so that 24 columns of wall beside it are
    seen by the left image alone.
    """
    paint = texture(1.5)
    wide = paint[:80, :240]
    left, right = wide[:, :200].copy(), np.roll(wide, -4, 1)[:, :200].copy()
    square = paint[500:540, 700:760]
    left[20:60, 100:160] = square
    right[20:60, 72:132] = square
    hidden = np.zeros(left.shape, bool)
    hidden[20:60, 76:100] = True
    return left, right, hidden


@pytest.mark.parametrize('filled', ['as the wall', 'as the square', 'with anything'])
def test_the_left_right_check_drops_what_one_image_alone_sees(filled):
    """True disparities, up to a third of a pixel, but for the hidden pixels."""
    _, _, hidden = occluded_pair()
    rng = np.random.default_rng(0)
    of_left = np.full(hidden.shape, 4, np.float32)
    of_right = of_left.copy()
    of_left[20:60, 100:160] = of_right[20:60, 72:132] = 28
    anything = rng.uniform(0, 32, hidden.shape).astype(np.float32)
    wrong = {'as the wall': 4, 'as the square': 28, 'with anything': anything}[filled]
    of_left = np.where(hidden, wrong, of_left)
    of_left += rng.uniform(-0.3, 0.3, hidden.shape).astype(np.float32)
    seen_by_both = np.indices(hidden.shape)[1] >= 32
    dropped = (~mutual(of_left.astype(np.float32), of_right, 1.0))[seen_by_both]
    recall, precision = dropped[hidden[seen_by_both]].mean(), hidden[seen_by_both][dropped].mean()
    assert precision >= 0.9
    assert recall >= 0.9, recall


def test_of_matched_images_the_check_keeps_little_that_is_hidden_and_nearly_all_that_is_not():
    left, right, hidden = occluded_pair()
    found = disparities(left, right, Setting(3, 32))
    kept = mutual(found, disparities_of_right(left, right, Setting(3, 32)), 1.0)
    inner = (slice(5, 75), slice(40, 165))  # where both have as many columns to look through
    told, kept, hidden = np.isfinite(found)[inner], kept[inner], hidden[inner]
    assert kept[hidden].mean() < 0.6 * told[hidden].mean(), 'the check does what matching does not'
    assert kept[hidden].mean() < 0.1
    assert kept[~hidden].mean() > 0.97


def test_a_disparity_is_columns_further_left():
    image = texture(1.5)[:60, :200]
    left, right = image[:, :160], image[:, 9:169]
    for found in (
        disparities(left, right, Setting(1, 32))[:, 32:],
        disparities_of_right(left, right, Setting(1, 32))[:, :128],
    ):
        known = np.isfinite(found)
        assert known.mean() > 0.8
        assert np.abs(found[known] - 9).mean() < 0.1


def test_the_range_of_disparities_is_scaled_with_the_image():
    assert {s.disparities for s in fixed(640)} == {256}
    assert {s.disparities for s in fixed(320)} == {128}
    assert all(s.disparities % 16 == 0 and s.disparities > 0 for s in fixed(16))
    draws = [drawn(320, np.random.default_rng(seed))[0] for seed in range(40)]
    assert len(set(draws)) > 30
    assert all(d.large_step >= 2 * d.small_step for d in draws)
    assert drawn(320, np.random.default_rng(5)) == drawn(320, np.random.default_rng(5))
