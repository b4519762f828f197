# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a plane sweep takes for far though it stands on the road: traffic that drives along.

A vehicle that keeps its distance does not move in the image, and nothing fits that better than the
farthest depth; but there it would be below the ground. It is as far away as the road where it
stands on it (Moon et al., "From-Ground-To-Objects: coarse-to-fine self-supervised monocular depth
estimation of dynamic objects with ground contact prior", 2024).
"""

import torch
from jaxtyping import Bool
from torch import Tensor

from selfdepth_training.data.samples import SureDepth
from selfdepth_training.geometry import RigGeometry

# Points this far from the body, horizontally, tell the height of the ground: the lowest tenth.
NEAR_M, LOWEST = (2.0, 12.0), 0.1
# Points deeper than this below it, plus a share of their distance (slopes), cannot be.
DEEP_M, SLOPE = 0.3, 0.05


@torch.no_grad()
def standing_on_ground(swept: SureDepth, geometry: RigGeometry) -> SureDepth:
    """Give what lies under the ground the depth of the nearest sure pixel below it in the image.

    Images must be upright. Where no sure pixel is below, the depth is no longer sure.
    """
    under = swept.sure & _under_ground(swept, geometry)
    depth, sure = swept.depth.clone(), swept.sure & ~under
    known = torch.zeros_like(depth[:, 0])
    for row in reversed(range(depth.shape[1])):
        lifted = under[:, row] & (known > 0)
        depth[:, row] = torch.where(lifted, known, depth[:, row])
        known = torch.where(sure[:, row], depth[:, row], known)
        sure[:, row] |= lifted
    return SureDepth(depth, sure)


def _under_ground(swept: SureDepth, geometry: RigGeometry) -> Bool[Tensor, 'c h w']:
    body_from_camera = geometry.body_from_camera.like(geometry.rays)
    points = body_from_camera.apply(swept.depth[..., None] * geometry.rays)
    distance, height = points[..., :2].norm(dim=-1), points[..., 2]
    nearest, farthest = NEAR_M
    near = swept.sure & (distance > nearest) & (distance < farthest)
    if not near.any():
        return torch.zeros_like(swept.sure)
    ground = torch.quantile(height[near], LOWEST)
    return height < ground - DEEP_M - SLOPE * distance
