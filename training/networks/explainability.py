# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How much of an image another one can explain (Zhou et al., "Unsupervised learning of depth and
ego-motion from video", 2017): what moves, is hidden or shines is left out of the loss."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfdepth_training.networks.resnet import convolution

# A fresh mask believes nearly everything: sigmoid(2) = .88.
FIRST_LOGIT = 2.0


class ExplainabilityDecoder(nn.Module):
    """From the features of two images to a mask of each: what of it the other one explains."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        widths = [channels[-1], *channels[-2::-1]]
        self.ups = nn.ModuleList(
            convolution(inputs, outputs)
            for inputs, outputs in zip(widths, widths[1:], strict=False)
        )
        self.head = nn.Conv2d(widths[-1], 2, 3, padding=1)
        nn.init.normal_(self.head.weight, std=1e-2)
        nn.init.constant_(self.head.bias, FIRST_LOGIT)

    def forward(self, features: list[Float[Tensor, 'n _ _ _']]) -> Float[Tensor, 'n 2 v u']:
        """Shares 0..1 of the first image and of the second, at half of the encoder's input size.

        `features` are the encoder's, from fine to coarse; of the finer ones only sizes count.
        """
        x = features[-1]
        for up, finer in zip(self.ups, features[-2::-1], strict=True):
            x = torch.relu(up(functional.interpolate(x, finer.shape[2:], mode='nearest')))
        with torch.autocast(x.device.type, enabled=False):
            return torch.sigmoid(self.head(x.float()))
