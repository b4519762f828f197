# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The map: one point per voxel, the one that was seen from nearest by, whatever the order."""

import numpy as np
import pytest

from selfdepth_ros.clouds import voxel_map
from selfdepth_ros.clouds.config import MapConfig
from selfdepth_ros.clouds.voxel_map import VoxelMap
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.ply import write_ply

CONFIG = MapConfig(voxel_m=0.5, max_range_m=10.0)


def cloud_of(points: np.ndarray, color: int = 0) -> PointCloud:
    count = len(points)
    colors = np.full((count, 3), color, np.uint8)
    return PointCloud.of(points, colors, np.zeros(count, np.uint8), 1, 'base_link')


def at(x: float) -> SE3:
    return SE3.exp(np.array([x, 0, 0, 0, 0, 0.0]))


def test_a_voxel_holds_the_point_seen_from_nearest_by() -> None:
    grid = VoxelMap(CONFIG)
    grid.add(cloud_of(np.array([[8.1, 0.1, 0.1]]), 1), at(0))
    grid.add(cloud_of(np.array([[2.2, 0.2, 0.2]]), 2), at(6))
    grid.add(cloud_of(np.array([[-5.9, 0.3, 0.3]]), 3), at(14))
    found = grid.cloud(7, 'odom')
    np.testing.assert_allclose(found.points, [[8.2, 0.2, 0.2]], atol=1e-5)
    assert (found.colors == 2).all() and found.frame_id == 'odom' and found.stamp_ns == 7


def test_a_map_far_from_the_origin_keeps_its_millimetres(tmp_path) -> None:
    grid, points = VoxelMap(CONFIG), np.array([[2.2, 0.2, 0.2], [3.25, 0.2, 0.2]])
    grid.add(cloud_of(points), SE3.exp(np.array([5.4e6, 3.2e5, 0, 0, 0, 0.0])))
    grid.add(cloud_of(points), SE3.exp(np.array([5.4e6 + 5, 3.2e5, 0, 0, 0, 0.0])))
    x, *_ = grid.origin_m
    found = grid.cloud(0, 'map')
    expected = np.array([2.2, 3.25, 7.2, 8.25]) + 5.4e6
    np.testing.assert_allclose(np.sort(found.points[:, 0].astype(float)) + x, expected, atol=1e-3)
    header = write_ply(tmp_path / 'map.ply', found, grid.origin_m).read_bytes()[:400]
    assert b'comment origin 5400000.0 320000.0 0.0 m, to be added' in header
    near = VoxelMap(CONFIG)
    near.add(cloud_of(points), at(3.3))
    assert near.origin_m == (0, 0, 0)


def test_what_is_far_away_is_left_out() -> None:
    grid = VoxelMap(CONFIG)
    grid.add(cloud_of(np.array([[10.1, 0, 0], [9.9, 0, 0]])), at(0))
    np.testing.assert_allclose(grid.cloud(0, 'odom').points, [[9.9, 0, 0]], atol=1e-6)


@pytest.mark.parametrize('gathered', [1, 100, 10_000])
def test_the_map_is_the_same_however_it_is_gathered(
    monkeypatch: pytest.MonkeyPatch, gathered: int
) -> None:
    monkeypatch.setattr(voxel_map, '_LEAST_PENDING', gathered)
    rng = np.random.default_rng(5)
    grid, everything = VoxelMap(CONFIG), []
    for step in range(20):
        points = rng.uniform(-5, 5, (300, 3))
        grid.add(cloud_of(points), at(step / 4))
        everything.append(
            np.column_stack([at(step / 4).apply(points), np.linalg.norm(points, axis=1)])
        )
    placed = np.concatenate(everything)
    best = {}
    for *point, range_m in placed:
        key = tuple(np.floor(np.float32(point) / np.float32(0.5)).astype(int))
        if key not in best or range_m < best[key][1]:
            best[key] = point, range_m
    found = grid.cloud(0, 'odom').points
    assert len(found) == len(best)
    for point in found:
        key = tuple(np.floor(point / np.float32(0.5)).astype(int))
        nearest = best[key][0]
        # Two that were seen from as far, to 10 m / 65535, may stand for each other.
        same = np.abs(placed[:, :3] - point).max(axis=1).argmin()
        assert np.allclose(point, nearest, atol=1e-5) or placed[same, 3] - best[key][1] < 4e-4


def test_a_map_of_nothing_is_empty() -> None:
    grid = VoxelMap(CONFIG)
    assert len(grid.cloud(0, 'odom')) == 0
    grid.add(cloud_of(np.empty((0, 3))), at(0))
    assert len(grid.cloud(0, 'odom')) == 0
