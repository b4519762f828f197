# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a plane sweep or matching calls farthest: the sky, told by its colours, and nothing else.

A plain sky between two roofs fits every depth, and is given that of the roofs. High above the
horizon, where it is wide, the farthest fits it best; its colours there tell it in the gaps too.
What is farthest but has not these colours moves along with the robot.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from selfdepth_training.config import TrainConfig
from selfdepth_training.data.samples import SureDepth
from selfdepth_training.geometry import RigGeometry

# Depths beyond this share of the farthest are taken for the farthest.
FARTHEST_FROM = 0.8
# Sine of the elevation above which traffic, which may move along, no longer reaches.
HIGH = 0.14
# Colours in BINS steps a channel; the sky has those of at least COMMON of all pixels.
BINS, COMMON = 32, 2e-4
# Plain: neighbours differ by no more than this (0..1), and 8 of 25 pixels around are plain too.
PLAIN, COMPANY = 16 / 255, 8 / 25
# The sky then grows to outlines by so many pixels.
ROUNDS = 4


def with_sky_as_asked(
    swept: SureDepth, images: Float[Tensor, 'c 3 h w'], visible: Bool[Tensor, 'c h w'],
    geometry: RigGeometry, config: TrainConfig,
) -> SureDepth:  # fmt: skip
    """`with_sky`, or `without_farthest` where data.sky says that there is none."""
    farthest_m = config.network.max_depth_m
    if config.data.sky:
        return with_sky(swept, images, visible, geometry, farthest_m)
    return without_farthest(swept, farthest_m)


@torch.no_grad()
def without_farthest(swept: SureDepth, farthest_m: float) -> SureDepth:
    """Nothing that is farthest is sure: for recordings in which no sky is."""
    return swept._replace(sure=swept.sure & (swept.depth <= FARTHEST_FROM * farthest_m))


@torch.no_grad()
def with_sky(
    swept: SureDepth, images: Float[Tensor, 'c 3 h w'], visible: Bool[Tensor, 'c h w'],
    geometry: RigGeometry, farthest_m: float,
) -> SureDepth:  # fmt: skip
    """Give the sky the farthest depth; other things that have it are no longer sure.

    Sky is what is `visible` only: the black of a camera without an image has a night sky's colour.
    """
    elevation = torch.where(visible, _sine_of_elevation(geometry), -1.0)
    far = swept.sure & (swept.depth > FARTHEST_FROM * farthest_m)
    colour = _colour_bins(images)
    counts = torch.bincount(colour[far & (elevation > HIGH)], minlength=BINS**3)
    common = counts >= COMMON * colour.numel()
    alike = _neighbouring_bins_too(common)[colour] & (elevation > 0)
    plain = _largest_difference(images) <= PLAIN
    core = common[colour] & plain & (elevation > 0)
    company = functional.avg_pool2d(core[:, None].float(), 5, 1, 2)[:, 0]
    sky = _grown((core & (company >= COMPANY)) | (far & alike), alike, images)
    depth = torch.where(sky, farthest_m, swept.depth)
    return SureDepth(depth, (swept.sure & ~far) | sky)


def _sine_of_elevation(geometry: RigGeometry) -> Float[Tensor, 'c h w']:
    rays = geometry.body_from_camera.like(geometry.rays).rotate(geometry.rays)
    return rays[..., 2] / rays.norm(dim=-1).clamp(min=1e-6)


def _colour_bins(images: Float[Tensor, 'c 3 h w']) -> Tensor:
    red, green, blue = (images * (BINS - 1e-3)).long().unbind(1)
    return (red * BINS + green) * BINS + blue


def _neighbouring_bins_too(common: Bool[Tensor, ' b']) -> Bool[Tensor, ' b']:
    cube = common.view(1, 1, BINS, BINS, BINS).float()
    return functional.max_pool3d(cube, 3, 1, 1).view(-1) > 0


def _largest_difference(images: Float[Tensor, 'c 3 h w']) -> Float[Tensor, 'c h w']:
    """Between any two of the nine pixels around, in any channel."""
    highest = functional.max_pool2d(images, 3, 1, 1)
    lowest = -functional.max_pool2d(-images, 3, 1, 1)
    return (highest - lowest).amax(1)


def _grown(sky: Tensor, alike: Tensor, images: Tensor) -> Bool[Tensor, 'c h w']:
    """The sky, grown over neighbours that differ little from it."""
    across = (images[..., 1:] - images[..., :-1]).abs().amax(1) <= PLAIN
    down = (images[:, :, 1:] - images[:, :, :-1]).abs().amax(1) <= PLAIN
    for _ in range(ROUNDS):
        grown = sky.clone()
        grown[:, :, 1:] |= sky[:, :, :-1] & across
        grown[:, :, :-1] |= sky[:, :, 1:] & across
        grown[:, 1:] |= sky[:, :-1] & down
        grown[:, :-1] |= sky[:, 1:] & down
        sky = sky | (grown & alike)
    return sky
