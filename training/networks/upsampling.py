# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Decoder levels: how features are doubled in size and joined with the encoder's.

Space and depth change places by reshaping, in operators that every runtime has.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfdepth_training.networks.resnet import convolution


class NearestUp(nn.Module):
    """Convolve, double the size, join the encoder's features, convolve."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.narrow = convolution(inputs, outputs)
        self.join = convolution(outputs + skip, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Twice the size of `x`, which is that of `skip`."""
        x = torch.relu(self.narrow(x))
        x = functional.interpolate(x, scale_factor=2.0, mode='nearest')
        return torch.relu(self.join(torch.cat([x, skip], 1)))


class SubpixelUp(nn.Module):
    """Each of the four finer pixels has channels of its own (Shi et al. 2016; Pillai et al.,
    "SuperDepth", 2019): outlines need not follow the coarse pixels."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.narrow = convolution(inputs, 4 * outputs)
        self.join = convolution(outputs + skip, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Twice the size of `x`, which is that of `skip`."""
        x = depth_to_space(torch.relu(self.narrow(x)))
        return torch.relu(self.join(torch.cat([x, skip], 1)))


def depth_to_space(x: Float[Tensor, 'n _ y x']) -> Float[Tensor, 'n _ 2*y 2*x']:
    """Every four channels become 2x2 pixels of one."""
    blocks = x.unflatten(1, (-1, 2, 2)).permute(0, 1, 4, 2, 5, 3)
    return blocks.flatten(4, 5).flatten(2, 3)


def space_to_depth(x: Float[Tensor, 'n c _ _']) -> Float[Tensor, 'n 4*c _ _']:
    """Every 2x2 pixels become four channels; the inverse of `depth_to_space`."""
    blocks = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))
    return blocks.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
