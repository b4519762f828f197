# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""z-depth and ray distance say the same place; the values that hold them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfdepth_ros.core import depth
from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.frames import PointCloud, SurroundFrame

CAMERAS = (
    PinholeCamera(32, 20, 18.0, 18.0, 15.5, 9.5),
    EquidistantCamera(32, 20, 15.0, 15.0, 15.5, 9.5),
)
cameras = pytest.mark.parametrize('camera', CAMERAS, ids=['pinhole', 'fisheye'])


@cameras
@given(metres=st.floats(0.1, 1000.0))
def test_a_wall_has_one_z_depth_and_many_distances(camera, metres):
    rays, seen = camera.pixel_rays()
    forward, valid = depth.depth_per_metre(rays, seen, 'z_depth')
    assert valid.all()
    distance_m = np.float32(metres) / forward
    points = distance_m[..., None] * rays
    np.testing.assert_allclose(points[..., 2], metres, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), distance_m, rtol=1e-5)
    back = depth.z_depth_from_ray_distance(distance_m, rays)
    np.testing.assert_allclose(back, metres, rtol=1e-5)
    assert forward.dtype == distance_m.dtype == back.dtype == np.float32


@cameras
def test_a_metre_of_ray_is_a_metre_of_ray_distance(camera):
    rays, seen = camera.pixel_rays()
    per_metre, valid = depth.depth_per_metre(rays, seen, 'ray_distance')
    assert (per_metre == 1).all() and per_metre.dtype == np.float32
    np.testing.assert_array_equal(valid, seen)


def test_only_rays_that_point_forward_have_a_z_depth():
    rays = np.array([[0, 0, 1.0], [0.6, 0, 0.8], [0.6, 0, -0.8], [1, 0, 0], [1, 0, 5e-4]])
    seen = np.array([True, True, True, True, True])
    per_metre, valid = depth.depth_per_metre(rays, seen, 'z_depth')
    np.testing.assert_array_equal(valid, [True, True, False, False, False])
    np.testing.assert_array_equal(per_metre, [1, 0.8, 1, 1, 1])
    per_metre, valid = depth.depth_per_metre(rays, ~seen, 'z_depth')
    assert not valid.any() and (per_metre == 1).all()
    found = depth.z_depth_from_ray_distance(np.full(5, 10.0), rays)
    np.testing.assert_allclose(found, [10, 8, 0.01, 0.01, 0.01])


@cameras
def test_torch_says_what_numpy_says(camera):
    rays, _ = camera.pixel_rays()
    distance_m = np.linspace(0.5, 80, rays[..., 0].size, dtype=np.float32).reshape(20, 32)
    found = depth.z_depth_from_ray_distance(torch.as_tensor(distance_m), torch.as_tensor(rays))
    assert found.dtype == torch.float32
    expected = depth.z_depth_from_ray_distance(distance_m, rays)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_sky_and_unknown_pass_through():
    rays = np.array([[0.0, 0.0, 1.0], [0.6, 0.0, 0.8]])
    found = depth.z_depth_from_ray_distance(np.array([np.nan, np.inf]), rays)
    np.testing.assert_array_equal(found, [np.nan, np.inf])


def test_a_frame_knows_which_cameras_are_there():
    image = np.zeros((2, 3, 3), dtype=np.uint8)
    assert SurroundFrame(5, (image, None), (5, None)).present == (True, False)
    with pytest.raises(ValueError, match='a stamp for each image'):
        SurroundFrame(5, (image, None), (5, 6))


def test_a_cloud_has_as_many_points_as_it_says():
    points = np.zeros((4, 3), dtype=np.float32)
    colors, camera = np.zeros((4, 3), dtype=np.uint8), np.zeros(4, dtype=np.uint8)
    assert len(PointCloud.of(points, colors, camera, 0, 'base_link')) == 4


def test_a_published_depth_is_unknown_where_a_ray_has_none() -> None:
    angles = np.radians([0.0, 60.0, 89.0, 90.0, 120.0])
    rays = np.stack([np.sin(angles), 0 * angles, np.cos(angles)], axis=-1)
    distance_m = np.full(5, 8.0, np.float32)
    found = depth.z_depth_where_there_is_one(distance_m, rays, np.array([True] * 5))
    np.testing.assert_allclose(found[:3], 8 * np.cos(angles[:3]), rtol=1e-6)
    assert np.isnan(found[3:]).all()
    assert np.isnan(depth.z_depth_where_there_is_one(distance_m, rays, np.zeros(5, bool))).all()
