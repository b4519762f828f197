# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Compiled scans and thinned clouds are those of the reference, bit for bit."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdepth_ros.compiled import fastest_steps
from selfdepth_ros.compiled.area import Shrink
from selfdepth_ros.compiled.outputs import CompiledScanSteps, CompiledThinner
from selfdepth_ros.core.downsample import EVERY_HEIGHT, DownsampleConfig, thin_numpy
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.scan_steps import NumpyScanSteps
from selfdepth_ros.resizing import Resizer, resized

SEEDS = st.integers(0, 2**32 - 1)
COMPILED_SCAN, COMPILED_THINNER, SHRINK = CompiledScanSteps(), CompiledThinner(), Shrink()
"""Kept from case to case, as the node keeps them: what one left behind must not matter."""


def points_of(rng: np.random.Generator, count: int) -> np.ndarray:
    """Points at all distances, some of them on the axes, in the origin, or twice."""
    points = rng.normal(size=(count, 3)) * np.exp(rng.uniform(-4, 4, (count, 1)))
    points[rng.random((count, 3)) < 0.05] = 0
    points[: count // 5] = points[count - count // 5 :]
    points[:, 2] = rng.uniform(-1, 3, count)
    return points.astype(np.float32)


def cloud_of(rng: np.random.Generator, count: int) -> PointCloud:
    pixel = np.sort(rng.choice(4 * count + 1, count, replace=False)).astype(np.int32)
    colors, camera = np.zeros((count, 3), np.uint8), np.zeros(count, np.uint8)
    return PointCloud.of(points_of(rng, count), colors, camera, 0, 'base_link', (), pixel)


@settings(max_examples=150, deadline=None)
@given(
    SEEDS,
    st.sampled_from([0, 1, 7, 300, 5000]),
    st.sampled_from([8, 91, 720]),
    st.integers(0, 9),
    st.floats(0, 1),
)
def test_a_scan_is_the_references(seed, count, beams, slit, share):
    rng = np.random.default_rng(seed)
    points = cloud_of(rng, count).points  # a view of records, as fusion's are
    depth = rng.choice([np.nan, -1, 0, 0.3, 0.7, 5], (9, 11)).astype(np.float32)
    least = rng.choice([np.nan, 0.5, 1], depth.shape).astype(np.float32)
    beam = rng.integers(0, beams, depth.shape)
    known, marked = rng.random(beams) < share, rng.random() < 0.7
    scans = []
    for steps in (NumpyScanSteps(), COMPILED_SCAN):
        ranges, (blocked, unknown) = np.full(beams, np.inf, np.float32), np.zeros((2, beams), bool)
        steps.nearest(points, (0.25, 2.0), (0.3, 20.0), ranges)
        if marked:
            steps.mark(depth, least, beam, blocked, unknown)
        scans += [ranges.copy(), blocked.copy(), unknown.copy()]
        steps.finish(blocked, known & ~unknown, slit, ranges)
        scans.append(ranges)
    for reference, compiled in zip(scans[:4], scans[4:], strict=True):
        np.testing.assert_array_equal(compiled, reference)


def test_the_scans_above_have_all_that_a_scan_can_have():
    """They could all be empty, and equal."""
    rng, ranges = np.random.default_rng(0), np.full(720, np.inf, np.float32)
    NumpyScanSteps().nearest(points_of(rng, 5000), (0.25, 2.0), (0.3, 20.0), ranges)
    assert np.isneginf(ranges).any() and np.isposinf(ranges).any() and np.isfinite(ranges).any()


@settings(max_examples=150, deadline=None)
@given(
    SEEDS,
    st.sampled_from([0, 1, 7, 300, 5000]),
    st.sampled_from([1, 2, 5]),
    st.sampled_from([0.0, 1e-6, 0.05, 0.3, 100.0]),
    st.sampled_from([EVERY_HEIGHT, (0.25, 2.0), (8.0, 9.0)]),
)
def test_a_thinned_cloud_has_the_references_points(seed, count, stride_px, voxel_m, heights_m):
    cloud = cloud_of(np.random.default_rng(seed), count)
    config = DownsampleConfig(stride_px=stride_px, voxel_m=voxel_m)
    expected = thin_numpy(cloud, config, 37, heights_m)
    found = COMPILED_THINNER(cloud, config, 37, heights_m)
    np.testing.assert_array_equal(found, expected)


def test_the_clouds_above_lose_points_in_each_way():
    cloud = cloud_of(np.random.default_rng(1), 5000)
    for config, heights_m in (
        (DownsampleConfig(stride_px=2), EVERY_HEIGHT),
        (DownsampleConfig(voxel_m=0.3), EVERY_HEIGHT),
        (DownsampleConfig(), (0.25, 2.0)),
    ):
        assert 500 < len(thin_numpy(cloud, config, 37, heights_m)) < 4500
    assert len(thin_numpy(cloud, DownsampleConfig(), 37)) == 5000


@pytest.mark.parametrize('azimuth', [-math.pi, -math.pi / 2, 0.0, 1.0, math.pi])
def test_a_point_on_the_seam_is_in_the_first_beam(azimuth):
    point = np.array([[math.cos(azimuth), math.sin(azimuth), 1]], np.float32)
    for steps in (NumpyScanSteps(), COMPILED_SCAN):
        ranges = np.full(360, np.inf, np.float32)
        steps.nearest(point, (0.0, 2.0), (0.1, 9.0), ranges)
        expected = round((azimuth + math.pi) / (2 * math.pi / 360)) % 360
        assert np.flatnonzero(np.isfinite(ranges)).tolist() == [expected]


def test_the_fastest_scans_and_clouds_are_the_compiled():
    backend = fastest_steps()
    assert (backend.scan_steps, backend.thinner) == (CompiledScanSteps, CompiledThinner)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 40), st.integers(1, 40), st.integers(0, 150), st.integers(0, 150))
def test_an_image_made_smaller_is_cv2s_within_a_grey_level(seed, height, width, more, wider):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height + more, width + wider, 3), dtype=np.uint8)
    found = np.full((height, width, 3), 77, np.uint8)
    expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    SHRINK(image, found)
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize('factors', [(1, 1), (2, 2), (3, 4)])
def test_by_whole_factors_cv2_does_it_itself(factors):
    down, across = factors
    image = np.random.default_rng(0).integers(0, 256, (30 * down, 40 * across, 3), dtype=np.uint8)
    found = np.zeros((30, 40, 3), np.uint8)
    Resizer(never)(image, found)
    expected = cv2.resize(image, (40, 30), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(found, expected)


def test_other_sizes_go_to_the_loops_and_larger_ones_do_not():
    image, found = np.zeros((45, 60, 3), np.uint8), np.zeros((30, 40, 3), np.uint8)
    with pytest.raises(AssertionError, match='asked'):
        Resizer(never)(image, found)
    Resizer(never)(image[:15], found)


@pytest.mark.parametrize(('height', 'width'), [(15, 20), (20, 30), (31, 40), (60, 80), (60, 20)])
def test_the_robot_resizes_as_training_and_larger_is_bilinear(height, width):
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    found = np.zeros((height, width, 3), np.uint8)
    Resizer(SHRINK)(image, found)
    assert np.abs(found.astype(int) - resized(image, width, height)).max() <= 1
    if height > 30 or width > 40:
        bilinear = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(found, bilinear)


def never(image, target):
    raise AssertionError('asked')
