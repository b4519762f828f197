# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where undistorted pinholes see the targets' points: for many cameras at once, in one loop.

The lens itself (core/cameras) works operator by operator, each a pass over memory.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth_ros.core.cameras import Camera, PinholeCamera
from selfdepth_ros.core.cameras.base import FARTHEST_M, NEAREST_M
from selfdepth_training.compiling import fast
from selfdepth_training.warp import BOUND, SampleGrid


def all_plain(cameras: Sequence[Camera]) -> bool:
    """Whether these are pinholes without distortion."""
    return all(isinstance(c, PinholeCamera) and not any(c.distortion) for c in cameras)


def pinhole_grids(
    cameras: Sequence[Camera],
    source_from_target: Float[Tensor, 'n s 4 4'],
    depth: Float[Tensor, 'n h w'],
    rays: Float[Tensor, 'n 3 h w'],
) -> SampleGrid:
    """`source_grid` of n plain cameras of one size, each at s poses: (n s, h, w).

    `rays` is what one metre of depth (metres) is in the target camera's frame.
    """
    intrinsics = [(c.fx, c.fy, c.cx, c.cy) for c in cameras if isinstance(c, PinholeCamera)]
    coordinates, valid = fast(_shares)(
        depth, rays, source_from_target, depth.new_tensor(intrinsics),
        cameras[0].width, cameras[0].height,
    )  # fmt: skip
    return SampleGrid(coordinates.flatten(0, 1).permute(0, 2, 3, 1), valid.flatten(0, 1))


def _shares(
    depth: Float[Tensor, 'n h w'], rays: Float[Tensor, 'n 3 h w'],
    source_from_target: Float[Tensor, 'n s 4 4'], intrinsics: Float[Tensor, 'n 4'],
    width: int, height: int,
) -> tuple[Float[Tensor, 'n s 2 h w'], Bool[Tensor, 'n s h w']]:  # fmt: skip
    """As `PinholeCamera.project` and `seen_by` have it; planes of u and of v."""
    x, y, z = (depth * rays.unbind(1)[axis] for axis in range(3))
    rows = source_from_target[..., None, None]
    moved = [
        rows[:, :, i, 0] * x[:, None] + rows[:, :, i, 1] * y[:, None]
        + rows[:, :, i, 2] * z[:, None] + rows[:, :, i, 3]
        for i in range(3)
    ]  # fmt: skip
    valid = (moved[2] > NEAREST_M) & (moved[2] < FARTHEST_M)
    safe_z = torch.where(valid, moved[2], 1.0)
    shares = []
    for axis, size in enumerate((width, height)):
        focal, centre = (intrinsics[:, i, None, None, None] for i in (axis, 2 + axis))
        pixels = focal * (moved[axis] / safe_z) + centre
        valid = valid & (pixels >= -0.5) & (pixels < size - 0.5)
        shares.append(((2 * pixels + 1) / size - 1).clamp(-BOUND, BOUND))
    return torch.stack(shares, 2), valid
