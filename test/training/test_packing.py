# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Packing: it is what its paper's 3D convolution is, without one, and it loses no pixel."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from selfdepth_ros.core.errors import ConfigError
from selfdepth_training.config import NetworkConfig, load_recipe
from selfdepth_training.networks import DepthNetwork
from selfdepth_training.networks.composed import (
    BandedConv,
    ComposedConv,
    SortedConv,
    deployed,
)
from selfdepth_training.networks.packing import Pack, UnpackUp
from selfdepth_training.networks.upsampling import depth_to_space, space_to_depth
from selfdepth_training.optimizers import ConvolutionMuon

SMALL = NetworkConfig(
    backbone='packnet', upsampling='unpack', encoder=(16, 16, 16, 32, 32),
    decoder=(16, 16, 16, 16), pack_features=2, pack_blocks=(1, 1, 2, 1), head='sigmoid',
)  # fmt: skip
features = pytest.mark.parametrize('features', [1, 2, 8])


def volume(x: torch.Tensor, kernel: torch.Tensor, padding: tuple[int, int, int]) -> torch.Tensor:
    """torch's 3D convolution of the channels as one volume, its features stacked."""
    return functional.conv3d(x[:, None], kernel[:, None], padding=padding).flatten(1, 2)


@features
def test_a_banded_convolution_is_a_3d_one(features):
    torch.manual_seed(0)
    conv, x = BandedConv(6, features).double(), torch.randn(2, 6, 5, 7).double()
    torch.testing.assert_close(conv(x), volume(x, conv.weight, (1, 1, 1)))


@features
def test_a_sorted_convolution_is_a_3d_one_and_then_a_2d_one(features):
    """Up to the border; there with zeros outside the input, and none in between."""
    torch.manual_seed(0)
    conv, x = SortedConv(12, 5, features).double(), torch.randn(2, 12, 6, 7).double()
    wide = volume(x, conv.sort, (1, 2, 2))
    torch.testing.assert_close(conv(x), functional.conv2d(wide, conv.join))
    between = functional.conv2d(volume(x, conv.sort, (1, 1, 1)), conv.join, padding=1)
    inside = ..., slice(1, -1), slice(1, -1)
    torch.testing.assert_close(conv(x)[inside], between[inside])


def test_packing_is_one_convolution_of_the_pixels():
    """Of 10x10 pixels, every second one: what makes it cheap to run."""
    torch.manual_seed(0)
    conv, x = SortedConv(12, 5, 4).double(), torch.randn(2, 3, 12, 16).double()
    at_once = functional.conv2d(x, depth_to_space(conv.kernel()), stride=2, padding=4)
    torch.testing.assert_close(conv(space_to_depth(x)), at_once)


def test_packing_and_unpacking_can_be_the_identity_bit_for_bit():
    pack, unpack = SortedConv(12, 12, 2), BandedConv(12, 1)
    with torch.no_grad():
        for kernel in (pack.sort, unpack.weight):
            kernel.zero_()[0, 1, 1, 1] = 1
        pack.join.zero_()[range(12), range(12), 1, 1] = 1
        x = torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(0))
        assert torch.equal(depth_to_space(unpack(pack(space_to_depth(x)))), x)


def images(count: int, generator: torch.Generator) -> torch.Tensor:
    """Noise, of which no pixel can be told from the others: -1..1."""
    return 2 * torch.rand(count, 3, 16, 16, generator=generator) - 1


class Packed(nn.Module):
    """Half the size and back by packing: the input in twelve channels."""

    def __init__(self) -> None:
        super().__init__()
        self.pack, self.unpack = SortedConv(12, 12, 8), BandedConv(12, 8)
        self.out = nn.Conv2d(24, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(depth_to_space(self.unpack(self.pack(space_to_depth(x)))))


class Resampled(nn.Module):
    """The same by maximum pooling, or a strided convolution, and bilinear upsampling."""

    def __init__(self, pooled: bool) -> None:
        super().__init__()
        self.into = nn.Conv2d(3, 12, 3, 1 if pooled else 2, padding=1)
        self.shrink = nn.MaxPool2d(2) if pooled else nn.Identity()
        self.out = nn.Conv2d(12, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        small = self.shrink(self.into(x))
        return self.out(functional.interpolate(small, scale_factor=2.0, mode='bilinear'))


def error_after_learning(network: nn.Module, steps: int = 300) -> float:
    """Mean difference from the input on images never seen; that of saying zero is 0.5."""
    generator = torch.Generator().manual_seed(1)
    kernels = [p for p in network.parameters() if p.ndim == 4]
    biases = [p for p in network.parameters() if p.ndim == 1]
    optimizers = [ConvolutionMuon(kernels, 0.1), torch.optim.Adam(biases, 0.01)]
    for step in range(steps):
        x = images(4, generator)
        (network(x) - x).square().mean().backward()
        for optimizer, peak in zip(optimizers, (0.1, 0.01), strict=True):
            optimizer.param_groups[0]['lr'] = peak * (1 - step / steps)
            optimizer.step()
            optimizer.zero_grad()
    x = images(16, generator)
    with torch.no_grad():
        return (network(x) - x).abs().mean().item()


def test_packing_learns_to_keep_what_pooling_and_striding_lose():
    """As the paper's figure of a reconstruction: an image through half of its size and back."""
    torch.manual_seed(0)
    packed = error_after_learning(Packed())
    pooled, strided = (error_after_learning(Resampled(pooled)) for pooled in (True, False))
    assert packed < 0.05 < 0.3 < min(pooled, strided)


def test_every_pixel_of_every_channel_reaches_the_packed_features():
    torch.manual_seed(0)
    pack = Pack(4, 16, 8).double()
    x = torch.rand(1, 4, 4, 4, dtype=torch.float64, requires_grad=True)
    pack(x).square().sum().backward()
    assert (x.grad != 0).all()
    assert pack(x).shape == (1, 16, 2, 2)


def test_unpacking_gives_every_fine_pixel_features_of_its_own():
    torch.manual_seed(0)
    up, joined = UnpackUp(32, 4, 16, 8), []
    up.join.register_forward_hook(lambda _, given, __: joined.append(given[0][:, :16]))
    assert up(torch.randn(1, 32, 5, 7), torch.zeros(1, 4, 10, 14)).shape == (1, 16, 10, 14)
    blocks = joined[0].unflatten(3, (7, 2)).unflatten(2, (5, 2))
    assert (blocks.amax((3, 5)) - blocks.amin((3, 5))).mean() > 0.05


@pytest.fixture
def network() -> DepthNetwork:
    torch.manual_seed(0)
    network = DepthNetwork(SMALL, 100.0)
    nn.init.normal_(network.head.weight, std=0.5)
    return network.eval()


def test_deployed_it_says_the_same_without_what_was_only_for_training(network):
    plain = deployed(network)
    x = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        said, expected = plain.logits(x), network.logits(x)
    torch.testing.assert_close(said, expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.1, 'a network that says something'
    assert not [m for m in plain.modules() if isinstance(m, ComposedConv)]
    assert len([m for m in network.modules() if isinstance(m, ComposedConv)]) == 9


def test_it_lies_in_memory_as_all_networks_and_every_inner_kernel_is_muon_s(network):
    """channels_last takes four dimensions and no five."""
    network.to(memory_format=torch.channels_last)
    inner = {id(p) for p in network.hidden_weights()}
    composed = [m for m in network.modules() if isinstance(m, ComposedConv)]
    assert {id(p) for module in composed for p in module.parameters()} <= inner


def test_no_other_image_of_the_batch_matters_also_in_training(network):
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        together, alone = network.train().logits(x)[:1], network.logits(x[:1])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_widths_that_cannot_be_unpacked_are_one_clear_error():
    with pytest.raises(ConfigError, match='network.decoder.*8 features'):
        load_recipe('packnet', ['network.decoder=[9, 16, 16, 16]'])
