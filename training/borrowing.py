# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth that other moments and cameras are sure of, where a frame itself is not.

Beside an outline one of two images does not see what the other does, and a window sees two depths
at once: nothing is sure there. A little later or earlier, or from the next camera, the same place
is mostly plain to see. Points are carried over as in depth-image-based rendering, the nearest
counts, and only those of the pixel's own colour: what hides the place now, or moved away since,
has another one.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.consensus import Moment
from selfdepth_training.data.samples import SureDepth
from selfdepth_training.geometry import RigGeometry

# Largest difference of colour, summed over three channels of 0..1, of one place seen twice.
ALIKE = 0.08


@torch.no_grad()
def with_borrowed(
    now: Moment, others: list[Moment], geometry: RigGeometry, farthest_m: float
) -> SureDepth:
    """Give what is visible but not sure the depth that others saw there.

    What lies beyond `farthest_m` is nobody's to lend: the sky is no place.
    """
    nearest = torch.full_like(now.found.depth, torch.inf)
    pairs = {(overlap.target, overlap.source) for overlap in geometry.overlaps}
    pairs |= {(camera, camera) for camera in range(len(geometry.cameras))}
    for moment in (now, *others):
        for source in range(len(geometry.cameras)):
            lent = _lent(moment, source, geometry, farthest_m)
            for target in range(len(geometry.cameras)):
                itself = moment is now and source == target
                if (target, source) in pairs and len(lent.points) and not itself:
                    world_from = moment.world_from_camera[source]
                    pose = now.world_from_camera[target].inverse() @ world_from
                    _take(now, target, geometry, pose, lent, nearest[target])
    open_ = now.visible & ~now.found.sure & nearest.isfinite()
    depth = torch.where(open_, nearest, now.found.depth)
    return SureDepth(depth, now.found.sure | open_)


class _Lent(NamedTuple):
    """The sure pixels of one camera."""

    points: Float[Tensor, 'n 3']
    """Metres, in its frame."""
    colours: Float[Tensor, 'n 3']


def _lent(moment: Moment, source: int, geometry: RigGeometry, farthest_m: float) -> _Lent:
    depth, sure = moment.found.depth[source], moment.found.sure[source]
    chosen = sure & (depth < farthest_m)
    points = (depth[..., None] * geometry.rays[source])[chosen]
    return _Lent(points, moment.images[source][:, chosen].T)


def _take(
    now: Moment,
    target: int,
    geometry: RigGeometry,
    target_from_source: SE3,
    lent: _Lent,
    nearest: Float[Tensor, 'h w'],
) -> None:
    """Lower `nearest` to the depth of the points that a camera would see, of like colour."""
    local = target_from_source.like(lent.points).apply(lent.points)
    pixels, seen = geometry.cameras[target].project(local)
    column, row = pixels[seen].round().long().unbind(-1)
    height, width = geometry.size
    place = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
    own = now.images[target].flatten(1).T[place]
    alike = (lent.colours[seen] - own).abs().sum(-1) < ALIKE
    place = place[alike]
    metres = geometry.rays[target].norm(dim=-1).flatten()[place]
    depth = local[seen][alike].norm(dim=-1) / metres
    nearest.view(-1).scatter_reduce_(0, place, depth.to(nearest), 'amin')
