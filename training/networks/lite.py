# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A light encoder: dilated depthwise convolutions see far, attention between channels sees all.

After Zhang et al., "Lite-Mono: a lightweight CNN and transformer architecture for self-supervised
monocular depth estimation", CVPR 2023, and the cross-covariance attention of El-Nouby et al.,
"XCiT", 2021, whose cost grows with the pixels, not with their square.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfdepth_training.networks.resnet import convolution

# Dilations of the blocks of each stage, at 1/4, 1/8, 1/16 and 1/32 of the input size.
DILATIONS = ((1, 2), (1, 2, 3), (1, 2, 3, 2, 4, 6), (1, 2))
EXPANSION, HEAD_CHANNELS = 4, 16


class _Dilated(nn.Module):
    """Depthwise 3x3 at a distance, then each pixel by itself, beside a shortcut."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, dilation, dilation, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.widen = convolution(channels, EXPANSION * channels, 1)
        self.narrow = convolution(EXPANSION * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(torch.relu(self.widen(self._looked(x))))

    def _looked(self, x: Tensor) -> Tensor:
        """In float32 on a CPU: PyTorch 2.13 (oneDNN) returns noise, up to infinity, for the weight
        gradient of a dilated depthwise convolution in bfloat16, channels last."""
        if x.device.type != 'cpu':
            return self.look(x)
        with torch.autocast('cpu', enabled=False):
            return self.look(x.float())


class _ChannelAttention(nn.Module):
    """Attention of channels to channels over the whole image, beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        most = max(1, channels // HEAD_CHANNELS)
        self.heads = max(count for count in range(1, most + 1) if channels % count == 0)
        self.ask = convolution(channels, 3 * channels, 1)
        self.temperature = nn.Parameter(torch.ones(self.heads, 1, 1))
        self.out = convolution(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.ask(x).flatten(2).unflatten(1, (3, self.heads, -1)).unbind(1)
        likeness = _unit(query) @ _unit(key).transpose(-2, -1) * self.temperature
        mixed = (likeness.softmax(-1) @ value).flatten(1, 2).reshape(x.shape)
        return x + self.out(mixed)


def _unit(x: Float[Tensor, 'n h c p']) -> Float[Tensor, 'n h c p']:
    """Of length one over the pixels."""
    return x / ((x * x).sum(-1, keepdim=True) + 1e-6).sqrt()


class LiteEncoder(nn.Module):
    """Features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input, `channels` wide."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.channels = channels
        self.stem = convolution(3, channels[0], 3, 2)
        self.refine = convolution(channels[0], channels[0])
        self.stages = nn.ModuleList()
        for inputs, outputs, dilations in zip(channels, channels[1:], DILATIONS, strict=False):
            blocks = [_Dilated(outputs, dilation) for dilation in dilations]
            attention = _ChannelAttention(outputs)
            down = convolution(inputs, outputs, stride=2)
            self.stages.append(nn.Sequential(down, nn.ReLU(), *blocks, attention))

    def forward(self, images: Float[Tensor, 'n 3 h w']) -> list[Tensor]:
        """Feature maps from fine to coarse."""
        x = functional.relu(self.stem(images))
        features = [functional.relu(self.refine(x))]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return features
