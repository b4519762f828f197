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
from selfdepth_training.compiling import fast
from selfdepth_training.data.samples import SureDepth
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.source_grids import source_grids
from selfdepth_training.warp import sample

# Words about one place that differ by more than this, relatively, are about two things.
AGREE = 0.15
# A target camera must see this share of another's image, for it to be asked at all.
LEAST_SHARE = 0.01


class Moment(NamedTuple):
    """What a rig's cameras found at one time, and where they were."""

    found: SureDepth
    world_from_camera: SE3
    """Batch (C,), float64."""
    images: Float[Tensor, 'c 3 h w']
    """What they saw, 0..1, as it is compared between cameras."""
    visible: Bool[Tensor, 'c h w']
    """False where no image came, the lens has no ray or the camera sees the robot itself."""


@torch.no_grad()
def averaged(
    now: Moment, others: list[Moment], geometry: RigGeometry, witnesses: int = 0
) -> SureDepth:
    """Mean of the logarithms of all depths that agree with the one found `now`, where it is sure.

    All cameras of all moments are asked, those of `now` too. The error of a triangulated depth
    grows with its square: so falls the weight of a word with the depth it was found at. What fewer
    than `witnesses` of the others agree with is sure no more; of fewer others, all must agree.
    """
    weights, words = torch.zeros_like(now.found.depth), torch.zeros_like(now.found.depth)
    agreed = torch.zeros_like(now.found.depth)
    for moment in (now, *others):
        for source in range(len(geometry.cameras)):
            log_depth, weight = _heard(now, moment, source, geometry)
            weights += weight
            words += weight * log_depth
            if moment is not now:
                agreed += weight > 0
    mean = torch.exp(words / weights.clamp(min=1e-12))
    spoken = now.found.sure & (weights > 0)
    sure = now.found.sure & (agreed >= min(witnesses, len(others)))
    return SureDepth(torch.where(spoken, mean, now.found.depth), sure)


def _heard(
    now: Moment, then: Moment, source: int, geometry: RigGeometry
) -> tuple[Float[Tensor, 'c h w'], Float[Tensor, 'c h w']]:
    """What one camera `then` says about the depths that all found `now`: logarithm and weight.

    The weight is zero where the camera says nothing, or something else.
    """
    pose = then.world_from_camera[source].inverse() @ now.world_from_camera
    depth, rays = now.found.depth, geometry.planes_of_rays
    source_from_target = pose.matrix.to(depth)
    sources = [source] * len(geometry.cameras)
    grid = source_grids(geometry, sources, source_from_target[:, None], depth, rays)
    asked = grid.valid & (grid.valid.flatten(1).float().mean(1) > LEAST_SHARE)[:, None, None]
    # The inverse depth of a plane is linear in the image, so that a sample is exact there.
    planes = torch.stack(
        [
            1 / then.found.depth[source],
            geometry.rays[source].norm(dim=-1),
            then.found.sure[source].to(depth),
        ]
    )
    sampled = sample(planes.expand(len(sources), -1, -1, -1), grid.coordinates)
    target_from_source = pose.inverse().matrix.to(depth)
    return fast(_words)(
        depth, rays, source_from_target, target_from_source, sampled, asked.to(depth)
    )


def _words(
    depth: Float[Tensor, 'n h w'],
    rays: Float[Tensor, 'n 3 h w'],
    source_from_target: Float[Tensor, 'n 4 4'],
    target_from_source: Float[Tensor, 'n 4 4'],
    sampled: Float[Tensor, 'n 3 h w'],
    asked: Float[Tensor, 'n h w'],
) -> tuple[Float[Tensor, 'n h w'], Float[Tensor, 'n h w']]:
    """Logarithm of the depth that the source's makes for the target, and its weight."""
    inverse_depth, length, sure = sampled.unbind(1)
    found = 1 / inverse_depth.clamp(min=1e-6)
    moved = _moved(source_from_target, [depth * ray for ray in rays.unbind(1)])
    distance = torch.sqrt(moved[0] ** 2 + moved[1] ** 2 + moved[2] ** 2)
    ratio = found * length / distance.clamp(min=1e-6)
    agrees = (asked > 0) & (sure > 0.999) & (torch.log(ratio).abs() < AGREE)
    back = _moved(target_from_source, [each * ratio for each in moved])
    along = sum(b * ray for b, ray in zip(back, rays.unbind(1), strict=True))
    along = along / sum(ray * ray for ray in rays.unbind(1))
    weight = torch.where(agrees, inverse_depth.clamp(min=1e-6) ** 2, 0.0)
    return torch.log(along.clamp(min=1e-6)), weight


def _moved(matrix: Float[Tensor, 'n 4 4'], xyz: list[Tensor]) -> list[Tensor]:
    """Points as three planes (n, h, w), moved."""
    rows = matrix[..., None, None]
    return [
        rows[:, i, 0] * xyz[0] + rows[:, i, 1] * xyz[1] + rows[:, i, 2] * xyz[2] + rows[:, i, 3]
        for i in range(3)
    ]
