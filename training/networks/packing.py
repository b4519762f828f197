# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""PackNet: down and up without throwing pixels away (Guizilini et al., "3D packing for
self-supervised monocular depth estimation", CVPR 2020).

Packing turns 2x2 pixels into channels and lets a 3D convolution sort them; unpacking is the way
back. Normalization is by groups, which does not depend on the batch.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfdepth_training.networks.composed import BandedConv, SortedConv
from selfdepth_training.networks.upsampling import depth_to_space, space_to_depth

GROUPS = 16


def convolution(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """Convolution, group normalization, ELU."""
    conv = nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, bias=False)
    return nn.Sequential(conv, group_norm(outputs), nn.ELU())


def group_norm(channels: int) -> nn.GroupNorm:
    """By 16 groups of channels, or as many as divide them."""
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels)


class Pack(nn.Module):
    """Half the size: space to depth, a 3D convolution over (channels, y, x), a 2D one."""

    def __init__(self, inputs: int, outputs: int, features: int) -> None:
        super().__init__()
        self.sort = SortedConv(4 * inputs, outputs, features)
        self.normal = group_norm(outputs)

    def forward(self, x: Float[Tensor, 'n i _ _']) -> Float[Tensor, 'n o y x']:
        """Every pixel of `x` can be told from what comes out."""
        return functional.elu(self.normal(self.sort(space_to_depth(x))))


class UnpackUp(nn.Module):
    """Twice the size, the inverse of `Pack`; then the encoder's features join."""

    def __init__(self, inputs: int, skip: int, outputs: int, features: int) -> None:
        super().__init__()
        narrow = 4 * outputs // features
        self.narrow = convolution(inputs, narrow)
        self.sort = BandedConv(narrow, features)
        self.join = convolution(outputs + skip, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Twice the size of `x`, which is that of `skip`."""
        x = depth_to_space(self.sort(self.narrow(x)))
        return self.join(torch.cat([x, skip], 1))


class _Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = convolution(inputs, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        same = inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, bias=False)
        self.normal = group_norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.elu(self.normal(self.second(self.first(x)) + self.shortcut(x)))


class PackNetEncoder(nn.Module):
    """Features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input; the paper's are 64 to 512 wide.

    A convolution at full size, then packing; at each size some residual blocks, then packing.
    """

    def __init__(self, channels: tuple[int, ...], blocks: tuple[int, ...], features: int) -> None:
        super().__init__()
        self.channels = channels
        self.stem = convolution(3, channels[0], 5)
        self.stages = nn.ModuleList([Pack(channels[0], channels[0], features)])
        for inputs, outputs, count in zip(channels, channels[1:], blocks, strict=False):
            residual = [_Residual(inputs, outputs)]
            residual += [_Residual(outputs, outputs) for _ in range(count - 1)]
            self.stages.append(nn.Sequential(*residual, Pack(outputs, outputs, features)))

    def forward(self, images: Float[Tensor, 'n 3 h w']) -> list[Tensor]:
        """Feature maps from fine to coarse."""
        features = [self.stem(images)]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return features[1:]
