# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The parts that a depth network is put together from: two small tables."""

from collections.abc import Callable
from functools import partial

from torch import nn

from selfdepth_training.config import NetworkConfig
from selfdepth_training.networks.lite import LiteEncoder
from selfdepth_training.networks.packing import PackNetEncoder, UnpackUp
from selfdepth_training.networks.resnet import ResNetEncoder
from selfdepth_training.networks.upsampling import NearestUp, SubpixelUp

ENCODERS: dict[str, Callable[[NetworkConfig], nn.Module]] = {
    'resnet': lambda config: ResNetEncoder(config.layers, config.encoder),
    'lite': lambda config: LiteEncoder(config.encoder),
    'packnet': lambda config: PackNetEncoder(
        config.encoder, config.pack_blocks, config.pack_features
    ),
}
"""Images to features at 1/2 to 1/32 of their size, `channels` wide; the first layer is `stem`."""

UPSAMPLERS: dict[str, Callable[[NetworkConfig], Callable[[int, int, int], nn.Module]]] = {
    'nearest': lambda config: NearestUp,
    'subpixel': lambda config: SubpixelUp,
    'unpack': lambda config: partial(UnpackUp, features=config.pack_features),
}
"""A level of the decoder: channels that come, that the encoder adds, and that leave."""
