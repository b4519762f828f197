# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How far a depth is from the one that is told: a table of losses.

All but one compare logarithms, so that ten percent count alike near and far.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth_training.losses.photometric import masked_mean

# Share of the mean error that is forgiven (Eigen et al. 2014, lambda).
FORGIVEN = 0.5
# Share of the largest error above which errors count squared (Laina et al. 2016).
KNEE = 0.2

LabelError = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Logarithms of said and told depths (n, y, x) and where something is told, to one loss."""


def log_l1(
    said: Float[Tensor, 'n y x'], told: Float[Tensor, 'n y x'], sure: Bool[Tensor, 'n y x']
) -> Tensor:
    """Mean absolute difference: what a few wrong labels cannot pull far."""
    return masked_mean((said - told).abs(), sure)


def log_metres(
    said: Float[Tensor, 'n y x'], told: Float[Tensor, 'n y x'], sure: Bool[Tensor, 'n y x']
) -> Tensor:
    """Mean of log(1 + metres between): a metre off counts, how many more hardly does.

    Watson et al., "Self-supervised monocular depth hints", 2019, their log L1.
    """
    told = torch.where(sure, told, said.detach())  # the others may be anything
    return masked_mean(torch.log1p((said.exp() - told.exp()).abs()), sure)


def scale_invariant(
    said: Float[Tensor, 'n y x'], told: Float[Tensor, 'n y x'], sure: Bool[Tensor, 'n y x']
) -> Tensor:
    """Mean square less half of the squared mean, of each image.

    Eigen et al., "Depth map prediction from a single image", 2014, eq. 4: with all of it a common
    factor of an image would cost nothing, with half of it the factor is still learned.
    """
    weight = sure.to(said.dtype)
    off = torch.where(sure, said - told, torch.zeros_like(said))
    count = weight.sum((1, 2)).clamp(min=1)
    square, mean = off.square().sum((1, 2)) / count, off.sum((1, 2)) / count
    return masked_mean(square - FORGIVEN * mean.square(), sure.any(2).any(1))


def berhu(
    said: Float[Tensor, 'n y x'], told: Float[Tensor, 'n y x'], sure: Bool[Tensor, 'n y x']
) -> Tensor:
    """Reverse Huber: absolute near zero, squared beyond a fifth of the largest error.

    Laina et al., "Deeper depth prediction with fully convolutional residual networks", 2016.
    """
    off = torch.where(sure, said - told, torch.zeros_like(said)).abs()
    knee = (KNEE * off.detach().max()).clamp(min=1e-6)
    return masked_mean(torch.where(off <= knee, off, (off.square() + knee**2) / (2 * knee)), sure)


LABEL_ERRORS: dict[str, LabelError] = {
    'log_l1': log_l1,
    'log1p': log_metres,
    'silog': scale_invariant,
    'berhu': berhu,
}
OF_IMAGES = frozenset({'silog'})
"""Those that are means over images with labels; all others are over pixels with one."""
