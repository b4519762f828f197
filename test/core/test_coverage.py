# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Coverage by azimuth against what plane geometry says, and a camera described in numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdepth_ros.core.camera_view import (
    camera_view,
    field_of_view_deg,
    lens_kind,
    yaw_pitch_roll_deg,
)
from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.coverage import Interval, coverage, sees
from selfdepth_ros.core.errors import GeometryError
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3

HALF = 35.0
FOCAL = 320 / math.tan(math.radians(HALF))
LENS = PinholeCamera(640, 400, FOCAL, FOCAL, 319.5, 199.5)  # 70 degrees wide
OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def turn(yaw_deg, pitch_deg=0.0, roll_deg=0.0):
    """Rotation of a URDF's rpy: roll about x first, yaw about z last."""
    matrix = np.eye(3)
    for axis, angle_deg in ((2, yaw_deg), (1, pitch_deg), (0, roll_deg)):
        one, two = {0: (1, 2), 1: (2, 0), 2: (0, 1)}[axis]
        cosine, sine = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
        step = np.eye(3)
        step[one, one], step[one, two], step[two, one], step[two, two] = (
            cosine,
            -sine,
            sine,
            cosine,
        )
        matrix = matrix @ step
    return matrix


def mounted(name, yaw_deg, lens=LENS, at=(0.0, 0.0, 1.5), mask=None, pitch_deg=0.0):
    rotation = turn(yaw_deg, pitch_deg) @ OPTICAL
    pose = SE3.from_rotation_translation(rotation, np.array(at))
    return RigCamera(name, lens, pose, f'{name}_optical_frame', mask)


def ring(yaws=range(0, 360, 60), turned_deg=0.0):
    return Rig(tuple(mounted(f'at_{yaw}', yaw + turned_deg) for yaw in yaws))


def test_six_cameras_70_degrees_wide_overlap_by_10_and_leave_nothing_out():
    seen = coverage(ring())
    assert seen.blind() == ()
    assert seen.covered_deg() == 360
    assert seen.covered_deg(2) == 60
    assert seen.covered_deg(3) == 0
    assert seen.shared(0, 1) == (Interval(25, 10),)
    assert seen.shared(2, 3) == (Interval(145, 10),)
    assert seen.shared(0, 2) == ()
    assert seen.shared(3, 3) == (Interval(145, 70),)
    assert str(Interval(145.0, 70.0)) == '+145.0 to -145.0 deg'


def test_without_one_camera_there_is_a_blind_sector_of_known_limits():
    seen = coverage(ring([0, 60, 120, 240, 300]))
    (blind,) = seen.blind()
    assert blind == Interval(155, 50)
    assert (blind.end_deg, blind.middle_deg) == (-155, -180)
    assert seen.covered_deg() == 310


def test_sectors_divide_the_circle_by_who_sees_it():
    sectors = coverage(ring([0, 60, 120, 240, 300])).sectors()
    assert sum(sector.interval.width_deg for sector in sectors) == pytest.approx(360)
    by_cameras = {sector.cameras: sector.interval for sector in sectors}
    assert len(by_cameras) == len(sectors) == 10
    assert by_cameras[()] == Interval(155, 50)
    assert by_cameras[(0,)] == Interval(-25, 50)
    assert by_cameras[(0, 1)] == Interval(25, 10)


def test_a_circle_seen_alike_all_around_is_one_sector():
    (sector,) = coverage(ring(), elevation_deg=60.0).sectors()
    assert sector.cameras == ()
    assert str(sector.interval) == 'all around'
    assert coverage(ring(), elevation_deg=60.0).blind() == (Interval(-180, 360),)


BEFORE = coverage(ring([0, 60, 120]))


@given(st.integers(-3599, 3599))
def test_a_turned_rig_turns_its_coverage(cells):
    after = coverage(ring([0, 60, 120], cells / 10))
    np.testing.assert_array_equal(np.roll(BEFORE.seen, cells, axis=1), after.seen)


def test_a_mask_takes_the_interval_of_its_columns():
    mask = np.zeros((400, 640), dtype=bool)
    mask[:, 100:200] = True
    rig = Rig((mounted('a', 0.0, mask=mask),))
    left, right = (math.degrees(math.atan((319.5 - u) / FOCAL)) for u in (99.5, 199.5))
    behind, before = coverage(rig).shared(0, 0)
    assert (behind.start_deg, before.end_deg) == (-HALF, HALF)
    assert behind.end_deg == pytest.approx(right, abs=0.051)
    assert before.start_deg == pytest.approx(left, abs=0.051)


def test_a_mask_below_the_horizon_takes_nothing_from_it():
    mask = np.zeros((400, 640), dtype=bool)
    mask[210:] = True
    rig = Rig((mounted('a', 0.0, mask=mask),))
    assert coverage(rig).covered_deg() == 70
    assert coverage(rig, elevation_deg=-5.0).covered_deg() == 0


def test_near_the_body_the_place_of_a_camera_counts():
    """From 0.5 m to the left, the left border of the view is met at h + asin(0.5 cos(h) / d)."""
    rig = Rig((mounted('a', 0.0, at=(0.0, 0.5, 1.5)),))
    for distance_m in (1.0, 4.0):
        (seen,) = coverage(rig, distance_m=distance_m).shared(0, 0)
        shift = math.degrees(math.asin(0.5 * math.cos(math.radians(HALF)) / distance_m))
        assert seen.end_deg == pytest.approx(HALF + shift, abs=0.051)
        assert seen.start_deg == pytest.approx(-HALF + shift, abs=0.051)
    assert coverage(rig, distance_m=1e6).shared(0, 0) == coverage(rig).shared(0, 0)


@pytest.mark.parametrize(
    'lens',
    [
        LENS,
        PinholeCamera(
            640, 400, 400.0, 400.0, 300.0, 199.5, 'plumb_bob', (-0.25, 0.06, 0.0, 0.0, 0.0)
        ),
        EquidistantCamera(640, 480, 160.0, 160.0, 310.0, 239.5),
        EquidistantCamera(640, 480, 190.0, 190.0, 319.5, 239.5, (0.02, 0.0, 0.0, 0.0)),
    ],
)
def test_the_horizontal_field_of_view_is_what_is_seen_of_the_horizon(lens):
    horizontal_deg, vertical_deg = field_of_view_deg(lens)
    seen = coverage(Rig((mounted('a', 0.0, lens),)))
    assert seen.covered_deg() == pytest.approx(horizontal_deg, abs=0.11)
    half = np.radians(vertical_deg / 2 + np.array([-0.1, 0.1]))
    down = np.stack([0 * half, np.sin(half), np.cos(half)], axis=-1)
    assert lens.project(down)[1].tolist() == [True, False]  # cy is in the middle


def test_an_ideal_fisheye_has_the_angle_of_its_width():
    lens = EquidistantCamera(640, 480, 160.0, 160.0, 319.5, 239.5)
    assert field_of_view_deg(lens) == pytest.approx(np.degrees([4.0, 3.0]), abs=1e-6)


angles = st.floats(-179, 179)


@given(angles, st.floats(-89, 89), angles)
def test_yaw_pitch_and_roll_are_the_rpy_of_a_urdf(yaw_deg, pitch_deg, roll_deg):
    rotation = turn(yaw_deg, pitch_deg, roll_deg) @ OPTICAL
    pose = SE3.from_rotation_translation(rotation, np.zeros(3))
    assert yaw_pitch_roll_deg(pose) == pytest.approx((yaw_deg, pitch_deg, roll_deg), abs=1e-6)


@pytest.mark.parametrize('pitch_deg', [90.0, -90.0])
def test_straight_down_and_up_have_all_of_the_turn_in_yaw(pitch_deg):
    rotation = turn(30.0, pitch_deg) @ OPTICAL
    pose = SE3.from_rotation_translation(rotation, np.zeros(3))
    assert yaw_pitch_roll_deg(pose) == pytest.approx((30, pitch_deg, 0), abs=1e-5)


def test_a_camera_that_looks_down_has_positive_pitch():
    entry = mounted('a', 0.0, pitch_deg=10.0)
    assert camera_view(entry).pitch_deg == pytest.approx(10)
    forward = np.array([[10.0, 0.0, 1.5]])
    assert sees(replace(entry, camera=LENS.cropped(0, 0, 640, 200)), forward).all()  # upper half


def test_a_camera_is_told_in_numbers():
    view = camera_view(mounted('a', 57.0, at=(0.4, -0.5, 1.6), mask=np.eye(400, 640) > 0))
    assert view.lens == 'pinhole'
    assert (view.horizontal_deg, view.yaw_deg) == pytest.approx((70, 57))
    assert view.position_m == (0.4, -0.5, 1.6)
    assert view.own_body == pytest.approx(1 / 640)


def test_a_distortion_of_zeros_is_none():
    assert (
        lens_kind(replace(LENS, distortion_model='plumb_bob', distortion=(0.0,) * 5)) == 'pinhole'
    )
    distorted = replace(LENS, distortion_model='plumb_bob', distortion=(0.1, 0.0, 0.0, 0.0, 0.0))
    assert lens_kind(distorted) == 'pinhole plumb_bob'


@pytest.mark.parametrize(
    'how', [{'elevation_deg': 90.0}, {'distance_m': 0.0}, {'distance_m': np.nan}]
)
def test_a_distance_or_elevation_that_is_none_is_refused(how):
    with pytest.raises(GeometryError, match='expected more than'):
        coverage(ring(), **how)
