# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Several processes that are one training: they learn what one process would from all samples.

Gradients are averaged over the processes (DistributedDataParallel). That is the gradient of one
process with all the samples when

- batch normalization takes its statistics over the images of all processes: `share_norms` does so
  for the depth network, which sees all images of a step at once. The ego motion network sees one
  sample at a time, in one process too, so that its statistics are of that sample anywhere;
- every loss is a mean whose parts count alike in all processes: those on surround frames are
  means over samples, of which each process has as many; that of steps on hints alone is a mean
  over the pixels that have one, or the images (`loss.hint_error: silog`), and counts by their
  number (`share_of`).

Augmentation is drawn anew in each process. `loss.hint_error: berhu` has its knee from each
process's own errors.
"""

import torch
from jaxtyping import Float
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce


def is_shared() -> bool:
    """Whether this process is one of several of a training."""
    available = distributed.is_available() and distributed.is_initialized()
    return available and distributed.get_world_size() > 1


def share_of(count: Tensor) -> Tensor:
    """What the mean over `count` things of this process counts for, 1 on average and alone.

    The mean over the processes of such means is then the mean over all things.
    """
    if not is_shared():
        return count.new_ones(())
    total = count.detach().clone()
    distributed.all_reduce(total)
    return count * distributed.get_world_size() / total.clamp(min=1)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalization over the images of all processes, on any device.

    torch.nn.SyncBatchNorm is for GPUs only. Costs a small message per layer, forward and backward.
    """

    def forward(self, x: Float[Tensor, 'n c h w']) -> Float[Tensor, 'n c h w']:
        if not (self.training and is_shared()):
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            values = x.float()
            count = values.new_full((1,), values.numel() / values.shape[1])
            sums = torch.cat([values.sum((0, 2, 3)), values.square().sum((0, 2, 3)), count])
            # Its gradient is the sum over the processes: their losses depend on all images.
            sums = all_reduce(sums)
            mean, square = (sums[:-1] / sums[-1]).chunk(2)
            variance = (square - mean.square()).clamp(min=0)
            self._remember(mean, variance, sums[-1])
            scale = self.weight * torch.rsqrt(variance + self.eps)
            shift = self.bias - mean * scale
            return (values * scale[:, None, None] + shift[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Running statistics, as of the class above: the variance is that of a sample."""
        assert self.running_mean is not None and self.running_var is not None
        momentum = 0.1 if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * count / (count - 1), momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


def share_norms(module: nn.Module) -> None:
    """Let every batch normalization within `module` see the images of all processes."""
    for layer in module.modules():
        if type(layer) is nn.BatchNorm2d:
            # Only the forward pass differs: weights, state and hooks are those that it has.
            layer.__class__ = SharedBatchNorm2d
