# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Many pinholes at once see what each of them sees by itself."""

import torch

from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.pinholes import all_plain, pinhole_grids
from selfdepth_training.warp import at_nearest, source_grid

CAMERAS = (
    PinholeCamera(40, 24, 30.0, 31.0, 19.2, 11.7),
    PinholeCamera(40, 24, 22.0, 25.0, 18.0, 12.5),
)
DISTORTED = PinholeCamera(40, 24, 30.0, 31.0, 19.2, 11.7, 'plumb_bob', (-0.05, 0.01, 1e-3, -5e-4))
FISHEYE = EquidistantCamera(40, 24, 16.0, 16.0, 19.3, 11.6, (0.02, -0.003, 0.0, 0.0))


def scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Poses (2, 3, 4, 4), depths (2, 24, 16) and rays (2, 24, 16, 3), float64: a crop, of which
    some points come to lie behind the source or out of its image."""
    random = torch.Generator().manual_seed(0)
    twists = torch.rand(2, 3, 6, generator=random, dtype=torch.float64) - 0.5
    depth = 0.3 + 3 * torch.rand(2, 24, 16, generator=random, dtype=torch.float64)
    rays = [camera.pixel_rays(depth)[0][:, 12:28] for camera in CAMERAS]
    return SE3.exp(twists).matrix, depth, torch.stack(rays)


def test_pixels_validity_and_gradients_are_those_of_each_camera_by_itself():
    poses, depth, rays = scene()
    poses.requires_grad_()
    depth.requires_grad_()
    together = pinhole_grids(CAMERAS, poses, depth, rays.permute(0, 3, 1, 2))
    alone = [
        source_grid(camera, SE3(poses[i]), depth[i, ..., None] * rays[i])
        for i, camera in enumerate(CAMERAS)
    ]
    coordinates = torch.cat([grid.coordinates for grid in alone])
    valid = torch.cat([grid.valid for grid in alone])
    assert 0.1 < valid.float().mean() < 0.9
    assert torch.equal(together.valid, valid)
    assert torch.allclose(together.coordinates, coordinates, atol=1e-12)
    weight = torch.rand(coordinates.shape, dtype=torch.float64)
    expected = torch.autograd.grad((coordinates * weight).sum(), (depth, poses))
    found = torch.autograd.grad((together.coordinates * weight).sum(), (depth, poses))
    assert all(torch.allclose(a, b, rtol=1e-9) for a, b in zip(found, expected, strict=True))


def test_only_pinholes_without_distortion_are_plain():
    assert all_plain(CAMERAS)
    assert not all_plain((*CAMERAS, DISTORTED))
    assert not all_plain((*CAMERAS, FISHEYE))


def test_each_view_is_looked_up_in_its_own_mask():
    masks = torch.rand(3, 24, 40) > 0.5
    places = 2 * torch.rand(3, 5, 7, 2) - 1
    each = [at_nearest(mask, place[None])[0] for mask, place in zip(masks, places, strict=True)]
    assert torch.equal(at_nearest(masks, places), torch.stack(each))
