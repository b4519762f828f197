# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Convolutions whose kernel is a product of smaller ones: trained as these, run as one.

A 3D convolution of a single volume whose depth are the channels is a 2D one with a banded kernel,
and two convolutions with nothing between them are one. So no 3D operator is needed anywhere, and
the wide map between the two never exists.
"""

import copy
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

NEAR = 3
"""Size of the 3D kernels, along each axis."""


class ComposedConv(nn.Module):
    """A convolution with zeros around, whose `kernel` is computed from its parameters."""

    def kernel(self) -> Float[Tensor, 'o i k k']:
        """The one kernel that says the same."""
        raise NotImplementedError

    def forward(self, x: Float[Tensor, 'n i y x']) -> Float[Tensor, 'n o y x']:
        """As wide and high as `x`. The product is float32 under autocast too."""
        with torch.autocast(x.device.type, enabled=False):
            kernel = self.kernel()
        return functional.conv2d(x, kernel, padding=kernel.shape[-1] // 2)

    def deployed(self) -> nn.Conv2d:
        """A plain convolution."""
        with torch.no_grad():
            kernel = self.kernel()
        outputs, inputs, size, _ = kernel.shape
        plain = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
        plain.weight = nn.Parameter(kernel.clone())
        return plain


class BandedConv(ComposedConv):
    """A 3D convolution over (channels, y, x): 1 volume to `features`, stacked as channels."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.channels = channels
        self.weight = _volume_kernel(features)

    def kernel(self) -> Float[Tensor, 'o i k k']:
        """Channel c of feature f looks at channels c - 1, c and c + 1."""
        padded = [
            functional.pad(self.weight, (0, 0, 0, 0, c, self.channels - 1 - c))
            for c in range(self.channels)
        ]
        return torch.stack(padded, 1)[:, :, 1:-1].flatten(0, 1)


class SortedConv(ComposedConv):
    """A `BandedConv`, then a 3x3 convolution of all of its features: together 5x5.

    The zeros lie around the input, not around the features in between, so that the product is
    exact up to the border.
    """

    def __init__(self, inputs: int, outputs: int, features: int) -> None:
        super().__init__()
        self.sort = _volume_kernel(features)
        self.join = nn.Parameter(torch.empty(outputs, features * inputs, 3, 3))
        _initialise(self.join)

    def kernel(self) -> Float[Tensor, 'o i 5 5']:
        """Every tap of the second times every tap of the first, added where they meet."""
        shifts = [(x, 2 - x, y, 2 - y) for y in range(3) for x in range(3)]
        spread = torch.stack([functional.pad(self.sort, shift) for shift in shifts], 1)
        taps = self.join.unflatten(1, (len(self.sort), -1)).flatten(3)
        product = taps.permute(0, 2, 1, 3).flatten(2) @ spread.flatten(2).flatten(0, 1)
        before, same, after = product.unflatten(2, (NEAR, 5, 5)).unbind(2)
        nothing = torch.zeros_like(same[:, :1])
        return (
            same + torch.cat([before[:, 1:], nothing], 1) + torch.cat([nothing, after[:, :-1]], 1)
        )


def _volume_kernel(features: int) -> nn.Parameter:
    """(features, channels, y, x): the single input of a 3D kernel left out."""
    weight = nn.Parameter(torch.empty(features, NEAR, NEAR, NEAR))
    _initialise(weight)
    return weight


def _initialise(weight: Tensor) -> None:
    """As convolutions are by default."""
    nn.init.kaiming_uniform_(weight, a=5**0.5)


Network = TypeVar('Network', bound=nn.Module)


def deployed(network: Network) -> Network:
    """A copy in which plain convolutions stand for the composed ones."""
    network = copy.deepcopy(network)
    for name, child in network.named_children():
        plain = child.deployed() if isinstance(child, ComposedConv) else deployed(child)
        setattr(network, name, plain)
    return network
