# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Plane sweep: depth by trying every depth, where poses are known.

A network that descends on the photometric error alone stops in the first minimum it meets; a
near road moves by fifty pixels between two frames, and repeating facades have many minima. Trying
a ladder of depths and keeping the best has no such trouble. Its answer is coarse and wrong in
places, so it guides only the start of the training (Collins, "A space-sweep approach to true
multi-image matching", 1996; used as Depth Hints, Watson et al. 2019, use semi-global matching).
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.data.samples import SweptDepth
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.losses.photometric import fast_photometric_error
from selfdepth_training.losses.surround import NOW, UNSEEN, Views
from selfdepth_training.warp import sample, source_grid

# The best depth must beat every depth more than two rungs away by this factor.
DISTINCT = 0.75
# And explain the image at least this well.
GOOD = 0.15


def depth_ladder(near_m: float, far_m: float, rungs: int, device: torch.device) -> Tensor:
    """Depths whose inverses are evenly spaced, which is even in pixels of motion."""
    return 1 / torch.linspace(1 / far_m, 1 / near_m, rungs, device=device)


@torch.no_grad()
def sweep(
    views: Views,
    geometry: RigGeometry,
    ladder: Float[Tensor, ' d'],
    ssim_weight: float,
    sides: tuple[tuple[int, ...], ...],
) -> SweptDepth:
    """Best depth of the ladder for each pixel of the frame `NOW`.

    Every camera is compared with the neighbours that overlap it, whose poses the rig knows, and
    with itself at the times of each side: (earlier frames, later frames), or () where the robot's
    motion is unknown. Within a side the frames vote together; of the sides and neighbours the best
    counts, for what one side hides the other often shows.
    """
    swept = []
    for camera in range(len(geometry.cameras)):
        groups = [[(NOW, o.source)] for o in geometry.overlaps if o.target == camera]
        groups += [[(time, camera) for time in side] for side in sides]
        least = geometry.rays.new_full((len(ladder), *geometry.size), UNSEEN)
        for group in groups:
            costs = torch.stack(
                [
                    _cost(views, geometry, camera, time, source, ladder, ssim_weight)
                    for time, source in group
                ]
            )
            seen = costs < UNSEEN
            mean = torch.where(seen, costs, 0).sum(0) / seen.sum(0).clamp(min=1)
            least = torch.minimum(least, torch.where(seen.any(0), mean, UNSEEN))
        swept.append(_best(least, ladder))
    depth, sure = (torch.stack(parts) for parts in zip(*swept, strict=True))
    return SweptDepth(depth, sure & geometry.visible & views.present[NOW][:, None, None])


def _cost(
    views: Views, geometry: RigGeometry, camera: int, time: int, source: int, ladder: Tensor,
    ssim_weight: float,
) -> Float[Tensor, 'd h w']:  # fmt: skip
    """Photometric error of one source for every depth of the ladder."""
    points = geometry.rays[camera] * ladder[:, None, None, None]
    pose = views.world_from_camera[time, source].inverse() @ views.world_from_camera[NOW, camera]
    grid = source_grid(
        geometry.cameras[source], SE3(pose.matrix[None].to(points)), points.flatten(0, 1),
        geometry.visible[source],
    )  # fmt: skip
    coordinates = grid.coordinates.reshape(*points.shape[:3], 2)
    valid = grid.valid.reshape(points.shape[:3]) & views.present[time, source]
    image = views.images[time, source].expand(len(ladder), -1, -1, -1)
    target = views.images[NOW, camera].expand(len(ladder), -1, -1, -1)
    error = fast_photometric_error()(target, sample(image, coordinates), ssim_weight)
    smooth = functional.avg_pool2d(error[:, None], 3, 1, 1, count_include_pad=False)[:, 0]
    return torch.where(valid, smooth, UNSEEN)


def _best(cost: Float[Tensor, 'd h w'], ladder: Float[Tensor, ' d']) -> SweptDepth:
    """Minimum over the ladder, refined between its rungs, believed where it stands alone."""
    least, rung = cost.min(0)
    rungs = torch.arange(len(ladder), device=cost.device)[:, None, None]
    apart = (rungs - rung).abs() > 2
    second = torch.where(apart, cost, UNSEEN).amin(0)
    # The nearest rung is no answer: something nearer still may fit better. The farthest is one.
    inside = (rung > 0) & (rung < len(ladder) - 1)
    middle = rung.clamp(1, len(ladder) - 2)
    left, centre, right = (cost.gather(0, (middle + step)[None])[0] for step in (-1, 0, 1))
    bend = (left - 2 * centre + right).clamp(min=1e-6)
    offset = (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
    inverse = 1 / ladder
    step = inverse[1] - inverse[0]
    refined = inverse[rung] + torch.where(inside, offset, torch.zeros_like(offset)) * step
    sure = (least < GOOD) & (least < DISTINCT * second) & (rung < len(ladder) - 1)
    return SweptDepth(1 / refined.clamp(min=1e-3), sure)
