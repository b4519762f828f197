# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Points of cameras that fire one after another, against the true poses of the street's drive."""

from typing import NamedTuple

import numpy as np
import pytest

from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.fusion import Fusion, FusionConfig
from selfdepth_ros.core.motion import PoseTrack, motion_between
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.synthetic.rig import street_rig
from selfdepth_ros.synthetic.world import plan_drive

MS = 1_000_000
RIG = street_rig(64, 40)
EVERYTHING = FusionConfig(
    min_range_m=0.0, max_range_m=1000.0, margin_px=0, flying_slope=0.0, sky_reach_px=0
)


class Case(NamedTuple):
    """What the cloud should be, without and with motion: all in the world, metres."""

    true: np.ndarray
    unmoved: np.ndarray
    moved: np.ndarray
    cloud: PointCloud


def world_from_body(seed: int, stamps_ns) -> SE3:
    return SE3(plan_drive(seed, 12.0)[0].world_from_body(np.asarray(stamps_ns) * 1e-9))


def case(seed: int, now_ns: int, last_pose_ns: int) -> Case:
    """Six cameras, 6 ms apart; odometry at 50 Hz until `last_pose_ns`."""
    then_ns = now_ns + np.random.default_rng(seed).permutation(6) * 6 * MS
    track = PoseTrack()
    for stamp in range(last_pose_ns - 400 * MS, last_pose_ns + 1, 20 * MS):
        pose = world_from_body(seed, stamp)
        track.add(stamp, pose.translation.tolist(), pose.quaternion().tolist())
    stamps = [now_ns, *then_ns.tolist()]
    motion = motion_between(now_ns, then_ns.tolist(), track.around(stamps), 250 * MS)
    depths = np.random.default_rng(1).uniform(2, 50, (6, 40, 64)).astype(np.float32)
    images = np.zeros((6, 40, 64, 3), np.uint8)
    fusion = Fusion(RIG, EVERYTHING)
    still = fusion.fuse(depths, images)
    moved = fusion.fuse(depths, images, now_from_then=motion.now_from_then)
    np.testing.assert_array_equal(moved.camera, still.camera)
    points = still.points.astype(np.float64)
    body = world_from_body(seed, then_ns)
    true = np.concatenate([body[i].apply(points[still.camera == i]) for i in range(6)])
    now = world_from_body(seed, now_ns)
    return Case(true, now.apply(points), now.apply(moved.points.astype(np.float64)), moved)


def worst_m(true: np.ndarray, found: np.ndarray) -> float:
    return float(np.linalg.norm(true - found, axis=-1).max())


@pytest.mark.parametrize('seed', [101, 201, 202])
@pytest.mark.parametrize('second', [1.503, 4.01])
def test_every_camera_sees_the_world_where_it_is(seed: int, second: float) -> None:
    now_ns = round(second * 1e9)
    found = case(seed, now_ns, now_ns // (20 * MS) * 20 * MS + 60 * MS)
    assert len(found.cloud) > 5000
    assert worst_m(found.true, found.unmoved) > 0.05
    assert worst_m(found.true, found.moved) < 0.002


def test_odometry_that_lags_behind_the_images_is_still_worth_a_lot() -> None:
    now_ns = 3_000 * MS
    found = case(101, now_ns, now_ns - 40 * MS)
    assert worst_m(found.true, found.unmoved) > 0.1
    assert worst_m(found.true, found.moved) < 0.02
