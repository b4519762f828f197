# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A scan of a known room has its known walls, and nobody's sector is free space."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdepth_ros.compiled import fastest_steps
from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.config import config_from_dict
from selfdepth_ros.core.depth import DepthLimit
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.fusion import Fusion, FusionConfig
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.scan import ScanConfig, Scanner
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages import scan_fields

W, H, FOCAL = 120, 80, 50.0  # 100 degrees wide
LENS = PinholeCamera(W, H, FOCAL, FOCAL, (W - 1) / 2, (H - 1) / 2)
HALF_WIDTH = np.arctan(W / 2 / FOCAL)
OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
CONFIG = ScanConfig(beams=360, min_height_m=0.2, max_height_m=1.8, max_range_m=10.0)
WALL_M = 4.0  # half of the room's side
EVERYONE = (True,) * 4


def rig_of(yaws=(0, 90, 180, 270), offset_m: float = 0.0, masks=None, height_m=1.0) -> Rig:
    """Cameras that look outwards, each `offset_m` ahead of the body's axis."""
    cameras = []
    for index, yaw in enumerate(yaws):
        c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        place = turn @ [offset_m, 0, height_m]
        pose = SE3.from_rotation_translation(turn @ OPTICAL, place)
        mask = None if masks is None else masks[index]
        cameras.append(RigCamera(f'c{index}', LENS, pose, f'c{index}_optical', mask))
    return Rig(tuple(cameras))


RIG = rig_of()


def angle_between(azimuths, yaw_deg: float):
    return np.abs((azimuths - np.radians(yaw_deg) + np.pi) % (2 * np.pi) - np.pi)


def room_depths(rig: Rig) -> np.ndarray:
    """Z-depth of the walls of a square room with neither floor nor ceiling."""
    depths = []
    for item in rig.cameras:
        rays, _ = item.camera.pixel_rays()
        rays = item.body_from_camera.rotate((rays / rays[..., 2:]).astype(np.float64))
        at = item.body_from_camera.translation
        with np.errstate(divide='ignore'):
            hit = (np.sign(rays[..., :2]) * WALL_M - at[:2]) / rays[..., :2]
        depths.append(hit.min(axis=-1))
    return np.array(depths, np.float32)


def room_cloud(rig: Rig, present=None):
    config = FusionConfig(margin_px=0, flying_slope=0.0, sky_reach_px=0)
    images = np.zeros((len(rig), H, W, 3), np.uint8)
    return Fusion(rig, config).fuse(room_depths(rig), images, present)


def ring(radius_m: float, height_m: float, count: int = 3600) -> np.ndarray:
    angle = np.linspace(-np.pi, np.pi, count)
    points = np.stack([np.cos(angle), np.sin(angle), np.zeros(count)], -1) * radius_m
    return (points + [0, 0, height_m]).astype(np.float32)


@pytest.mark.parametrize('offset_m', [0.0, 0.5])
def test_a_square_room_has_its_walls_at_the_known_ranges(offset_m):
    rig = rig_of(offset_m=offset_m)
    ranges = Scanner(rig, CONFIG).ranges(room_cloud(rig).points, EVERYONE)
    azimuths = CONFIG.azimuths()
    # The nearest point of a beam one degree wide: that of its edge towards the wall's middle.
    half = CONFIG.angle_increment / 2
    edges = np.stack([azimuths - half, azimuths, azimuths + half])
    truth = WALL_M / np.maximum(np.abs(np.cos(edges)), np.abs(np.sin(edges)))
    assert np.all(ranges >= truth.min(axis=0) - 1e-3)
    assert np.all(ranges <= truth.max(axis=0) + 0.1)


@pytest.mark.parametrize('dead', range(4))
def test_a_dead_camera_makes_exactly_its_own_sector_unknown(dead):
    present = tuple(index != dead for index in range(4))
    ranges = Scanner(RIG, CONFIG).ranges(room_cloud(RIG, present).points, present)
    azimuths = CONFIG.azimuths()
    mine = angle_between(azimuths, 90 * dead) < HALF_WIDTH
    others = np.any(
        [angle_between(azimuths, 90 * i) < HALF_WIDTH for i in range(4) if i != dead], 0
    )
    np.testing.assert_array_equal(np.isnan(ranges), mine & ~others)
    assert np.isfinite(ranges[others]).all()
    assert not np.isinf(ranges).any()


def test_free_space_is_where_somebody_looks_and_nothing_is():
    nothing = np.zeros((0, 3), np.float32)
    ahead = rig_of(yaws=(0, 90))
    ranges = Scanner(ahead, CONFIG).ranges(nothing, (True, False))
    looked_at = angle_between(CONFIG.azimuths(), 0) < HALF_WIDTH
    np.testing.assert_array_equal(np.isposinf(ranges), looked_at)
    assert np.isnan(ranges[~looked_at]).all()
    assert np.isnan(Scanner(ahead, CONFIG).ranges(nothing, (False, False))).all()


def test_the_robots_own_body_hides_what_is_behind_it():
    column = np.arange(W)[None] * np.ones((H, 1))
    masks = [column < W / 2, None, None, None]  # the left half of the camera ahead
    scanner = Scanner(rig_of(masks=masks), CONFIG)
    alone = (True, False, False, False)
    azimuths = CONFIG.azimuths()
    right_half = (azimuths < 0) & (azimuths > -HALF_WIDTH)
    found = scanner.looked_at(alone)
    edge = np.abs(azimuths) < np.radians(1)  # through the border of the mask itself
    np.testing.assert_array_equal(found[~edge], right_half[~edge])
    blind = Scanner(rig_of(masks=[np.ones((H, W), bool), None, None, None]), CONFIG)
    assert not blind.looked_at(alone).any()


def test_a_camera_that_looks_over_the_band_looks_at_nothing():
    high = Scanner(rig_of(height_m=60.0), CONFIG)
    assert not high.looked_at(EVERYONE).any()
    assert Scanner(rig_of(height_m=60.0), CONFIG, ground_height_m=59.0).looked_at(EVERYONE).all()


def test_a_part_that_the_dead_camera_alone_sees_is_enough_for_unknown():
    """Cameras ahead of the axis: near the robot, a beam passes from one to the other."""
    rig = rig_of(offset_m=0.8)
    scanner = Scanner(rig, replace(CONFIG, min_range_m=1.2))
    assert scanner.looked_at(EVERYONE).all()
    unknown = ~scanner.looked_at((True, False, True, True))
    far = ~Scanner(rig, replace(CONFIG, min_range_m=9.0)).looked_at((True, False, True, True))
    assert unknown.sum() > far.sum() > 0
    assert not (far & ~unknown).any()


def test_what_is_below_or_above_the_band_does_not_count():
    points = np.concatenate([ring(2.0, 0.1), ring(3.0, 1.9)])
    scanner = Scanner(RIG, CONFIG)
    assert np.isposinf(scanner.ranges(points, EVERYONE)).all()
    both = scanner.ranges(np.concatenate([points, ring(5.0, 1.0)]), EVERYONE)
    np.testing.assert_allclose(both, 5.0, rtol=1e-5)
    lower = Scanner(RIG, CONFIG, ground_height_m=-0.2)
    np.testing.assert_allclose(lower.ranges(points, EVERYONE), 2.0, rtol=1e-5)


def test_too_near_and_too_far():
    scanner = Scanner(RIG, CONFIG)
    assert np.isneginf(scanner.ranges(ring(0.29, 1.0), EVERYONE)).all()
    assert np.isposinf(scanner.ranges(ring(10.01, 1.0), EVERYONE)).all()
    assert np.isfinite(scanner.ranges(ring(9.99, 1.0), EVERYONE)).all()


@pytest.mark.parametrize('kind', ['z_depth', 'ray_distance'])
def test_what_is_too_near_for_the_cloud_is_no_free_space(kind):
    """Something right before the camera ahead; behind stands a wall, and nothing else is."""
    scanner = Scanner(RIG, CONFIG, depth_kind=kind)
    wall = ring(4.0, 1.0)
    wall = wall[wall[:, 0] < 0]
    depths = np.full((4, H, W), 30, np.float32)
    depths[0] = 0.2
    azimuths = CONFIG.azimuths()
    ranges = scanner.ranges(wall, EVERYONE, depths)
    # In the image's corners the ray is longer than the depth: there it may be 0.5 m away.
    ahead = angle_between(azimuths, 0) < HALF_WIDTH - np.radians(1)
    behind = np.abs(azimuths) > np.pi / 2 + 0.01
    assert np.isneginf(ranges[ahead]).all()
    assert np.isfinite(ranges[behind]).all()
    dead = scanner.ranges(wall, (False, True, True, True), depths)
    assert np.isnan(dead[angle_between(azimuths, 0) < np.radians(39)]).all()
    assert not np.isneginf(dead).any()


def test_the_robots_own_body_and_what_is_out_of_the_band_are_not_too_near():
    depths = np.full((1, H, W), 0.2, np.float32)
    nothing = np.zeros((0, 3), np.float32)
    masked = rig_of(yaws=(0,), masks=[np.arange(H)[:, None] * np.ones((1, W)) > H / 2 + 4])
    lower_half = depths.copy()
    lower_half[0, : H // 2 + 5] = 30
    ranges = Scanner(masked, CONFIG).ranges(nothing, (True,), lower_half)
    assert not np.isneginf(ranges).any() and np.isposinf(ranges).any()
    high = rig_of(yaws=(0,), height_m=5.0)
    above = Scanner(high, CONFIG).ranges(nothing, (True,), depths)
    assert not np.isneginf(above).any() and np.isposinf(above).any()
    for no_depth in (np.nan, 0.0, -1.0, np.inf):
        found = Scanner(rig_of(yaws=(0,)), CONFIG).ranges(
            nothing, (True,), np.full((1, H, W), no_depth, np.float32)
        )
        assert not np.isneginf(found).any()


@pytest.mark.parametrize('no_depth', [np.nan, 0.0, -1.0])
def test_where_a_camera_has_no_depth_nothing_is_known(no_depth):
    nothing = np.zeros((0, 3), np.float32)
    depths = np.full((4, H, W), np.inf, np.float32)
    scanner = Scanner(RIG, CONFIG)
    assert np.isposinf(scanner.ranges(nothing, EVERYONE, depths)).all()
    depths[0, :, W // 2 :] = no_depth  # to the right of straight ahead
    ranges, azimuths = scanner.ranges(nothing, EVERYONE, depths), CONFIG.azimuths()
    right = (azimuths < np.radians(-1)) & (azimuths > 1e-3 - HALF_WIDTH)
    assert np.isnan(ranges[right]).all()
    assert np.isposinf(ranges[np.abs(azimuths + HALF_WIDTH / 2) > HALF_WIDTH / 2 + 0.02]).all()
    assert np.isposinf(scanner.ranges(nothing, EVERYONE, np.full_like(depths, np.inf))).all()


@pytest.mark.parametrize('compiled', [False, True], ids=['numpy', 'compiled'])
@pytest.mark.parametrize('kind', ['z_depth', 'ray_distance'])
def test_an_obstacle_that_was_dropped_as_unsure_is_no_free_space(kind, compiled):
    filters = FusionConfig(min_confidence=0.6, margin_px=0, flying_slope=0.0, sky_reach_px=0)
    images, depths = np.zeros((4, H, W, 3), np.uint8), room_depths(RIG)
    confidence = np.full(depths.shape, 0.9, np.float32)
    confidence[0] *= 0.5
    cloud = Fusion(RIG, filters, kind).fuse(depths, images, confidence=confidence)
    steps = fastest_steps().scan_steps() if compiled else None
    scanner = Scanner(RIG, CONFIG, filters=filters, depth_kind=kind, steps=steps)
    ranges = scanner.ranges(cloud.points, EVERYONE, depths, confidence)
    # The neighbours see the room's wall from 40 degrees on.
    ahead = angle_between(CONFIG.azimuths(), 0) < np.radians(39)
    assert np.isnan(ranges[ahead]).all()
    assert np.isfinite(ranges[angle_between(CONFIG.azimuths(), 0) > np.radians(41)]).all()
    # What is farther than the scan, or on no height that counts, is unsure for nothing.
    nothing = np.zeros((0, 3), np.float32)
    far = np.full_like(depths, 30)
    assert np.isposinf(scanner.ranges(nothing, EVERYONE, far, 0 * confidence)).all()
    low = Scanner(RIG, CONFIG, ground_height_m=-5.0, filters=filters, depth_kind=kind)
    unsure = np.isnan(low.ranges(nothing, EVERYONE, depths / 4, 0 * confidence))
    assert (unsure <= ~low.looked_at(EVERYONE)).all()


@pytest.mark.parametrize('compiled', [False, True], ids=['numpy', 'compiled'])
@pytest.mark.parametrize(('share', 'sure', 'expected'), [
    (0.4, 0.1, np.nan), (0.01, 0.9, -np.inf), (0.9, 0.1, None),
], ids=['unsure', 'too near', 'unsure rim'])  # fmt: skip
def test_what_stands_unseen_before_a_wall_has_not_the_walls_range(share, sure, expected, compiled):
    filters = FusionConfig(min_confidence=0.6, margin_px=0, flying_slope=0.0, sky_reach_px=0)
    images, depths = np.zeros((4, H, W, 3), np.uint8), room_depths(RIG)
    confidence = np.full(depths.shape, 0.9, np.float32)
    before = np.s_[0, : H // 2, W // 2 - 6 : W // 2 + 6]  # the wall is seen below
    depths[before] *= share
    confidence[before] = sure
    cloud = Fusion(RIG, filters).fuse(depths, images, confidence=confidence)
    steps = fastest_steps().scan_steps() if compiled else None
    config = replace(CONFIG, beams=180)  # each has pixels of its own
    ranges = Scanner(RIG, config, filters=filters, steps=steps).ranges(
        cloud.points, EVERYONE, depths, confidence
    )
    ahead = ranges[angle_between(config.azimuths(), 0) < 2 / RIG.cameras[0].camera.focal]
    assert len(ahead)
    assert (
        np.isfinite(ahead).all()
        if expected is None
        else np.array_equal(ahead, np.full_like(ahead, expected), equal_nan=True)
    )


def test_a_scan_ends_where_the_cloud_ends():
    rig, filters = rig_of(offset_m=0.5), FusionConfig(max_range_m=6.0)
    scanner = Scanner(rig, CONFIG, filters=filters)
    assert scanner.config.max_range_m == 5.5
    assert scan_fields(scanner.ranges(ring(5.6, 1.0), EVERYONE), scanner.config).range_max == 5.5
    assert Scanner(rig, CONFIG).config.max_range_m == CONFIG.max_range_m
    # Clouds so short that nothing is left for a scan are no reason to fail.
    near = Scanner(rig, CONFIG, depth_limit=DepthLimit(16.0, 2 * FOCAL))  # 8 m for these
    assert near.config.max_range_m == pytest.approx(0.9 * 8 - 0.5)
    short = Scanner(rig, CONFIG, filters=FusionConfig(min_range_m=0.1, max_range_m=0.2))
    assert short.config.max_range_m == pytest.approx(CONFIG.min_range_m)


def test_an_obstacle_that_was_seen_is_told_also_where_not_all_is_seen():
    point = np.array([[0, 2.0, 1.0]], np.float32)
    ranges = Scanner(RIG, CONFIG).ranges(point, (True, False, True, True))
    assert ranges[CONFIG.beams * 3 // 4] == 2.0
    assert np.isnan(ranges).sum() > 10


def test_slits_finer_than_the_pixels_are_no_way_through():
    """A wall of posts two degrees apart, a pixel being 1.15 wide; and a real gate."""
    azimuth = np.radians(np.arange(-30, 31, 2.0))
    azimuth = azimuth[np.abs(np.degrees(azimuth)) > 4]
    wall = np.stack([np.cos(azimuth), np.sin(azimuth), np.ones_like(azimuth)], -1) * [3, 3, 1]
    ranges = Scanner(RIG, CONFIG).ranges(wall.astype(np.float32), EVERYONE)
    degrees = np.rint(np.degrees(CONFIG.azimuths()))
    walled = (np.abs(degrees) <= 30) & (np.abs(degrees) > 5)
    np.testing.assert_allclose(ranges[walled], 3.0, rtol=1e-5)
    assert np.isposinf(ranges[np.abs(degrees) < 6]).all()
    assert np.isposinf(ranges[np.abs(degrees) > 30]).all()
    through_the_back = Scanner(RIG, CONFIG).ranges(
        (-wall * [1, 1, -1]).astype(np.float32), EVERYONE
    )
    np.testing.assert_array_equal(through_the_back, np.roll(ranges, 180))


@given(st.integers(8, 1500), st.floats(-7, 7), st.floats(0.5, 9))
def test_a_point_is_in_the_beam_next_to_it(beams, azimuth, distance_m):
    config = replace(CONFIG, beams=beams)
    point = [distance_m * np.cos(azimuth), distance_m * np.sin(azimuth), 1.0]
    ranges = Scanner(rig_of(yaws=(0,)), config).ranges(np.array([point], np.float32), (True,))
    (hit,) = np.flatnonzero(np.isfinite(ranges))
    assert angle_between(config.azimuths()[hit], np.degrees(azimuth)) <= np.pi / beams + 1e-6
    assert ranges[hit] == pytest.approx(distance_m, rel=1e-5)


@pytest.mark.parametrize(
    'values',
    [{'min_height_m': 2.0, 'max_height_m': 1.0}, {'min_range_m': 5.0, 'max_range_m': 5.0}],
)
def test_limits_that_leave_nothing_are_refused(values):
    with pytest.raises(ConfigError, match='expected the first below the second'):
        config_from_dict(ScanConfig, values)
