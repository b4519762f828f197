# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Fusion on a device gives the reference's cloud: on CPU tensors, on CUDA where there is one."""

import cv2
import numpy as np
import pytest
import torch
from fusion_cases import FILTERS, SEEDS, H, W, assert_same, rig_of, scene_of
from hypothesis import given, settings
from hypothesis import strategies as st
from other_device import OTHER

from selfdepth_ros.core.depth import DepthLimit
from selfdepth_ros.core.fusion import Fusion, FusionConfig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.device import DeviceFusion
from selfdepth_ros.device.area import AreaResize

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA GPU')
DEVICES = pytest.mark.parametrize(
    'device', ['cpu', OTHER.type, pytest.param('cuda', marks=NO_GPU)]
)
TURN_M_PER_M = 1e-6
"""How far a point may be off, by its distance, where motion turns the rays."""


def tensors(device: str, *arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(array).to(device) for array in arrays]


@DEVICES
@settings(max_examples=40, deadline=None)
@given(
    seed=SEEDS,
    config=FILTERS,
    kind=st.sampled_from(['z_depth', 'ray_distance']),
    present=st.lists(st.booleans(), min_size=3, max_size=3),
    shifted=st.booleans(),
)
def test_the_cloud_is_the_references_bit_for_bit(device, seed, config, kind, present, shifted):
    rng = np.random.default_rng(seed)
    rig, (depths, images) = rig_of(rng), scene_of(rng)
    depths[np.logical_not(present)] = np.nan  # as the pipeline does
    motion = None
    if shifted:
        motion = SE3.exp(np.pad(rng.normal(size=(3, 3)), ((0, 0), (0, 3))))
    confidence = rng.random(depths.shape).astype(np.float32)
    expected = Fusion(rig, config, kind, DepthLimit(150.0)).fuse(
        depths, images, present, 7, confidence, motion
    )
    on_device = tensors(device, depths, images, confidence)
    found = DeviceFusion(rig, config, kind, DepthLimit(150.0), device).fuse(
        *on_device[:2], present, 7, on_device[2], motion
    )
    assert_same(found, expected)


@DEVICES
@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_points_of_a_body_that_turns_are_the_references_within_rounding(device, seed):
    rng = np.random.default_rng(seed)
    rig, (depths, images) = rig_of(rng), scene_of(rng)
    motion = SE3.exp(rng.normal(size=(3, 6)) * 0.1)
    expected = Fusion(rig).fuse(depths, images, now_from_then=motion)
    fusion = DeviceFusion(rig, device=device)
    found = fusion.fuse(*tensors(device, depths, images), now_from_then=motion)
    np.testing.assert_array_equal(found.camera, expected.camera)
    np.testing.assert_array_equal(found.pixels_given(), expected.pixels_given())
    np.testing.assert_array_equal(found.colors, expected.colors)
    apart = np.linalg.norm(found.points - expected.points, axis=-1)
    assert np.all(apart <= TURN_M_PER_M * (1 + np.linalg.norm(expected.points, axis=-1)))


@DEVICES
def test_a_scene_without_a_point_is_an_empty_cloud(device):
    rng = np.random.default_rng(0)
    rig, (depths, images) = rig_of(rng), scene_of(rng)
    cloud = DeviceFusion(rig, device=device).fuse(*tensors(device, depths * np.nan, images))
    assert len(cloud) == 0 and cloud.points.shape == (0, 3)


@DEVICES
def test_one_frame_does_not_change_the_cloud_of_another(device):
    rng = np.random.default_rng(3)
    rig, (depths, images) = rig_of(rng), scene_of(rng)
    fusion = DeviceFusion(rig, FusionConfig(), device=device)
    first = fusion.fuse(*tensors(device, depths, images))
    before = first.records.copy()
    assert len(before) > 500
    fusion.fuse(*tensors(device, depths[::-1].copy(), images[::-1].copy()))
    assert first.records.tobytes() == before.tobytes()


@DEVICES
@pytest.mark.parametrize('factors', [(1, 1), (2, 2), (1, 2), (3, 2), (3, 3), (4, 4), (5, 6)])
def test_images_are_made_smaller_by_whole_factors_as_by_cv2(device, factors):
    down, across = factors
    image = np.random.default_rng(0).integers(0, 256, (H * down, W * across, 3), dtype=np.uint8)
    expected = cv2.resize(image, (W, H), interpolation=cv2.INTER_AREA)
    (found,) = tensors(device, image)
    found = AreaResize(image.shape[:2], (H, W), device)(found).cpu().numpy()
    np.testing.assert_array_equal(found, expected)


@DEVICES
@pytest.mark.parametrize('source', [(50, 90), (H, 100), (100, 199), (3 * H, 2 * W + 1)])
def test_images_are_made_smaller_by_any_factor_within_a_grey_level(device, source):
    image = np.random.default_rng(0).integers(0, 256, (*source, 3), dtype=np.uint8)
    expected = cv2.resize(image, (W, H), interpolation=cv2.INTER_AREA)
    (found,) = tensors(device, image)
    found = AreaResize(source, (H, W), device)(found).cpu().numpy()
    apart = np.abs(found.astype(int) - expected)
    assert apart.max() <= 1 and apart.mean() < 0.02
