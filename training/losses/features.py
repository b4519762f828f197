# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Feature-metric error, and what makes features good to compare by (Shu et al. 2020)."""

import torch
from jaxtyping import Float
from torch import Tensor

# Below this difference the error is a parabola (Charbonnier et al. 1994).
ROUND = 1e-3


def feature_error(
    target: Float[Tensor, 'n k y x'], warped: Float[Tensor, 'n k y x']
) -> Float[Tensor, 'n y x']:
    """Charbonnier difference per pixel, mean over the features."""
    return ((target - warped).square() + ROUND**2).sqrt().mean(1)


def painting_error(images: Float[Tensor, 'n 3 h w'], painted: Float[Tensor, 'n 3 h w']) -> Tensor:
    """Mean absolute difference of the images and what their features tell of them."""
    return (images - painted).abs().mean()


def steepness_and_bend(
    features: Float[Tensor, 'n k y x'], images: Float[Tensor, 'n 3 y x']
) -> tuple[Tensor, Tensor]:
    """Mean first and second differences of the features, where the image (same size) has no edge.

    Shu et al., "Feature-metric loss", 2020, eqs. 7 and 8: steep features have a gradient where the
    image has none (discriminative), straight ones lead from afar (convergent).
    """
    steep, bent = features.new_zeros(()), features.new_zeros(())
    for axis in (2, 3):
        plain = torch.exp(-torch.diff(images, dim=axis).abs().mean(1, keepdim=True))
        step = torch.diff(features, dim=axis)
        steep = steep + (step.abs() * plain).mean()
        inner = plain.narrow(axis, 1, plain.shape[axis] - 1)
        bent = bent + (torch.diff(step, dim=axis).abs() * inner).mean()
    return steep, bent
