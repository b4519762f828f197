# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The photometric error with a gradient of its own, 2.5 times faster than autograd's.

What autograd makes of sums of shifted slices pads and masks each slice. The gradient of a box
filter is a box filter, so three of them do: with S the SSIM of a pixel's box,

    dS / d warped(q) = sum over the boxes that q is in of a + b target(q) + 2 c warped(q),
    a = dS / d mean(warped), b = dS / d mean(target warped), c = dS / d mean(warped^2).
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from selfdepth_training.compiling import fast
from selfdepth_training.losses.photometric import (
    BOX,
    C1,
    C2,
    error_of_wide,
    mean3x3,
    moments,
    reflected,
    sum3x3,
)


def fast_photometric_error(
    target: Float[Tensor, 'm c h w'], warped: Float[Tensor, 'n c h w'], ssim_weight: float
) -> Float[Tensor, 'n h w']:
    """`photometric_error`; only the warped image may ask for a gradient, and only for a first one.

    The target may be one for all. Compiled where that is possible.
    """
    if target.requires_grad:
        raise ValueError('Found a target with a gradient, expected images. Detach it.')
    return _PhotometricError.apply(target, warped, ssim_weight)


def smoothed_photometric_error(
    target: Float[Tensor, 'm c h w'], warped: Float[Tensor, 'n c h w'], ssim_weight: float
) -> Float[Tensor, 'n h w']:
    """`fast_photometric_error`, averaged over 3x3 boxes: one pixel is little evidence."""
    error = fast_photometric_error(target, warped, ssim_weight)
    return fast(mean3x3)(reflected(error[:, None]))[:, 0]


class _PhotometricError(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, target: Tensor, warped: Tensor, ssim_weight: float) -> Tensor:
        wide_t, wide_w = reflected(target), reflected(warped)
        ctx.save_for_backward(wide_t, wide_w)
        ctx.ssim_weight = ssim_weight
        return fast(error_of_wide)(wide_t, wide_w, ssim_weight)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None]:
        wide_t, wide_w = ctx.saved_tensors
        parts = fast(_parts)(wide_t, wide_w, ctx.ssim_weight, gradient)
        # Boxes that a pixel beyond the border is in lie within two pixels of it.
        spread = [functional.pad(part, (2, 2, 2, 2)) for part in parts]
        wide = fast(_gathered)(wide_t, wide_w, *spread)
        # What the reflected border is told goes to the pixels it is a reflection of.
        wide[..., 2, :] += wide[..., 0, :]
        wide[..., -3, :] += wide[..., -1, :]
        wide[..., 2] += wide[..., 0]
        wide[..., -3] += wide[..., -1]
        return None, fast(_with_l1)(wide_t, wide_w, ctx.ssim_weight, gradient, wide), None


def _parts(
    wide_t: Tensor, wide_w: Tensor, ssim_weight: float, gradient: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """`a`, `b` and `2 c` of each box, times the gradient, by which they are weighted in a sum."""
    mean_t, mean_w, variance_t, variance_w, covariance = moments(wide_t, wide_w)
    of_means, of_deviations = 2 * mean_t * mean_w + C1, 2 * covariance + C2
    means = 1 / (mean_t * mean_t + mean_w * mean_w + C1)
    deviations = 1 / (variance_t + variance_w + C2)
    both = means * deviations
    ssim = of_means * of_deviations * both
    share = -ssim_weight / (2 * BOX * wide_t.shape[1])
    # As `clamp` has it: beyond 0..1, by rounding, there is no gradient.
    weight = torch.where(ssim.abs() <= 1, gradient[:, None] * share, 0.0)
    a = mean_t * (of_deviations - of_means) * both - mean_w * ssim * (means - deviations)
    return weight * 2 * a, weight * 2 * of_means * both, weight * -2 * ssim * deviations


def _gathered(wide_t: Tensor, wide_w: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """What each pixel, those beyond the border too, gets from all boxes it is in."""
    return sum3x3(a) + wide_t * sum3x3(b) + wide_w * sum3x3(c)


def _with_l1(
    wide_t: Tensor, wide_w: Tensor, ssim_weight: float, gradient: Tensor, wide: Tensor
) -> Tensor:
    """The gradient of the absolute difference, beside that of SSIM."""
    sign = torch.sign(wide_w - wide_t)[..., 1:-1, 1:-1]
    weight = gradient[:, None] * ((1 - ssim_weight) / wide_t.shape[1])
    return wide[..., 1:-1, 1:-1] + weight * sign
