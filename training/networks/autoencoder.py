# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Features to compare images by, learned by painting the image from them (Shu et al. 2020)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfdepth_training.networks.depth import DEVIATION, MEAN
from selfdepth_training.networks.upsampling import depth_to_space


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Without zeros around the image: they would tell where in the image a pixel is, and features
    that know their place do not move with what they are of. Without batch normalization: the same
    thing has the same features in every image."""
    return nn.Conv2d(inputs, outputs, 3, stride, 1, padding_mode='replicate')


class FeatureAutoencoder(nn.Module):
    """A small U-Net to features at half of the image's size, and a painter back to the image.

    Shu et al., "Feature-metric loss for self-supervised learning of depth and egomotion", ECCV
    2020. Beside the depth network in training only.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [channels, 2 * channels, 4 * channels, 4 * channels]
        self.downs = nn.ModuleList(
            _convolution(inputs, outputs, 2)
            for inputs, outputs in zip([3, *widths], widths, strict=False)
        )
        self.ups = nn.ModuleList(
            _convolution(inputs, outputs)
            for inputs, outputs in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.say = _convolution(channels, channels)
        self.mix = _convolution(channels, channels)
        self.paint = _convolution(channels, 12)

    def features(self, images: Float[Tensor, 'n 3 h w']) -> Float[Tensor, 'n k y x']:
        """Features in -1..1 of images in 0..1: bounded, since their steps are rewarded."""
        x = (images - MEAN) / DEVIATION
        found = []
        for down in self.downs:
            x = functional.elu(down(x))
            found.append(x)
        for up, finer in zip(self.ups, found[-2::-1], strict=True):
            x = functional.interpolate(up(x), finer.shape[2:], mode='bilinear')
            x = functional.elu(x + finer)
        return torch.tanh(self.say(x).float())

    def painted(self, features: Float[Tensor, 'n k y x']) -> Float[Tensor, 'n 3 h w']:
        """The images, in 0..1, as the features tell them."""
        x = functional.elu(self.mix(features))
        return torch.sigmoid(depth_to_space(self.paint(x).float()))
