# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One step of a training: the loop takes it, and its pace is measured by it."""

from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from selfdepth_training.beginning import TrainingError
from selfdepth_training.clipping import clip_gradients
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.samples import SampleBatch, ViewBatch
from selfdepth_training.learner import Losses


def take_step(
    fabric: Fabric, learner: Any, optimizers: list[Any], config: TrainConfig,
    batch: SampleBatch | ViewBatch, step: int, progress: float,
) -> Losses:  # fmt: skip
    """Loss, backward, clip, step; `progress` is the fraction of the training that is over.

    Raises TrainingError when the loss or a gradient is no number; no weight has changed then.
    """
    losses = learner(batch, progress, [config.seed, step, fabric.global_rank])
    if not torch.isfinite(losses.total):
        raise _not_a_number(losses, step, batch.describe())
    fabric.backward(losses.total)
    if config.optimizer.clip:
        apart = learner.module.depth.sureness_weights()
        norms = clip_gradients(optimizers, apart, config.optimizer.clip)
        if not norms.isfinite().all():
            raise _no_gradient(learner.module, step, batch.describe())
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return losses


def _not_a_number(losses: Losses, step: int, frames: str) -> TrainingError:
    broken = [name for name, term in losses.terms.items() if not torch.isfinite(term)]
    return TrainingError(
        f'Found a loss of {losses.total.item()} at step {step}, of {" and ".join(broken)} '
        f'({frames}), expected a number. The checkpoint of an earlier step is intact; lower '
        'optimizer.learning_rate or look at these frames.'
    )


def _no_gradient(learner: nn.Module, step: int, frames: str) -> TrainingError:
    broken = [
        name for name, weights in learner.named_parameters()
        if weights.grad is not None and not torch.isfinite(weights.grad).all()
    ]  # fmt: skip
    return TrainingError(
        f'Found a gradient that is no number at step {step}, of {len(broken)} parameters such as '
        f'{", ".join(broken[-2:])} ({frames}), expected numbers. The checkpoint of an earlier '
        'step is intact; lower optimizer.learning_rate or look at these frames.'
    )
