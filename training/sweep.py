# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Plane sweep: depth by trying every depth, where poses are known.

A network that descends on the photometric error alone stops in the first minimum it meets; a
near road moves by fifty pixels between two frames, and repeating facades have many minima. Trying
a ladder of depths and keeping the best has no such trouble. Its answer has holes and is wrong in
places, which a network that learns from many of them evens out (Collins, "A space-sweep approach
to true multi-image matching", 1996; used as Depth Hints, Watson et al. 2019, use semi-global
matching).
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from selfdepth_training.compiling import fast
from selfdepth_training.data.samples import SureDepth
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.losses.combine import UNSEEN
from selfdepth_training.losses.fast_photometric import fast_photometric_error
from selfdepth_training.losses.photometric import mean3x3, reflected
from selfdepth_training.losses.surround import AFTER, BEFORE, NOW, Views
from selfdepth_training.source_grids import source_grids
from selfdepth_training.warp import sample

# The best depth must beat every depth more than two rungs away by this factor.
DISTINCT = 0.75
# And explain the image at least this well.
GOOD = 0.15
# The farthest depth is also what wins where nothing fits (a mover, a shadow of the robot); the
# sky fits ten times better than those.
GOOD_FAR = 0.008
# Second difference of inverse depth, relative to it, from which a pixel counts as an outline.
BEND, HORIZON_M = 0.3, 50.0
# Difference to the median of the 3x3 pixels around, relative to it, that no surface has.
OUTLIER = 0.1


def depth_ladder(near_m: float, far_m: float, rungs: int, device: torch.device) -> Tensor:
    """Depths whose inverses are evenly spaced, which is even in pixels of motion."""
    return 1 / torch.linspace(1 / far_m, 1 / near_m, rungs, device=device)


@torch.no_grad()
def sweep(
    views: Views,
    geometry: RigGeometry,
    ladder: Float[Tensor, ' d'],
    ssim_weight: float,
    temporal: bool,
    spatial: bool = True,
) -> SureDepth:
    """Best depth of the ladder for each pixel of the middle frame.

    Every camera is compared, when `spatial`, with the neighbours that overlap it, whose poses the
    rig knows, and, when `temporal`, with itself before and after, for which the robot's motion
    must be known. Of these the best counts, for what is hidden from one often shows in another.
    """
    # Brightness alone finds the same depths in two thirds of the time.
    views = views._replace(
        images=views.images.mean(2, keepdim=True), aligned=views.across.mean(2, keepdim=True)
    )
    costs = geometry.rays.new_full((len(geometry.cameras), len(ladder), *geometry.size), UNSEEN)
    for comparison in comparisons(geometry, temporal, spatial):
        error, known = _errors(views, geometry, comparison, ladder, ssim_weight)
        part = costs[comparison.camera, :, :, comparison.columns]
        part.copy_(fast(_lowered)(part, reflected(error), known))
    swept = [_best(cost, ladder) for cost in costs]
    depth, sure = (torch.stack(parts) for parts in zip(*swept, strict=True))
    return SureDepth(depth, sure & geometry.visible & views.present[NOW][:, None, None])


class Comparison(NamedTuple):
    """Columns of a camera's image now, and the camera and time they are compared with."""

    camera: int
    time: int
    source: int
    columns: slice


def comparisons(
    geometry: RigGeometry, temporal: bool, spatial: bool = True
) -> Iterator[Comparison]:
    """Each camera with the neighbours that overlap it, now, and with itself before and after."""
    if spatial:
        for overlap in geometry.overlaps:
            yield Comparison(overlap.target, NOW, overlap.source, overlap.columns(geometry))
    if temporal:
        whole = slice(0, geometry.size[1])
        for camera in range(len(geometry.cameras)):
            yield from (Comparison(camera, time, camera, whole) for time in (BEFORE, AFTER))


def _errors(
    views: Views, geometry: RigGeometry, what: Comparison, ladder: Tensor, ssim_weight: float
) -> tuple[Float[Tensor, 'd 1 h w'], Float[Tensor, 'd h w']]:
    """Photometric error of one source for every depth of the ladder, and 1 where it sees that."""
    camera, time, source, columns = what
    pose = views.world_from_camera[time, source].inverse() @ views.world_from_camera[NOW, camera]
    rays = geometry.planes_of_rays[camera, None, :, :, columns]
    source_from_target = pose.matrix.to(rays)[None, None]
    grid = source_grids(geometry, [source], source_from_target, ladder[:, None, None], rays)
    images = views.images if source == camera else views.across
    image = images[time, source].expand(len(ladder), -1, -1, -1)
    target = images[NOW, camera, None, :, :, columns]
    error = fast_photometric_error(target, sample(image, grid.coordinates), ssim_weight)
    return error[:, None], grid.valid.to(error).mul_(views.present[time, source].to(error))


def _lowered(
    cost: Float[Tensor, 'd h w'],
    wide_error: Float[Tensor, 'd 1 y x'],
    known: Float[Tensor, 'd h w'],
) -> Float[Tensor, 'd h w']:
    """The cost, where the error of a box around a known pixel is not less: one pixel is little
    evidence. The error is one pixel wider on each side."""
    return torch.minimum(cost, torch.where(known > 0, mean3x3(wide_error)[:, 0], UNSEEN))


def _best(cost: Float[Tensor, 'd h w'], ladder: Float[Tensor, ' d']) -> SureDepth:
    """Minimum over the ladder, refined between its rungs, believed where it is distinct."""
    rungs = torch.arange(len(ladder), device=cost.device, dtype=cost.dtype)[:, None, None]
    least, first, second = fast(_least_and_second)(cost, rungs)
    rung = first.long()
    # The nearest rung is no answer: something nearer still may fit better. The farthest is one.
    inside = (rung > 0) & (rung < len(ladder) - 1)
    middle = rung.clamp(1, len(ladder) - 2)
    left, centre, right = (cost.gather(0, (middle + step)[None])[0] for step in (-1, 0, 1))
    bend = (left - 2 * centre + right).clamp(min=1e-6)
    offset = (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
    inverse = 1 / ladder
    step = inverse[1] - inverse[0]
    refined = inverse[rung] + torch.where(inside, offset, torch.zeros_like(offset)) * step
    good = torch.where(rung == 0, GOOD_FAR, GOOD)
    sure = (least < good) & (least < DISTINCT * second) & (rung < len(ladder) - 1)
    inverse_depth = refined.clamp(min=1e-3)
    return SureDepth(1 / inverse_depth, sure & ~_near_edge(inverse_depth))


def _least_and_second(
    cost: Float[Tensor, 'd h w'], rungs: Float[Tensor, 'd 1 1']
) -> tuple[Float[Tensor, 'h w'], Float[Tensor, 'h w'], Float[Tensor, 'h w']]:
    """The least cost, the first rung that has it, and the least more than two rungs away."""
    least = cost.amin(0)
    first = torch.where(cost == least, rungs, len(cost) - 1.0).amin(0)
    return least, first, torch.where((rungs - first).abs() > 2, cost, UNSEEN).amin(0)


def _median3x3(x: Float[Tensor, 'h w']) -> Float[Tensor, 'h w']:
    height, width = x.shape
    padded = functional.pad(x[None, None], (1, 1, 1, 1), mode='replicate')[0, 0]
    shifted = [padded[v : v + height, u : u + width] for v in range(3) for u in range(3)]
    return torch.stack(shifted).median(0).values


def _near_edge(inverse_depth: Float[Tensor, 'h w']) -> Bool[Tensor, 'h w']:
    """Where the inverse depth bends, and one pixel around; and outliers.

    A window that straddles an outline takes the depth of its textured side, so that foregrounds
    grow by a window's width, most of all into a plain sky. On any plane, a grazing road too, the
    inverse depth is linear and bends nowhere.
    """
    # A single wrong pixel must not open a hole of twenty: bends are looked for in the median.
    calm = _median3x3(inverse_depth)
    outlier = (inverse_depth - calm).abs() > OUTLIER * (calm + 1 / HORIZON_M)
    padded = functional.pad(calm[None, None], (1, 1, 1, 1), mode='replicate')[0, 0]
    across = padded[1:-1, 2:] - 2 * calm + padded[1:-1, :-2]
    down = padded[2:, 1:-1] - 2 * calm + padded[:-2, 1:-1]
    bent = torch.maximum(across.abs(), down.abs()) > BEND * (calm + 1 / HORIZON_M)
    return outlier | (functional.max_pool2d(bent.float()[None], 3, 1, 1)[0] > 0)
