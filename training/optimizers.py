# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Muon for the depth network's hidden layers, AdamW for all the rest, and their schedule."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from selfdepth_training.config import OptimizerConfig
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.networks.heads import HistogramHead

# Quintic whose iteration drives every singular value towards one (Jordan et al. 2024).
A, B, C = 3.4445, -4.7750, 2.0315
ITERATIONS = 5
# Of the head's rate, for a head of one number. 400 steps of monodepth2 on 15 streets (160x96),
# abs_rel on unseen ones: .313 with all of it, .234 with this, .271 at AdamW's rate. There several
# networks came to say 17 m at most: no feature was left beyond, and their bias alone is slow.
NUMBER_SHARE = 0.3


def optimizers_of(
    learner: SurroundLearner, config: OptimizerConfig
) -> list[torch.optim.Optimizer]:
    """AdamW, and Muon when its rate is not zero. Each group keeps its peak rate as 'peak'."""
    hidden = learner.depth.hidden_weights() if config.muon_rate else []
    head, rate = [learner.depth.head.weight], config.head_rate
    if not isinstance(learner.depth.head, HistogramHead):
        heads = [learner.depth.head, *learner.depth.coarser_heads]
        head = [p for each in heads for p in (each.weight, each.bias)]
        rate *= NUMBER_SHARE
    taken = set(map(id, [*hidden, *head]))
    rest = [p for p in learner.parameters() if id(p) not in taken]
    groups = [
        {'params': head, 'weight_decay': config.weight_decay, 'lr': rate},
        {'params': [p for p in rest if p.ndim > 1], 'weight_decay': config.weight_decay},
        {'params': [p for p in rest if p.ndim <= 1], 'weight_decay': 0.0},
    ]
    # In one kernel for all: sixty small tensors, of which each would cost ten operators.
    adamw = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
    optimizers = [adamw, ConvolutionMuon(hidden, lr=config.muon_rate)] if hidden else [adamw]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group['peak'] = group['lr']
    return optimizers


def rate_share(config: OptimizerConfig, progress: float) -> float:
    """Share of the peak learning rates: rise, plateau, fall (Hu et al., "MiniCPM", 2024)."""
    rise = (progress + 1e-3) / (config.warmup + 1e-3)
    fall = (1 - progress) / max(1e-9, config.decay)
    return max(0.01, min(1.0, rise, fall))


class ConvolutionMuon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, on the weights of convolutions.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
    torch.optim.Muon takes matrices only; a weight (out, in, y, x) is a matrix of `out` rows here.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {'lr': lr, 'momentum': momentum, 'weight_decay': weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        if closure is not None:
            with torch.enable_grad():
                closure()
        for group in self.param_groups:
            for weight in group['params']:
                if weight.grad is not None:
                    self._move(weight, group)

    def _move(self, weight: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state['momentum'] = torch.zeros_like(weight)
        momentum = state['momentum'].mul_(group['momentum']).add_(weight.grad)
        ahead = weight.grad.add(momentum, alpha=group['momentum'])
        rows = ahead.flatten(1)
        direction = orthogonalised(rows).view_as(ahead)
        # Tall matrices get longer steps, so that the change of the output does not depend on it.
        length = max(1.0, rows.shape[0] / rows.shape[1]) ** 0.5
        weight.mul_(1 - group['lr'] * group['weight_decay'])
        weight.add_(direction, alpha=-group['lr'] * length)


def orthogonalised(matrix: Float[Tensor, 'm n']) -> Float[Tensor, 'm n']:
    """Nearly the closest matrix with orthonormal rows (columns, when it is tall).

    Five Newton-Schulz iterations leave singular values of 0.7 to 1.2, which is as good as one for
    a direction of descent. They run on the small square `matrix @ matrix.T`: each step multiplies
    from the left with a polynomial of it, so the matrix itself is needed only at the end.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    gram = x @ x.T
    # The squared Frobenius norm bounds every singular value by one; a gradient may be zero.
    square = gram.trace() + 1e-14
    gram = gram / square
    identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    product = identity / square.sqrt()
    for iteration in range(ITERATIONS):
        step = torch.addmm(A * identity + B * gram, gram, gram, alpha=C)
        product = step @ product
        if iteration < ITERATIONS - 1:
            gram = step @ (step @ gram)
    x = product @ x
    return x.T if tall else x
