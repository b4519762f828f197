# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One depth from what several moments and cameras say about the same place.

Each of some frames of a drive has a plane sweep of its own, with errors of its own. What stands
still is seen by several of them, by some from nearer, and where they agree their average is better
than each. Views that are consistent with each other are how multi-view stereo tells right depths
from wrong ones (Schoenberger et al., "Pixelwise view selection for unstructured multi-view
stereo", 2016).
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.data.samples import SureDepth
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.warp import sample, seen_by

# Words about one place that differ by more than this, relatively, are about two things.
AGREE = 0.15
# A target camera must see this share of another's image, for it to be asked at all.
LEAST_SHARE = 0.01


class Moment(NamedTuple):
    """What a rig's cameras found at one time, and where they were."""

    found: SureDepth
    world_from_camera: SE3
    """Batch (C,), float64."""


@torch.no_grad()
def averaged(
    now: Moment, others: list[Moment], geometry: RigGeometry, witnesses: int = 0
) -> SureDepth:
    """Mean of the logarithms of all depths that agree with the one found `now`, where it is sure.

    All cameras of all moments are asked, those of `now` too. The error of a triangulated depth
    grows with its square: so falls the weight of a word with the depth it was found at. What fewer
    than `witnesses` of the others agree with is sure no more.
    """
    rays = geometry.rays
    points = now.found.depth[..., None] * rays
    weights, words = torch.zeros_like(now.found.depth), torch.zeros_like(now.found.depth)
    agreed = torch.zeros_like(now.found.depth)
    for moment in (now, *others):
        for camera in range(len(geometry.cameras)):
            source_from_world = moment.world_from_camera[camera].inverse()
            source_from_target = (source_from_world @ now.world_from_camera).like(rays)
            heard = _heard(points, source_from_target, moment.found, camera, geometry)
            weights[heard.targets] += heard.weight
            words[heard.targets] += heard.weight * heard.log_depth
            if moment is not now:
                agreed[heard.targets] += heard.weight > 0
    mean = torch.exp(words / weights.clamp(min=1e-12))
    spoken = now.found.sure & (weights > 0)
    sure = now.found.sure & (agreed >= witnesses)
    return SureDepth(torch.where(spoken, mean, now.found.depth), sure)


class _Heard(NamedTuple):
    """What one camera at one moment says about the depths of those that it shares a view with."""

    targets: Bool[Tensor, ' c']
    log_depth: Float[Tensor, 'n h w']
    weight: Float[Tensor, 'n h w']
    """Zero where it says nothing, or something else."""


def _heard(
    points: Float[Tensor, 'c h w 3'],
    source_from_target: SE3,
    found: SureDepth,
    source: int,
    geometry: RigGeometry,
) -> _Heard:
    moved = source_from_target.apply(points)
    grid = seen_by(geometry.cameras[source], moved, geometry.visible[source])
    targets = grid.valid.flatten(1).float().mean(1) > LEAST_SHARE
    moved, coordinates, valid = moved[targets], grid.coordinates[targets], grid.valid[targets]
    # The inverse depth of a plane is linear in the image, so that a sample is exact there.
    ray_length = geometry.rays[source].norm(dim=-1)
    planes = torch.stack([1 / found.depth[source], ray_length, found.sure[source].float()])
    inverse_depth, length, sure = sample(
        planes.expand(len(moved), -1, -1, -1), coordinates
    ).unbind(1)
    depth = 1 / inverse_depth.clamp(min=1e-6)
    ratio = depth * length / moved.norm(dim=-1).clamp(min=1e-6)
    agrees = valid & (sure > 0.999) & (torch.log(ratio).abs() < AGREE)
    back = source_from_target[targets].inverse().apply(moved * ratio[..., None])
    rays = geometry.rays[targets]
    along = (back * rays).sum(-1) / (rays * rays).sum(-1)
    return _Heard(targets, torch.log(along.clamp(min=1e-6)), agrees / depth**2)
