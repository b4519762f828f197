# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Thinned clouds keep their extent and their values; obstacles are what is in the band."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from selfdepth_ros.core.config import config_from_dict
from selfdepth_ros.core.downsample import (
    DownsampleConfig,
    downsample,
    first_of_each_voxel,
    on_grid,
)
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.obstacles import ObstaclesConfig, obstacles

COORDINATES = st.floats(-100, 100, width=32)
POINTS = st.integers(0, 60).flatmap(lambda n: arrays(np.float32, (n, 3), elements=COORDINATES))
VOXELS = st.floats(0.001, 50)


def cloud_of(points: np.ndarray, pixel: np.ndarray | None = None) -> PointCloud:
    """A cloud whose colours tell the index of each point."""
    index = np.arange(len(points))
    colors = np.stack([index % 256, index // 256 % 256, index // 65536], -1).astype(np.uint8)
    camera = (index % 5).astype(np.uint8)
    pixel = index.astype(np.int32) if pixel is None else pixel
    return PointCloud.of(points, colors, camera, 7, 'base_link', ('c9',), pixel)


def cells(points: np.ndarray, voxel_m: float) -> list[tuple[int, ...]]:
    return [tuple(cell) for cell in np.floor(points / np.float32(voxel_m)).astype(int).tolist()]


@given(POINTS, VOXELS)
def test_every_voxel_keeps_its_first_point_and_no_other(points, voxel_m):
    kept = first_of_each_voxel(points, voxel_m)
    first: dict[tuple[int, ...], int] = {}
    for index, cell in enumerate(cells(points, voxel_m)):
        first.setdefault(cell, index)
    assert kept.tolist() == sorted(first.values())


@given(POINTS.filter(len), VOXELS)
def test_the_bounding_box_stays_to_within_a_voxel(points, voxel_m):
    kept = points[first_of_each_voxel(points, voxel_m)]
    slack = voxel_m * 1.001 + 1e-4
    assert np.all(kept.min(axis=0) - points.min(axis=0) <= slack)
    assert np.all(points.max(axis=0) - kept.max(axis=0) <= slack)


def test_an_extent_of_too_many_voxels_is_thinned_all_the_same():
    points = np.array(
        [[-9e5, -9e5, -9e5], [0, 0, 0], [0.2, 0.2, 0.2], [9e5, 9e5, 9e5]], np.float32
    )
    assert first_of_each_voxel(points, 0.25).tolist() == [0, 1, 3]


def test_thinning_twice_changes_nothing_more():
    points = np.random.default_rng(0).normal(0, 5, (20000, 3)).astype(np.float32)
    once = downsample(cloud_of(points), DownsampleConfig(voxel_m=0.5), 100)
    twice = downsample(once, DownsampleConfig(voxel_m=0.5), 100)
    np.testing.assert_array_equal(once.points, twice.points)
    assert len(set(cells(once.points, 0.5))) == len(once) < 20000


@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 40))
def test_a_stride_takes_every_nth_row_and_column(stride, width, height):
    grid = on_grid(np.arange(width * height), stride, width).reshape(height, width)
    expected = np.zeros((height, width), bool)
    expected[::stride, ::stride] = True
    np.testing.assert_array_equal(grid, expected)


def test_a_kept_point_keeps_all_that_belongs_to_it():
    points = np.random.default_rng(1).uniform(-3, 3, (500, 3)).astype(np.float32)
    cloud = cloud_of(points)
    thin = downsample(cloud, DownsampleConfig(stride_px=3, voxel_m=0.8), 50)
    index = thin.colors.astype(int) @ [1, 256, 65536]
    assert 0 < len(thin) < 500
    for name in ('points', 'colors', 'camera', 'pixel'):
        np.testing.assert_array_equal(getattr(thin, name), getattr(cloud, name)[index])
    assert (thin.stamp_ns, thin.frame_id, thin.missing) == (7, 'base_link', ('c9',))


def test_a_stride_needs_pixels():
    points = np.zeros((1, 3), np.float32)
    bare = PointCloud.of(points, points.astype(np.uint8), np.zeros(1, np.uint8), 0, 'base_link')
    with pytest.raises(ValueError, match='no pixels'):
        downsample(bare, DownsampleConfig(stride_px=2), 10)


@given(st.floats(-1, 1))
def test_obstacles_are_what_stands_between_the_heights_above_the_ground(ground_m):
    heights = np.arange(-2, 4, 0.5)
    points = np.zeros((len(heights), 3), np.float32)
    points[:, 2] = heights
    config = ObstaclesConfig(min_height_m=0.3, max_height_m=1.7, voxel_m=0.0)
    found = obstacles(cloud_of(points), config, 10, ground_m).points[:, 2]
    above = heights - ground_m
    sure = (above > 0.301) & (above < 1.699)
    maybe = (above > 0.299) & (above < 1.701)
    assert set(heights[sure]) <= set(found.tolist()) <= set(heights[maybe])


def test_a_band_upside_down_is_refused():
    with pytest.raises(ConfigError, match='min_height_m 3.0'):
        config_from_dict(ObstaclesConfig, {'min_height_m': 3.0})
