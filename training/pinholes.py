# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where pinholes see the targets' points: for many cameras at once, in one loop.

The lens itself (core/cameras) works operator by operator, each a pass over memory.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from selfdepth_ros.core.cameras import Camera, PinholeCamera, brown_conrady
from selfdepth_ros.core.cameras.base import FARTHEST_M, NEAREST_M
from selfdepth_training.compiling import fast
from selfdepth_training.warp import BOUND, SampleGrid


def all_pinholes(cameras: Sequence[Camera]) -> bool:
    """Whether these are pinholes, distorted or not."""
    return all(isinstance(camera, PinholeCamera) for camera in cameras)


def pinhole_grids(
    cameras: Sequence[Camera],
    source_from_target: Float[Tensor, 'n s 4 4'],
    depth: Float[Tensor, 'm y x'],
    rays: Float[Tensor, 'k 3 h w'],
) -> SampleGrid:
    """`source_grid` of n pinholes of one size, each at s poses: (n s, h, w).

    `rays` is what one metre of depth (metres) is in the target camera's frame. Depths and rays
    that are the same for several or all pixels or cameras may have ones in their shapes; where n
    is one, there may be several depths, or rays, to be looked up by the one camera.
    """
    pinholes = [camera for camera in cameras if isinstance(camera, PinholeCamera)]
    intrinsics = depth.new_tensor([(c.fx, c.fy, c.cx, c.cy) for c in pinholes])
    shares, valid = fast(_shares)(
        depth, rays, source_from_target, intrinsics, _lenses(pinholes, depth),
        cameras[0].width, cameras[0].height,
    )  # fmt: skip
    return SampleGrid(shares.flatten(0, 1).permute(0, 2, 3, 1), valid.flatten(0, 1) > 0)


def _lenses(cameras: Sequence[PinholeCamera], like: Tensor) -> Float[Tensor, 'n c'] | None:
    """Squared radius of the usable disc, and distortion: as many coefficients as are needed."""
    if not any(any(camera.distortion) for camera in cameras):
        return None
    lenses = [camera.usable_distortion for camera in cameras]
    count = 8 if any(any(lens.coefficients[5:]) for lens in lenses) else 5
    return like.new_tensor([(lens.radius**2, *lens.coefficients[:count]) for lens in lenses])


def _shares(
    depth: Float[Tensor, 'm y x'], rays: Float[Tensor, 'k 3 h w'],
    source_from_target: Float[Tensor, 'n s 4 4'], intrinsics: Float[Tensor, 'n 4'],
    lenses: Float[Tensor, 'n c'] | None, width: int, height: int,
) -> tuple[Float[Tensor, 'p s 2 h w'], Float[Tensor, 'p s h w']]:  # fmt: skip
    """As `PinholeCamera.project` and `seen_by` have it; planes of u and of v, 1 where valid.

    A truth value would be a byte, with which the loop does without a processor's vectors: it then
    takes ten times as long.
    """
    x, y, z = (depth * rays.unbind(1)[axis] for axis in range(3))
    rows = source_from_target[..., None, None]
    moved = [
        rows[:, :, i, 0] * x[:, None] + rows[:, :, i, 1] * y[:, None]
        + rows[:, :, i, 2] * z[:, None] + rows[:, :, i, 3]
        for i in range(3)
    ]  # fmt: skip
    valid = (moved[2] > NEAREST_M) & (moved[2] < FARTHEST_M)
    safe_z = torch.where(valid, moved[2], 1.0)
    normalized = moved[0] / safe_z, moved[1] / safe_z
    if lenses is not None:
        radius2, *k = lenses[:, :, None, None, None].unbind(1)
        valid = valid & (normalized[0] ** 2 + normalized[1] ** 2 <= radius2)
        normalized = brown_conrady.distort(
            (*k, 0.0, 0.0, 0.0)[:8], *(torch.where(valid, part, 0.0) for part in normalized)
        )
    shares = []
    for axis, size in enumerate((width, height)):
        focal, centre = (intrinsics[:, i, None, None, None] for i in (axis, 2 + axis))
        pixels = focal * normalized[axis] + centre
        valid = valid & (pixels >= -0.5) & (pixels < size - 0.5)
        shares.append(((2 * pixels + 1) / size - 1).clamp(-BOUND, BOUND))
    return torch.stack(shares, 2), valid.to(depth)
