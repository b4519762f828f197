# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Motion between the images of a set: where it is known it is right, else it is not used."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.errors import GeometryError
from selfdepth_ros.core.fusion import Fusion, FusionConfig
from selfdepth_ros.core.motion import PoseTrack, motion_between
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3

MS = 1_000_000
START = 1_700_000_000 * 10**9
GAP_NS = 250 * MS
TWIST = np.array([10.0, 0.3, 0.0, 0.02, -0.03, 0.5])
"""Per second: 10 m forward, half a radian to the left, a little of the rest."""
ORIGIN = SE3.exp(np.array([300.0, -40.0, 2.0, 0.1, 0.2, 2.5]))


def pose(stamp_ns: int) -> SE3:
    """fixed_from_body of a body with a constant twist."""
    return ORIGIN @ SE3.exp((stamp_ns - START) * 1e-9 * TWIST)


def truth(now_ns: int, then_ns: int) -> np.ndarray:
    return (pose(now_ns).inverse() @ pose(then_ns)).matrix


def track_of(*stamps_ns: int, at=pose) -> PoseTrack:
    track = PoseTrack()
    for stamp in stamps_ns:
        there = at(stamp)
        track.add(stamp, there.translation.tolist(), there.quaternion().tolist())
    return track


def every(step_ms: float, count: int = 40) -> list[int]:
    return [START + round(i * step_ms * MS) for i in range(count)]


TRACK = track_of(*every(20))
"""Asking does not change it."""


def motion(track: PoseTrack, now_ns: int, *then_ns: int | None, gap_ns: int = GAP_NS):
    stamps = [now_ns, *(stamp for stamp in then_ns if stamp is not None)]
    return motion_between(now_ns, then_ns, track.around(stamps), gap_ns)


@given(st.integers(0, 700 * MS), st.lists(st.integers(0, 30 * MS), min_size=1, max_size=12))
def test_between_poses_motion_is_that_of_the_body(at_ns, later_ns):
    now = START + at_ns
    found = motion(TRACK, now, *(now + later for later in later_ns))
    for moved, later in zip(found.now_from_then.matrix, later_ns, strict=True):
        np.testing.assert_allclose(moved, truth(now, now + later), atol=6e-4)  # chord for arc


@given(st.integers(1, 250), st.integers(0, 30))
def test_beyond_the_newest_pose_a_steady_motion_goes_on(beyond_ms, apart_ms):
    now = every(20)[-1] + (beyond_ms - min(apart_ms, beyond_ms)) * MS
    then = every(20)[-1] + beyond_ms * MS
    moved = motion(TRACK, now, then).now_from_then
    np.testing.assert_allclose(moved.matrix[0], truth(now, then), atol=1e-6)


def test_images_at_the_clouds_stamp_and_missing_ones_do_not_move():
    now = START + 33 * MS
    moved = motion(track_of(*every(20)), now, now, None, now + MS).now_from_then
    np.testing.assert_array_equal(moved.matrix[:2], [np.eye(4)] * 2)
    assert not np.array_equal(moved.matrix[2], np.eye(4))


def test_images_of_one_stamp_need_no_pose():
    found = motion(PoseTrack(), START, START, None)
    np.testing.assert_array_equal(found.now_from_then.matrix, [np.eye(4)] * 2)


def jumping(stamp_ns: int) -> SE3:
    """A body whose odometry is set back to zero."""
    return SE3.identity() if stamp_ns > START + 110 * MS else pose(stamp_ns)


@pytest.mark.parametrize(
    ('track', 'at_ms', 'words'),
    [
        (PoseTrack(), (0, 10), 'no pose is known'),
        (track_of(START), (10, 20), 'only one pose'),
        (track_of(*every(20)), (-30, 10), 'oldest pose is 30 ms younger'),
        (track_of(*every(20, 6)), (340, 351), 'newest pose is 251 ms older'),
        (track_of(*every(260, 3)), (100, 120), 'poses are 260 ms apart (at most 250 ms)'),
        (track_of(*every(310, 3)), (630, 650), 'poses are 310 ms apart'),
        (track_of(*every(20), at=jumping), (100, 115), 'the poses leap: '),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_what_is_not_known_is_not_used_and_said(track, at_ms, words):
    now, then = (START + ms * MS for ms in at_ms)
    found = motion(track, now, then)
    assert found.now_from_then is None
    assert words in found.problem


def test_a_leap_elsewhere_does_not_matter():
    track = track_of(*every(20), at=jumping)
    for at_ms in (30, 400):
        now = START + at_ms * MS
        assert motion(track, now, now + 15 * MS).now_from_then is not None


def test_slow_odometry_is_enough_within_the_gap():
    found = motion(track_of(*every(100, 6)), START + 130 * MS, START + 160 * MS)
    expected = truth(START + 130 * MS, START + 160 * MS)
    np.testing.assert_allclose(found.now_from_then.matrix[0], expected, atol=0.02)


def test_late_and_repeated_poses_are_let_go_and_a_new_time_line_begins_anew():
    track = track_of(*every(20))
    count = len(track)
    for stamp in (every(20)[-1], every(20)[-1] - 50 * MS):
        track.add(stamp, (9.0, 9.0, 9.0), (0.0, 0.0, 0.0, 1.0))
    assert len(track) == count
    again = START - 100 * 10**9
    for stamp in (again, again + 20 * MS):
        track.add(stamp, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    assert len(track) == 2
    moved = motion(track, again, again + 10 * MS).now_from_then
    np.testing.assert_allclose(moved.matrix[0], np.eye(4), atol=1e-12)


def test_only_the_last_seconds_are_kept():
    assert len(track_of(*every(20, 1000))) == 101


@pytest.mark.parametrize(
    ('position', 'quaternion'),
    [
        ((math.nan, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, math.inf, 1.0)),
        ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 1.0)),
    ],
)
def test_what_is_no_pose_is_refused(position, quaternion):
    with pytest.raises(GeometryError, match='expected finite values and length 1'):
        PoseTrack().add(START, position, quaternion)


# -- in the fusion --

LENS = PinholeCamera(40, 30, 30.0, 30.0, 19.5, 14.5)
FORWARD = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
IMAGES = np.zeros((2, 30, 40, 3), np.uint8)


def pair() -> Rig:
    """Two cameras side by side that look ahead."""
    poses = (SE3.from_rotation_translation(FORWARD, np.array([0, y, 1.0])) for y in (0.1, -0.1))
    return Rig(tuple(RigCamera(f'c{i}', LENS, p, f'c{i}') for i, p in enumerate(poses)))


@pytest.mark.parametrize('turn', [0.0, 1e-6, 0.3])
def test_moved_rays_are_moved_points(turn):
    fusion = Fusion(pair(), FusionConfig(margin_px=0, flying_slope=0.0))
    depths = np.random.default_rng(3).uniform(1, 50, (2, 30, 40)).astype(np.float32)
    move = SE3.stack([SE3.exp(np.array([1, 2, 3, turn, -turn, turn])), SE3.identity()])
    still, moved = fusion.fuse(depths, IMAGES), fusion.fuse(depths, IMAGES, now_from_then=move)
    for index in (0, 1):
        expected = move[index].apply(still.points[still.camera == index].astype(np.float64))
        found = moved.points[moved.camera == index]
        np.testing.assert_allclose(found, expected, atol=2e-4)
    again = fusion.fuse(depths, IMAGES)
    np.testing.assert_array_equal(again.points, still.points)


def test_neighbours_are_asked_from_where_they_stood():
    """A wall 4 m ahead, seen by the second camera from 1 m further back."""
    depths = np.stack([np.full((30, 40), depth, np.float32) for depth in (4.0, 5.0)])
    checking = Fusion(pair(), FusionConfig(margin_px=0, overlap_check=True, overlap_tolerance=0.1))
    move = SE3.stack([SE3.identity(), SE3.exp(np.array([-1.0, 0, 0, 0, 0, 0]))])
    wall = checking.fuse(depths, IMAGES, now_from_then=move)
    np.testing.assert_allclose(wall.points[:, 0], 4, rtol=1e-6)
    assert len(wall) == 2 * 30 * 40
    assert 0 < (checking.fuse(depths, IMAGES).camera == 0).sum() < 30 * 40 / 4
