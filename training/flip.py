# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two answers for one image, the second of its mirror image, as one."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def mirrored_share(width: int) -> Float[np.ndarray, ' w']:
    """How much the mirrored answer counts by column.

    At each side of the image the answer for which that side was the other one counts alone, over
    5 % of the width, and over 5 % more it goes over to the mean, as the post-processing of Godard
    et al., "Unsupervised monocular depth estimation with left-right consistency", 2017.
    """
    across = np.linspace(0, 1, width)
    return np.interp(across, (0.05, 0.1, 0.9, 0.95), (1, 0.5, 0.5, 0)).astype(np.float32)


def flip_fused(
    straight: Float[Tensor, 'n 1 y x'], mirrored: Float[Tensor, 'n 1 y x']
) -> Float[Tensor, 'n 1 y x']:
    """Inverse depths of an image and of its mirror image, mirrored back, as one.

    With a gradient for both, so that it can be trained (Pillai et al., "SuperDepth", 2019).
    """
    share = torch.from_numpy(mirrored_share(straight.shape[-1])).to(straight)
    return (1 - share) * straight + share * mirrored
