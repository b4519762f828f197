# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Clouds whose faults are known score just these."""

from dataclasses import replace

import numpy as np
import pytest
from drive import make_rig
from hypothesis import given
from hypothesis import strategies as st

from selfdepth_ros.clouds.quality import (
    CloudJudge,
    QualityConfig,
    beside_beams,
    chamfer_m,
    f_score,
    seen_by,
)
from selfdepth_ros.clouds.recorded import nearest_in_time
from selfdepth_ros.clouds.tally import DistanceTally
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.se3 import SE3

CONFIG = QualityConfig(
    edges_m=(1.0, 10.0, 30.0), thresholds_m=(0.05, 0.15, 1.0), cap_m=2.0, beam_deg=5.0
)
BELOW, ABOVE = 0, 1
"""Thresholds (indices) around a tenth of a metre."""
HERE = SE3.identity()


def scattered(apart_m: float = 1.0) -> np.ndarray:
    """Points ahead and behind that both cameras see between them, far apart from each other."""
    grid = np.arange(-4, 4, apart_m)
    x, y, z = np.meshgrid(np.array([-20.0, -8, 8, 20]), grid, grid + 1, indexing='ij')
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)
    return points[seen_by(make_rig(), points.astype(float))]


def judge() -> CloudJudge:
    return CloudJudge(make_rig(), CONFIG)


def test_a_cloud_that_is_the_scan_is_perfect() -> None:
    points, found = scattered(), judge()
    found.against_lidar(points, points, HERE)
    for tally in (found.accuracy, found.completeness):
        assert tally.mean_m.tolist() == [0, 0, 0]
        assert (tally.within == 1).all()
        assert tally.count[-1] == len(points)


def test_a_cloud_shifted_by_a_tenth_scores_a_tenth() -> None:
    points, found = scattered(), judge()
    found.against_lidar(points + np.float32([0, 0.1, 0]), points, HERE)
    for tally in (found.accuracy, found.completeness):
        np.testing.assert_allclose(tally.mean_m, 0.1, atol=1e-6)
        np.testing.assert_allclose(tally.median_m, 0.1, atol=CONFIG.cap_m / 1000)
        assert (tally.within[:, BELOW] == 0).all()
        assert (tally.within[:, ABOVE] == 1).all()
    assert chamfer_m(found.accuracy.mean_m, found.completeness.mean_m)[-1] == pytest.approx(0.1)


def test_half_a_cloud_is_exact_and_half_complete() -> None:
    points, found = scattered(), judge()
    found.against_lidar(points[::2], points[: len(points) // 2 * 2], HERE)
    assert (found.accuracy.within == 1).all()
    assert found.completeness.within[-1, ABOVE] == pytest.approx(0.5)
    score = f_score(found.accuracy.within, found.completeness.within)[-1, ABOVE]
    assert score == pytest.approx(2 / 3)


def test_ghosts_cost_precision_only() -> None:
    points, found = scattered(), judge()
    ghosts = points * np.float32(0.8)  # on the same beams, nearer by a fifth
    found.against_lidar(np.concatenate([points, ghosts]), points, HERE)
    assert (found.completeness.within == 1).all()
    assert found.accuracy.within[-1, ABOVE] == pytest.approx(0.5)


def test_an_empty_cloud_is_as_bad_as_can_be_and_no_error() -> None:
    points, found = scattered(), judge()
    found.against_lidar(points[:0], points, HERE)
    assert found.accuracy.count[-1] == 0
    assert np.isnan(found.accuracy.mean_m).all()
    assert found.completeness.mean_m[-1] == CONFIG.cap_m
    assert (found.completeness.within == 0).all()


def test_what_no_camera_sees_is_not_expected() -> None:
    points, found = scattered(), judge()
    beside = np.array([[0.0, 12, 1], [0, -12, 1], [0, 0, 15]], np.float32)
    found.against_lidar(points, np.concatenate([points, beside]), HERE)
    assert (found.completeness.within == 1).all()
    assert found.completeness.count[-1] == len(points)


def test_bands_tell_near_from_far() -> None:
    points, found = scattered(), judge()
    far = np.abs(points[:, 0]) > 10
    moved = points + np.where(far, 0.1, 0)[:, None].astype(np.float32) * np.float32([0, 1, 0])
    found.against_lidar(moved, points, HERE)
    np.testing.assert_allclose(found.completeness.mean_m[:2], [0, 0.1], atol=1e-6)


def test_cameras_that_agree_and_cameras_that_do_not() -> None:
    rig = make_rig()
    twin = replace(rig.cameras[0], name='twin')
    rig = replace(rig, cameras=(rig.cameras[0], twin))
    points = scattered()
    points = points[points[:, 0] > 0]
    camera = np.repeat(np.array([0, 1], np.uint8), len(points))
    for offset in (0.0, 0.1):
        found = CloudJudge(rig, CONFIG)
        other = points + np.float32([0, offset, 0])
        found.between_cameras(np.concatenate([points, other]), camera)
        assert found.overlap.count[-1] >= 1.5 * len(points)
        np.testing.assert_allclose(found.overlap.mean_m, offset, atol=1e-6)


@given(st.floats(-1, 1), st.floats(-0.02, 0.02))
def test_what_stands_still_is_stable_however_the_robot_moves(ahead_m: float, turn: float) -> None:
    before, found = scattered(), judge()
    before_from_now = SE3.exp(np.array([ahead_m, 0, 0, 0, 0, turn]))
    now = before_from_now.inverse().apply(before)
    found.over_time(now, before, before_from_now)
    np.testing.assert_allclose(found.stability.mean_m[-1], 0, atol=1e-5)


def test_what_flickers_is_told() -> None:
    before, found = scattered(), judge()
    found.over_time(before + np.float32([0, 0, 0.1]), before, HERE)
    np.testing.assert_allclose(found.stability.mean_m, 0.1, atol=1e-6)


@given(st.floats(0.1, 3), st.floats(0.05, 5.0), st.floats(0, 6.28))
def test_points_beside_a_beam_are_those_within_its_angle(
    range_m: float, off_deg: float, around: float
) -> None:
    origin = SE3.exp(np.array([0.3, -0.2, 1.8, 0.1, 0, 0.5]))
    lidar = origin.apply(np.array([[10.0, 0, 0]]))
    off = np.radians(off_deg)
    axis = [np.cos(off), np.sin(off) * np.cos(around), np.sin(off) * np.sin(around)]
    point = origin.apply(range_m * np.array([axis]))
    assert beside_beams(point, lidar, origin, off * 1.01).all()
    assert not beside_beams(point, lidar, origin, off * 0.99).any()


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 40)), min_size=1, max_size=60))
def test_a_tally_is_the_statistics_of_what_was_added(pairs: list[tuple[float, float]]) -> None:
    distance, range_m = np.array(pairs).T
    tally = DistanceTally((1.0, 10.0, 30.0), (0.5,), 2.0)
    for part in np.array_split(np.arange(len(distance)), 3):
        tally.add(distance[part], range_m[part])
    capped = np.minimum(distance, 2.0)
    bands = [(1, 10), (10, 30), (1, 30)]
    for row, (low, high) in enumerate(bands):
        own = capped[(range_m >= low) & (range_m < high)]
        assert tally.count[row] == len(own)
        if not len(own):
            assert np.isnan([tally.mean_m[row], tally.median_m[row], tally.within[row, 0]]).all()
            continue
        assert tally.mean_m[row] == pytest.approx(own.mean())
        middle = np.sort(own)[(len(own) - 1) // 2]
        assert tally.median_m[row] == pytest.approx(middle, abs=1.1e-3)
        assert tally.within[row, 0] == pytest.approx((own <= 0.5).mean())


@given(st.lists(st.integers(0, 60), max_size=12), st.lists(st.integers(0, 60), max_size=12))
def test_each_is_given_the_nearest_in_time(items: list[int], others: list[int]) -> None:
    items, others = sorted(items), sorted(others)
    found = list(nearest_in_time(((i, i) for i in items), ((o, o) for o in others), 5))
    assert [stamp for stamp, _, _ in found] == items
    for stamp, _, other in found:
        apart = min((abs(o - stamp) for o in others), default=99)
        assert (other is None) == (apart > 5)
        assert other is None or abs(other[0] - stamp) == apart


@pytest.mark.parametrize('edges', [(5.0,), (5.0, 1.0), (1.0, 1.0)])
def test_bands_that_are_none_are_refused(edges: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match='edges_m'):
        QualityConfig(edges_m=edges)
