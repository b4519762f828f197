# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bounded gradients."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_


def clip_gradients(
    optimizers: Sequence[torch.optim.Optimizer], apart: Sequence[nn.Parameter], most: float
) -> Float[Tensor, ' n']:
    """Bound the norm of the gradients of what AdamW, the first optimizer, moves.

    Those of the weights `apart` have a norm of their own, so that no other weight moves less for
    their sake. Muon's steps have one length whatever the gradient's. Returns what the norms were,
    Muon's too: a gradient that is no number makes one of them none.
    """
    others = set(map(id, apart))
    adamw, *muon = [
        [weight for group in each.param_groups for weight in group['params']]
        for each in optimizers
    ]
    norms = [clip_grad_norm_([w for w in adamw if id(w) not in others], most)]
    norms.append(clip_grad_norm_(apart, most))
    norms += [clip_grad_norm_(each, torch.inf) for each in muon]
    # Where there is no gradient, torch says the norm on the CPU.
    return torch.stack([norm.to(adamw[0].device) for norm in norms])
