# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Many lookups at once find what each camera finds by itself, whatever its lens."""

from dataclasses import replace

import pytest
import torch

from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.pinholes import all_pinholes
from selfdepth_training.source_grids import source_grids
from selfdepth_training.warp import at_nearest, source_grid

PLAIN = PinholeCamera(40, 24, 30.0, 31.0, 19.2, 11.7)
WIDE = PinholeCamera(40, 24, 22.0, 25.0, 18.0, 12.5)
PLUMB_BOB = replace(
    PLAIN, distortion_model='plumb_bob', distortion=(-0.25, 0.05, 2e-3, -3e-3, 0.01)
)
RATIONAL = replace(
    WIDE,
    distortion_model='rational_polynomial',
    distortion=(0.4, 0.05, 1e-3, -5e-4, 0.01, 0.7, 0.1, 0.02),
)
FISHEYE = EquidistantCamera(40, 24, 16.0, 16.0, 19.3, 11.6, (0.02, -0.003, 0.0, 0.0))
RIGS = {
    'plain': (PLAIN, WIDE),
    'distorted': (PLUMB_BOB, replace(PLUMB_BOB, fx=28.0)),
    'mixed': (PLAIN, RATIONAL),
    'fisheye': (PLUMB_BOB, FISHEYE),
}


def rig(cameras, masked=False) -> RigGeometry:
    rays = torch.stack(
        [camera.pixel_rays(torch.zeros((), dtype=torch.float64))[0] for camera in cameras]
    )
    visible = torch.ones(rays.shape[:-1], dtype=torch.bool)
    if masked:
        visible = torch.rand(visible.shape, generator=torch.Generator().manual_seed(1)) > 0.3
    poses = SE3(torch.eye(4, dtype=torch.float64).repeat(len(cameras), 1, 1))
    focal = torch.tensor([camera.focal for camera in cameras])
    return RigGeometry(tuple(cameras), rays, visible, poses, focal)


def scene() -> tuple[torch.Tensor, torch.Tensor]:
    """Poses (2, 3, 4, 4) and depths (2, 24, 16), float64, of which some points come to lie behind
    the source or out of its image."""
    random = torch.Generator().manual_seed(0)
    twists = torch.rand(2, 3, 6, generator=random, dtype=torch.float64) - 0.5
    depth = 0.3 + 3 * torch.rand(2, 24, 16, generator=random, dtype=torch.float64)
    return SE3.exp(twists).matrix, depth


@pytest.mark.parametrize('masked', (False, True), ids=('all seen', 'masked'))
@pytest.mark.parametrize('cameras', RIGS.values(), ids=RIGS)
def test_pixels_validity_and_gradients_are_those_of_each_camera_by_itself(cameras, masked):
    geometry = rig(cameras, masked)
    poses, depth = scene()
    poses.requires_grad_()
    depth.requires_grad_()
    rays = geometry.planes_of_rays[..., 12:28]
    together = source_grids(geometry, [0, 1], poses, depth, rays)
    alone = [
        source_grid(
            camera, SE3(poses[i]), depth[i, ..., None] * geometry.rays[i, :, 12:28],
            geometry.visible[i],
        )
        for i, camera in enumerate(cameras)
    ]  # fmt: skip
    coordinates = torch.cat([grid.coordinates for grid in alone])
    valid = torch.cat([grid.valid for grid in alone])
    assert 0.1 < valid.float().mean() < 0.9
    assert torch.equal(together.valid, valid)
    # Where nothing is seen, coordinates mean nothing.
    seen = valid[..., None].to(coordinates)
    assert torch.allclose(together.coordinates * seen, coordinates * seen, atol=1e-12)
    weight = torch.rand(coordinates.shape, dtype=torch.float64) * seen
    expected = torch.autograd.grad((coordinates * weight).sum(), (depth, poses))
    found = torch.autograd.grad((together.coordinates * weight).sum(), (depth, poses))
    assert all(torch.allclose(a, b, rtol=1e-9) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    'camera', (PLAIN, RATIONAL, FISHEYE), ids=('plain', 'rational', 'fisheye')
)
@pytest.mark.parametrize('masked', (False, True), ids=('all seen', 'masked'))
def test_one_camera_looks_up_many_depths_of_another(camera, masked):
    geometry = rig((PLAIN, camera), masked)
    ladder = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
    pose = scene()[0][0, 0]
    rays = geometry.planes_of_rays[0, None]
    found = source_grids(geometry, [1], pose[None, None], ladder[:, None, None], rays)
    assert not found.valid.all()
    for depth, coordinates, valid in zip(ladder, *found, strict=True):
        one = SE3(pose[None])
        alone = source_grid(camera, one, depth * geometry.rays[0], geometry.visible[1])
        assert torch.equal(valid, alone.valid[0])
        assert valid.any()
        assert torch.allclose(coordinates[valid], alone.coordinates[0][valid], atol=1e-12)


def test_a_fisheye_is_no_pinhole():
    assert all_pinholes(RIGS['mixed'])
    assert not all_pinholes(RIGS['fisheye'])


def test_each_view_is_looked_up_in_its_own_mask():
    masks = torch.rand(3, 24, 40) > 0.5
    places = 2 * torch.rand(3, 5, 7, 2) - 1
    each = [at_nearest(mask, place[None])[0] for mask, place in zip(masks, places, strict=True)]
    assert torch.equal(at_nearest(masks, places), torch.stack(each))
