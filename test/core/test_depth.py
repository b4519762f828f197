# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""z-depth, ray distance and inverse depth say the same place; the values that hold them."""

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
    rays, _ = camera.pixel_rays()
    wall = np.full(rays.shape[:2], metres, dtype=np.float32)
    points = depth.points_from_z_depth(wall, rays)
    np.testing.assert_allclose(points[..., 2], metres, rtol=1e-5)
    distance_m = depth.ray_distance_from_z_depth(wall, rays)
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), distance_m, rtol=1e-5)
    np.testing.assert_allclose(depth.points_from_ray_distance(distance_m, rays), points, rtol=1e-5)
    back = depth.z_depth_from_ray_distance(distance_m, rays)
    np.testing.assert_allclose(back, wall, rtol=1e-5)
    assert points.dtype == distance_m.dtype == back.dtype == np.float32


@cameras
def test_torch_says_what_numpy_says(camera):
    rays, _ = camera.pixel_rays()
    z_depth_m = np.linspace(0.5, 80, rays[..., 0].size, dtype=np.float32).reshape(20, 32)
    tensors = torch.as_tensor(z_depth_m), torch.as_tensor(rays)
    for convert in (depth.ray_distance_from_z_depth, depth.z_depth_from_ray_distance,
                    depth.points_from_z_depth, depth.points_from_ray_distance):  # fmt: skip
        found = convert(*tensors)
        assert found.dtype == torch.float32
        np.testing.assert_allclose(found.numpy(), convert(z_depth_m, rays), rtol=1e-6)
    np.testing.assert_allclose(depth.inverse(tensors[0]).numpy(), 1 / z_depth_m, rtol=1e-6)


def test_sky_and_unknown_pass_through():
    rays = np.array([[0.0, 0.0, 1.0], [0.6, 0.0, 0.8]])
    assert np.isinf(depth.ray_distance_from_z_depth(np.full(2, np.inf), rays)).all()
    assert np.isnan(depth.z_depth_from_ray_distance(np.full(2, np.nan), rays)).all()
    np.testing.assert_array_equal(
        depth.inverse(np.array([np.inf, np.nan, 4.0])), [0, np.nan, 0.25]
    )


@given(st.floats(1e-3, 1e6))
def test_inverse_is_its_own_inverse(metres):
    assert depth.inverse(depth.inverse(np.array([metres])))[0] == pytest.approx(metres)


def test_gradients_are_finite_where_depth_has_none():
    metres = torch.tensor([0.0, -1.0, 1e-30, 2.0], requires_grad=True)
    rays = torch.tensor([[0, 0, 1.0], [1, 0, 0], [0.6, 0, -0.8], [0, 0.6, 0.8]])
    total = depth.inverse(metres).sum() + depth.points_from_z_depth(metres, rays).sum()
    total.backward()
    assert torch.isfinite(metres.grad).all()


def test_a_frame_knows_which_cameras_are_there():
    image = np.zeros((2, 3, 3), dtype=np.uint8)
    assert SurroundFrame(5, (image, None), (5, None)).present == (True, False)
    with pytest.raises(ValueError, match='a stamp for each image'):
        SurroundFrame(5, (image, None), (5, 6))


def test_a_cloud_has_as_many_points_as_it_says():
    points = np.zeros((4, 3), dtype=np.float32)
    colors, camera = np.zeros((4, 3), dtype=np.uint8), np.zeros(4, dtype=np.uint8)
    assert len(PointCloud.of(points, colors, camera, 0, 'base_link')) == 4
