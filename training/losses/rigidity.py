# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How well depths of two times agree, if the world stood still: what moves by itself does not.

Bian et al., "Unsupervised scale-consistent depth and ego-motion learning from monocular video"
(SC-SfMLearner), 2019, eq. 4: `abs(computed - projected) / (computed + projected)`, where the first
is the depth now, moved into the camera of another time, and the second what that camera's own
depth is there. Two things are other here, so that what stands still is not suspected:

- Of the two sources the one that agrees better counts, and one of them must see farther than the
  depth, through what is said to be there: what is hidden from a source is nearer there, and proves
  nothing. What moves towards the robot or away from it is seen through before or after.
- The source's depth is the best of nine, a pixel around, and what is less than three pixels wide
  is passed over: outlines lie between pixels.

With the true depths of streets at 160x96, 99 % of what is flagged moves, and nine tenths of what
this can tell are flagged. It cannot tell what leaves the same depth behind (the side of a lorry
that passes), is hidden before or after while the other image does not show it, is too slow for its
way to be a part of its distance, or less than three pixels wide (walkers). Nor can it tell what
keeps its distance to the robot once its depth is what that teaches: a leading car that is taken
for infinitely far agrees with itself. That is the auto-mask's work (losses/surround.py).
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.losses.surround import AFTER, BEFORE, NOW, SurroundReprojection, Views
from selfdepth_training.warp import sample, seen_by


class Inconsistency(NamedTuple):
    """How much depths disagree with those of the times around them (0: not, to 1)."""

    share: Float[Tensor, 'c h w']
    valid: Bool[Tensor, 'c h w']
    """Where before or after has a depth; elsewhere `share` is 0."""


@torch.no_grad()
def inconsistency(
    tables: SurroundReprojection,
    views: Views,
    depth: Float[Tensor, 'c h w'],
    neighbours: Float[Tensor, '2 c h w'],
) -> Inconsistency:
    """Compare depths (metres) with those before and after of the same cameras, `neighbours`."""
    geometry = tables.geometry
    distances = geometry.rays.norm(dim=-1)
    shares, valids = [], []
    for camera, each in enumerate(geometry.cameras):
        poses = views.world_from_camera.matrix
        source_from_target = (
            SE3(poses[[BEFORE, AFTER], camera]).inverse().matrix @ poses[NOW, camera]
        )
        points = depth[camera, ..., None] * geometry.rays[camera]
        moved = SE3(source_from_target.to(depth)).apply(points.expand(2, -1, -1, -1))
        grid = seen_by(each, moved, geometry.visible[camera])
        # Along a ray depths of both kinds are as distances; inverse ones are linear on planes.
        known = 1 / (neighbours[:, camera] * distances[camera])[:, None]
        there = sample(_around(known), grid.coordinates.nan_to_num())
        said = 1 / moved.norm(dim=-1, keepdim=True).clamp(min=1e-6).permute(0, 3, 1, 2)
        apart = (said - there) / (said + there)
        shares.append(apart.gather(1, apart.abs().argmin(1, keepdim=True))[:, 0])
        valids.append(grid.valid & views.present[[BEFORE, AFTER], camera, None, None])
    share, valid = torch.stack(shares), torch.stack(valids)
    agreeing = torch.where(valid, share.abs(), 1.0).amin(1)
    seen_through = torch.where(valid, share, 0.0).amax(1).clamp(min=0)
    valid = valid.any(1) & geometry.visible & views.present[NOW][:, None, None]
    found = torch.where(valid, torch.minimum(agreeing, seen_through), 0.0)
    return Inconsistency(_opened(found), valid)


def _around(x: Float[Tensor, 'n 1 h w']) -> Float[Tensor, 'n 9 h w']:
    """Each pixel and the eight beside it."""
    height, width = x.shape[2:]
    padded = functional.pad(x, (1, 1, 1, 1), mode='replicate')
    rows = [padded[:, :, y : y + height] for y in range(3)]
    return torch.cat([row[..., i : i + width] for row in rows for i in range(3)], 1)


def _opened(x: Float[Tensor, 'n h w']) -> Float[Tensor, 'n h w']:
    """Without what is less than three pixels wide."""
    eroded = -functional.max_pool2d(-x, 3, 1, 1)
    return functional.max_pool2d(eroded, 3, 1, 1)


def rigid_weight(found: Inconsistency, sharpness: float) -> Float[Tensor, 'c h w']:
    """What a pixel counts: `1 - sharpness * inconsistency`, at least 0."""
    return (1 - sharpness * found.share).clamp(min=0)
