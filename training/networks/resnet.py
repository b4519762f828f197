# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""ResNet encoder (He et al., "Deep residual learning for image recognition", 2016)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution and batch normalization; zero padding, which every runtime fuses."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = convolution(inputs, outputs, stride=stride)
        self.second = convolution(outputs, outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.first(x))
        return torch.relu(self.second(inner) + self.shortcut(x))


class ResNetEncoder(nn.Module):
    """Features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input, `channels` wide.

    The standard ResNet has 64, 64, 128, 256 and 512.
    """

    def __init__(self, layers: int, channels: tuple[int, ...], inputs: int = 3) -> None:
        super().__init__()
        self.channels = channels
        self.stem = convolution(inputs, channels[0], 7, 2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.stages = nn.ModuleList()
        previous = channels[0]
        for index, (blocks, outputs) in enumerate(
            zip(BLOCKS[layers], self.channels[1:], strict=True)
        ):
            strides = [1 if index == 0 else 2] + [1] * (blocks - 1)
            stage = [BasicBlock(previous, outputs, strides[0])]
            stage += [BasicBlock(outputs, outputs, stride) for stride in strides[1:]]
            self.stages.append(nn.Sequential(*stage))
            previous = outputs

    def forward(self, images: Float[Tensor, 'n c h w']) -> list[Tensor]:
        """Feature maps from fine to coarse."""
        x = torch.relu(self.stem(images))
        features = [x]
        x = self.pool(x)
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features
