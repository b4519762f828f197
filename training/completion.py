# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth from sure neighbours of like colour, for what a plane sweep left open or made rough."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from selfdepth_training.compiling import fast
from selfdepth_training.data.samples import SureDepth

# Pixels around; colour distance (sum over three channels of 0..1) and distance in pixels at which
# a neighbour's word has fallen to 1/e.
REACH, COLOUR, NEARNESS = 4, 0.05, 3.0
# Least sum of the words (single wrong ones must not spread), and largest spread, of log depth,
# of what they say.
HEARD, SPREAD = 1.0, 0.15
ROUNDS = 2


@torch.no_grad()
def completed(
    swept: SureDepth, images: Float[Tensor, 'c 3 h w'], visible: Bool[Tensor, 'c h w']
) -> SureDepth:
    """Give pixels the depth of their neighbours where those of like colour agree.

    At an outline the window of a sweep sees two depths and is sure of neither, but the colours
    mostly tell which side a pixel belongs to (Yoon and Kweon, "Adaptive support-weight approach
    for correspondence search", 2006). Twice, so that holes close from their rims.
    """
    for _ in range(ROUNDS):
        depth, agreed = _from_neighbours(swept, images)
        told = agreed & visible
        swept = SureDepth(torch.where(told, depth, swept.depth), swept.sure | told)
    return swept


def _from_neighbours(swept: SureDepth, images: Tensor) -> SureDepth:
    """What the sure neighbours of each pixel say, weighted by likeness, and whether they agree."""
    height = swept.depth.shape[1]
    sure = swept.sure.float()
    said = torch.log(swept.depth) * sure
    planes = torch.cat([images, said[:, None], sure[:, None]], 1)
    padded = functional.pad(planes, (REACH, REACH, REACH, REACH))
    offsets = torch.arange(-REACH, REACH + 1, device=said.device).to(said)
    sums = [torch.zeros_like(said) for _ in range(3)]
    for down in range(2 * REACH + 1):
        rows = padded[:, :, down : down + height]
        nearness = torch.exp(-torch.hypot(offsets[down], offsets) / NEARNESS)
        for total, part in zip(sums, fast(_words_of_rows)(rows, images, nearness), strict=True):
            total += part
    weights, first, second = sums
    some = weights.clamp(min=1e-9)
    mean = first / some
    spread = (second / some - mean**2).clamp(min=0).sqrt()
    return SureDepth(torch.exp(mean), (weights > HEARD) & (spread < SPREAD))


def _words_of_rows(
    rows: Float[Tensor, 'c 5 h x'], images: Float[Tensor, 'c 3 h w'], nearness: Float[Tensor, ' k']
) -> tuple[Float[Tensor, 'c h w'], Float[Tensor, 'c h w'], Float[Tensor, 'c h w']]:
    """Weights of the pixels to the left and right in rows of colours, words and whether they are
    sure; and weighted sums of words and of their squares."""
    width = images.shape[-1]
    weights, first, second = (torch.zeros_like(images[:, 0]) for _ in range(3))
    for right in range(len(nearness)):
        near = rows[..., right : right + width]
        colour = (near[:, :3] - images).abs().sum(1)
        weight = near[:, 4] * torch.exp(-colour / COLOUR) * nearness[right]
        weights = weights + weight
        first = first + weight * near[:, 3]
        second = second + weight * near[:, 3] ** 2
    return weights, first, second
