# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The sampler on scenes whose answer is known in closed form."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.warp import SampleGrid, sample, source_grid, upsampled

CAMERA = PinholeCamera(40, 24, 30.0, 31.0, 19.2, 11.7)
DISTORTED = PinholeCamera(40, 24, 30.0, 31.0, 19.2, 11.7, 'plumb_bob', (-0.05, 0.01, 1e-3, -5e-4))
FISHEYE = EquidistantCamera(40, 24, 16.0, 16.0, 19.3, 11.6, (0.02, -0.003, 0.0, 0.0))


def z_rays(camera) -> torch.Tensor:
    """What one metre of z-depth is, float64."""
    rays, _ = camera.pixel_rays(torch.zeros(1, dtype=torch.float64))
    return rays / rays[..., 2:]


def shift(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> SE3:
    """A batch of one translation."""
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, 3] = torch.tensor([x, y, z])
    return SE3(matrix[None])


def pixels_of(grid: SampleGrid, width: int, height: int) -> torch.Tensor:
    """Pixel coordinates, integer = pixel centre, of shares of the image."""
    return ((grid.coordinates + 1) * torch.tensor([width, height]) - 1) / 2


def pixel_table(width: int, height: int) -> torch.Tensor:
    u, v = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    return torch.from_numpy(np.stack([u, v], -1))


@pytest.mark.parametrize('camera', [CAMERA, DISTORTED, FISHEYE], ids=lambda c: type(c).__name__)
def test_without_motion_every_pixel_is_where_it_is(camera):
    rays, seen = camera.pixel_rays(torch.zeros(1, dtype=torch.float64))
    grid = source_grid(camera, shift(), 7.0 * rays)
    found = pixels_of(grid, camera.width, camera.height)[0]
    assert (found - pixel_table(camera.width, camera.height))[seen].abs().max() < 1e-2
    image = torch.rand(1, 3, camera.height, camera.width, dtype=torch.float64)
    assert torch.allclose(sample(image, grid.coordinates)[..., seen], image[..., seen], atol=0.02)


@pytest.mark.parametrize('depth', [2.0, 10.0, 80.0])
@pytest.mark.parametrize('sideways', [-0.5, 0.2])
def test_a_wall_at_known_depth_moves_by_focal_times_baseline_over_depth(depth, sideways):
    grid = source_grid(CAMERA, shift(x=sideways), depth * z_rays(CAMERA))
    moved = pixels_of(grid, 40, 24)[0] - pixel_table(40, 24)
    inside = grid.valid[0]
    assert inside.float().mean() > 0.7
    assert torch.allclose(
        moved[..., 0][inside], torch.tensor(CAMERA.fx * sideways / depth).double()
    )
    assert moved[..., 1][inside].abs().max() < 1e-9


def test_a_wall_that_comes_nearer_grows_about_the_principal_point():
    grid = source_grid(CAMERA, shift(z=-2.0), 10.0 * z_rays(CAMERA))
    centre = torch.tensor([CAMERA.cx, CAMERA.cy])
    expected = (pixel_table(40, 24) - centre) * 10 / 8
    found = pixels_of(grid, 40, 24)[0] - centre
    assert torch.allclose(found[grid.valid[0]], expected[grid.valid[0]])


def test_what_is_behind_or_outside_the_source_is_not_valid():
    behind = source_grid(CAMERA, shift(z=-20.0), 10.0 * z_rays(CAMERA))
    assert not behind.valid.any()
    assert behind.coordinates.isfinite().all()
    beside = source_grid(CAMERA, shift(x=1.0), 2.0 * z_rays(CAMERA))
    expected = pixel_table(40, 24)[..., 0] + 15 < 39.5
    assert torch.equal(beside.valid[0], expected)


def test_a_source_that_sees_the_robot_there_is_not_valid():
    visible = torch.ones(24, 40, dtype=torch.bool)
    visible[16:, 10:30] = False
    grid = source_grid(CAMERA, shift(x=0.5), 5.0 * z_rays(CAMERA), visible)
    target = pixel_table(40, 24).round().long() + torch.tensor([3, 0])
    inside = target[..., 0] < 40
    at = target.clamp(max=39)
    assert torch.equal(grid.valid[0], inside & visible[at[..., 1], at[..., 0]])


def test_a_depth_that_is_nan_is_not_valid_and_stops_nothing():
    depth = torch.full((24, 40, 1), 5.0, dtype=torch.float64)
    depth[3:6] = float('nan')
    visible = torch.ones(24, 40, dtype=torch.bool)
    grid = source_grid(CAMERA, shift(), depth * z_rays(CAMERA), visible)
    assert torch.equal(~grid.valid[0], depth[..., 0].isnan())


def test_half_size_depths_upsampled_agree_with_a_projection_at_full_size():
    """On a slanted plane, whose true coordinates are smooth: within 0.1 pixel, border included."""
    matrix = SE3.exp(torch.tensor([[0.3, -0.1, -0.6, 0.01, 0.03, -0.02]], dtype=torch.float64))

    def grid(camera):
        rays = z_rays(camera)
        normal = torch.tensor([0.02, 0.2, 0.12], dtype=torch.float64)
        depth = 1 / (rays @ normal)
        return source_grid(camera, matrix, depth[..., None] * rays)

    full, half = grid(CAMERA), upsampled(grid(CAMERA.scaled(20, 12)), 2)
    both = full.valid & half.valid
    assert (full.valid != half.valid).float().mean() < 0.1
    apart = (pixels_of(full, 40, 24) - pixels_of(half, 40, 24)).abs()[both]
    assert apart.median() < 0.02
    assert apart.quantile(0.95) < 0.1
    same = upsampled(full, 1)
    assert same.coordinates is full.coordinates


def test_one_grid_serves_every_size_of_the_image():
    grid = source_grid(CAMERA, shift(x=0.3), 4.0 * z_rays(CAMERA))
    ramp = torch.linspace(0, 1, 81, dtype=torch.float64)
    large = ((ramp[:-1] + ramp[1:]) / 2).expand(1, 1, 48, 80)
    small = torch.nn.functional.avg_pool2d(large, 2)
    seen = grid.valid[0] & (pixels_of(grid, 40, 24)[0, ..., 0] < 38.9)
    a, b = sample(large, grid.coordinates), sample(small, grid.coordinates)
    assert torch.allclose(a[0, 0][seen], b[0, 0][seen], atol=1e-9)


@pytest.mark.parametrize('camera', [CAMERA, DISTORTED, FISHEYE], ids=lambda c: type(c).__name__)
def test_the_gradient_with_respect_to_depth_is_the_numerical_one(camera):
    small = camera.scaled(8, 6)
    rng = np.random.default_rng(3)
    image = torch.from_numpy(rng.uniform(size=(1, 2, 6, 8)))
    depth = torch.from_numpy(rng.uniform(3, 6, (6, 8))).requires_grad_()
    rays, _ = small.pixel_rays(torch.zeros(1, dtype=torch.float64))
    pose = SE3.exp(torch.tensor([[0.21, 0.08, -0.13, 0.02, -0.01, 0.015]], dtype=torch.float64))

    def warped(depth: torch.Tensor) -> torch.Tensor:
        grid = source_grid(small, pose, depth[..., None] * rays)
        inside = grid.valid[:, None] & (grid.coordinates.abs() < 0.8).all(-1)[:, None]
        return torch.where(inside, sample(image, grid.coordinates), torch.zeros(()).double())

    assert warped(depth).count_nonzero() > 20
    assert torch.autograd.gradcheck(warped, depth, eps=1e-6, atol=1e-5)


def test_gradients_are_finite_where_nothing_is_seen():
    depth = torch.full((24, 40), 1e-8, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        depth[:12] = 1e9
        depth[0] = -3.0
    grid = source_grid(replace(CAMERA), shift(z=-1.0), depth[..., None] * z_rays(CAMERA))
    sample(torch.rand(1, 3, 24, 40).double(), grid.coordinates).sum().backward()
    assert depth.grad.isfinite().all()
