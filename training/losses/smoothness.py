# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Edge-aware smoothness of the inverse depth."""

import torch
from jaxtyping import Float
from torch import Tensor


def edge_aware_smoothness(
    inverse_depth: Float[Tensor, 'n 1 h w'], images: Float[Tensor, 'n 3 h w']
) -> Tensor:
    """Mean gradient of the mean-normalised inverse depth, forgiven where the image has an edge.

    Godard et al., "Digging into self-supervised monocular depth estimation", 2019, eq. 3;
    normalising by the mean keeps the depth from shrinking.
    """
    normal = inverse_depth / (inverse_depth.mean((2, 3), keepdim=True) + 1e-7)
    total = normal.new_zeros(())
    for axis in (2, 3):
        depth_step = torch.diff(normal, dim=axis).abs()
        image_step = torch.diff(images, dim=axis).abs().mean(1, keepdim=True)
        total = total + (depth_step * torch.exp(-image_step)).mean()
    return total
