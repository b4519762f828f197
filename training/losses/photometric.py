# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Photometric error: how badly a warped view explains the target view."""

import logging
import shutil
from collections.abc import Callable
from functools import cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

log = logging.getLogger(__name__)

C1, C2 = 0.01**2, 0.03**2
# Each size of the images, with and without gradients, is compiled on its own. From coarse to fine
# there are fourteen; after the eight that PyTorch bears the rest would run uncompiled.
GRAPHS = 32


def _mean3x3(x: Tensor) -> Tensor:
    # Sums of shifted slices: on a CPU a compiled chain of these is 8x faster than avg_pool2d.
    x = functional.pad(x, (1, 1, 1, 1), mode='reflect')
    x = x[..., :-2] + x[..., 1:-1] + x[..., 2:]
    return (x[..., :-2, :] + x[..., 1:-1, :] + x[..., 2:, :]) / 9


def photometric_error(
    target: Float[Tensor, 'n c h w'], warped: Float[Tensor, 'n c h w'], ssim_weight: float
) -> Float[Tensor, 'n h w']:
    """`w (1 - SSIM) / 2 + (1 - w) L1` per pixel, mean over colours; images in 0..1.

    SSIM over 3x3 boxes, reflected at the border (Godard et al., "Unsupervised monocular depth
    estimation with left-right consistency", 2017, eq. 1).
    """
    mean_t, mean_w = _mean3x3(target), _mean3x3(warped)
    square_t, square_w, cross = mean_t * mean_t, mean_w * mean_w, mean_t * mean_w
    variance_t = _mean3x3(target * target) - square_t
    variance_w = _mean3x3(warped * warped) - square_w
    covariance = _mean3x3(target * warped) - cross
    numerator = (2 * cross + C1) * (2 * covariance + C2)
    denominator = (square_t + square_w + C1) * (variance_t + variance_w + C2)
    dissimilarity = ((1 - numerator / denominator) / 2).clamp(0, 1).mean(1)
    return ssim_weight * dissimilarity + (1 - ssim_weight) * (target - warped).abs().mean(1)


def smoothed_photometric_error(
    target: Float[Tensor, 'n c h w'], warped: Float[Tensor, 'n c h w'], ssim_weight: float
) -> Float[Tensor, 'n h w']:
    """`photometric_error`, averaged over 3x3 boxes: one pixel is little evidence."""
    return _mean3x3(photometric_error(target, warped, ssim_weight)[:, None])[:, 0]


PhotometricError = Callable[[Tensor, Tensor, float], Tensor]


@cache
def fast(error: PhotometricError) -> PhotometricError:
    """Return `error`, compiled where a C++ compiler is at hand (8x faster on a CPU)."""
    if not any(shutil.which(compiler) for compiler in ('g++', 'clang++')):
        log.warning('Found no C++ compiler: the loss runs uncompiled, several times slower. '
                    'Install g++ for full speed.')  # fmt: skip
        return error
    # An alias of recompile_limit since PyTorch 2.6.
    limits = torch._dynamo.config
    limits.cache_size_limit = max(limits.cache_size_limit, GRAPHS)
    return torch.compile(error, dynamic=False)


def masked_mean(values: Float[Tensor, '*s'], valid: Bool[Tensor, '*s']) -> Tensor:
    """Mean over the valid entries; zero (with a zero gradient) when there is none."""
    weight = valid.to(values.dtype)
    return (torch.where(valid, values, torch.zeros_like(values))).sum() / weight.sum().clamp(min=1)
