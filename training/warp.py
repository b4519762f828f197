# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""View synthesis: the only sampler of the training."""

from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.se3 import SE3

# Beyond the image nothing is read; shares are bounded, so that no gradient comes from far outside.
BOUND = 1.5


class SampleGrid(NamedTuple):
    """Where in a source image each target pixel is looked up, and whether it is there to be seen.

    Coordinates are shares of the image: (-1, -1) is the outer corner of the first pixel, (1, 1)
    that of the last (`align_corners=False`), so that one grid serves every image size.
    """

    coordinates: Float[Tensor, 'n h w 2']
    valid: Bool[Tensor, 'n h w']


def source_grid(
    camera: Camera,
    source_from_target: SE3,
    points: Float[Tensor, 'h w 3'],
    visible: Bool[Tensor, 'y x'] | None = None,
) -> SampleGrid:
    """Where one source camera, at each of n poses, sees the target's points.

    `points` are in the target camera's frame (metres); `visible` is false where the source camera
    sees the robot itself.
    """
    count = len(source_from_target.matrix)
    moved = source_from_target.apply(points.expand(count, -1, -1, -1))
    return seen_by(camera, moved, visible)


def seen_by(
    camera: Camera, points: Float[Tensor, 'n h w 3'], visible: Bool[Tensor, 'y x'] | None = None
) -> SampleGrid:
    """Where a camera sees points that are given in its own frame."""
    pixels, valid = camera.project(points)
    size = pixels.new_tensor([camera.width, camera.height])
    shares = ((2 * pixels + 1) / size - 1).clamp(-BOUND, BOUND)
    if visible is not None:
        valid = valid & at_nearest(visible, shares)
    return SampleGrid(shares, valid)


def upsampled(grid: SampleGrid, factor: int) -> SampleGrid:
    """Return the grid at `factor` times the size.

    The network's depth is half the image's size; interpolating where its pixels land costs a
    quarter of projecting every pixel, and differs from it only across depth edges.
    """
    if factor == 1:
        return grid
    coordinates = functional.interpolate(
        grid.coordinates.permute(0, 3, 1, 2), scale_factor=float(factor),
        mode='bilinear', align_corners=False,
    )  # fmt: skip
    valid = grid.valid.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    return SampleGrid(coordinates.permute(0, 2, 3, 1), valid)


def sample(
    images: Float[Tensor, 'n c h w'], coordinates: Float[Tensor, 'n y x 2']
) -> Float[Tensor, 'n c y x']:
    """Bilinear samples at shares of the image (see `SampleGrid`).

    Outside the image the border repeats, so that values stay finite: validity is the caller's.
    """
    return functional.grid_sample(
        images, coordinates, mode='bilinear', padding_mode='border', align_corners=False
    )


def at_nearest(
    mask: Bool[Tensor, '*n h w'], coordinates: Float[Tensor, 'n y x 2']
) -> Bool[Tensor, 'n y x']:
    """The mask, one for all or one each, at the nearest pixel, that of the border outside; NaN (no
    depth) is the middle.

    The sampler is six times faster than indexing.
    """
    planes = mask.to(coordinates).expand(len(coordinates), *mask.shape[-2:])[:, None]
    nearest = functional.grid_sample(
        planes, coordinates.detach().nan_to_num(), mode='nearest', padding_mode='border',
        align_corners=False,
    )  # fmt: skip
    return nearest[:, 0] > 0.5
