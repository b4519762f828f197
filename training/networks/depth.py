# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The depth network: image and focal length in, metric depth out."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfdepth_training.config import NetworkConfig
from selfdepth_training.networks.resnet import ResNetEncoder, convolution

# Images in 0..1 are centred by these; fixed, so that a checkpoint and its export agree.
MEAN, DEVIATION = 0.45, 0.225


class _Up(nn.Module):
    """One decoder level: convolve, double the size, join the encoder's features, convolve."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.narrow = convolution(inputs, outputs)
        self.join = convolution(outputs + skip, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = torch.relu(self.narrow(x))
        x = functional.interpolate(x, scale_factor=2.0, mode='nearest')
        return torch.relu(self.join(torch.cat([x, skip], 1)))


class DepthNetwork(nn.Module):
    """ResNet encoder and a U-Net decoder that ends at half of the input size.

    The output is inverse depth through a sigmoid between fixed bounds, upsampled bilinearly.
    It is focal-normalised (Facil et al., "CAM-Convs", 2019; Guizilini et al. 2022): the network
    answers for a camera of `reference_focal` pixels, and depth grows with the focal length.
    """

    def __init__(self, config: NetworkConfig, reference_focal: float) -> None:
        super().__init__()
        self.config = config
        self.encoder = ResNetEncoder(config.layers, config.width)
        channels = self.encoder.channels
        self.ups = nn.ModuleList()
        inputs = channels[-1]
        for skip, outputs in zip(channels[-2::-1], config.decoder[::-1], strict=True):
            self.ups.append(_Up(inputs, skip, outputs))
            inputs = outputs
        self.head = nn.Conv2d(inputs, 1, 3, padding=1)
        self.register_buffer('reference_focal', torch.tensor(float(reference_focal)))
        self._start_at(config.initial_depth_m)

    def _start_at(self, depth_m: float) -> None:
        near, far = 1 / self.config.min_depth_m, 1 / self.config.max_depth_m
        share = (1 / depth_m - far) / (near - far)
        nn.init.normal_(self.head.weight, std=1e-3)
        nn.init.constant_(self.head.bias, math.log(share / (1 - share)))

    def hidden_weights(self) -> list[nn.Parameter]:
        """Convolution weights between the first layer and the last."""
        ends = {id(p) for layer in (self.encoder.stem, self.head) for p in layer.parameters()}
        return [p for p in self.parameters() if p.ndim == 4 and id(p) not in ends]

    def logits(self, images: Float[Tensor, 'n 3 h w']) -> Float[Tensor, 'n 1 y x']:
        """Raw output for images in 0..1; float32 under autocast too, because 8 bits of mantissa
        would mean depth steps of half a percent."""
        features = self.encoder((images - MEAN) / DEVIATION)
        x = features[-1]
        for up, skip in zip(self.ups, features[-2::-1], strict=True):
            x = up(x, skip)
        with torch.autocast(x.device.type, enabled=False):
            return self.head(x.float())

    def inverse_depth(
        self, images: Float[Tensor, 'n 3 h w'], focal: Float[Tensor, ' n']
    ) -> Float[Tensor, 'n 1 y x']:
        """Inverse depth in 1/m at half of the input size; `focal` in pixels of the input."""
        return self.to_inverse_depth(self.logits(images), focal)

    def to_inverse_depth(self, logits: Tensor, focal: Tensor) -> Tensor:
        near, far = 1 / self.config.min_depth_m, 1 / self.config.max_depth_m
        scale = (self.reference_focal / focal)[:, None, None, None]
        return (far + (near - far) * torch.sigmoid(logits)) * scale

    def forward(
        self, images: Float[Tensor, 'n 3 h w'], focal: Float[Tensor, ' n']
    ) -> Float[Tensor, 'n h w']:
        """Depth in metres at the input size."""
        inverse = self.inverse_depth(images, focal)
        full = functional.interpolate(
            inverse, scale_factor=2.0, mode='bilinear', align_corners=False
        )
        return 1 / full[:, 0]
