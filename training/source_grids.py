# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the cameras of a rig see what others see: every lookup of one image in another."""

from collections.abc import Sequence
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor

from selfdepth_ros.core.cameras import Camera
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.pinholes import all_pinholes, pinhole_grids
from selfdepth_training.warp import SampleGrid, at_nearest, seen_by


def source_grids(
    geometry: RigGeometry,
    sources: Sequence[int],
    source_from_target: Float[Tensor, 'n s 4 4'],
    depth: Float[Tensor, 'm y x'],
    rays: Float[Tensor, 'k 3 h w'],
) -> SampleGrid:
    """Where n source cameras, each at s poses, see the targets' points: (n s, h, w).

    `rays` is what one metre of `depth` (metres) is in the target's camera frame. What is the same
    for several pixels or targets may have ones in its shape. One source may look up many depths.
    Where the source camera sees the robot itself, nothing is valid.
    """
    cameras = [geometry.cameras[source] for source in sources]
    grids = pinhole_grids if all_pinholes(cameras) else _grids_of_any_lens
    grid = grids(cameras, source_from_target, depth, rays)
    if all(geometry.sees_all[source] for source in sources):
        return grid
    if len(sources) == 1:
        masks = geometry.visible[sources[0]]
    else:
        masks = geometry.visible[list(sources)].repeat_interleave(source_from_target.shape[1], 0)
    return grid._replace(valid=grid.valid & at_nearest(masks, grid.coordinates))


def _grids_of_any_lens(
    cameras: Sequence[Camera], source_from_target: Tensor, depth: Tensor, rays: Tensor
) -> SampleGrid:
    """As `pinhole_grids`, for any lens."""
    turned = torch.einsum('nsij,njhw->nsihw', source_from_target[..., :3, :3], rays)
    moved = turned * depth[:, None, None] + source_from_target[..., :3, 3, None, None]
    # Planes of x, y and z in memory are projected faster than triples.
    points = moved.movedim(2, -1)
    if len(cameras) == 1:
        return seen_by(cameras[0], points.flatten(0, 1))
    runs = [(camera, len(list(run))) for camera, run in groupby(cameras)]
    parts = points.split([length for _, length in runs])
    grids = [
        seen_by(camera, part.flatten(0, 1)) for (camera, _), part in zip(runs, parts, strict=True)
    ]
    return SampleGrid(*(torch.cat(parts) for parts in zip(*grids, strict=True)))
