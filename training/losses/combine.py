# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What counts of a pixel's errors against several sources."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Stands for "no source sees this pixel" in a minimum over sources; any real error is below 1.
UNSEEN = 10.0


class Reprojection(NamedTuple):
    """Photometric error per target pixel, over the sources that see it, and where there is one."""

    error: Float[Tensor, '*b h w']
    valid: Bool[Tensor, '*b h w']


Combine = Callable[[Tensor, Tensor], Reprojection]
"""From errors and validity (n, sources, h, w) against several sources to one."""


def least(error: Float[Tensor, 'n s h w'], valid: Bool[Tensor, 'n s h w']) -> Reprojection:
    """The source that fits best: what one does not see, another does (Godard et al. 2019)."""
    error = torch.where(valid, error, UNSEEN).amin(1)
    return Reprojection(error, error < UNSEEN)


def mean(error: Float[Tensor, 'n s h w'], valid: Bool[Tensor, 'n s h w']) -> Reprojection:
    """All sources alike (Zhou et al. 2017)."""
    total = torch.where(valid, error, torch.zeros_like(error)).sum(1)
    return Reprojection(total / valid.sum(1).clamp(min=1), valid.any(1))


COMBINE: dict[str, Combine] = {'minimum': least, 'mean': mean}
