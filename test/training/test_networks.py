# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The zoo: what the light encoder sees, and how large the networks are."""

import pytest
import torch

from selfdepth_ros.core.errors import ConfigError
from selfdepth_training.config import RECIPES, load_recipe
from selfdepth_training.networks import DepthNetwork
from selfdepth_training.networks.lite import LiteEncoder

NAMES = sorted(path.stem for path in RECIPES.glob('*.yaml'))


def parameters_of(recipe: str) -> int:
    network = DepthNetwork(load_recipe(recipe).network, 200.0)
    return sum(p.numel() for p in network.parameters())


def test_the_light_network_and_the_slim_one_have_at_most_4_million_parameters():
    assert parameters_of('lite') <= 4e6
    assert parameters_of('packnet-slim') <= 4e6 < 100e6 < parameters_of('packnet')


def test_attention_lets_the_light_encoder_see_the_whole_image():
    """Convolutions alone reach a part of it: the far corner then changes nothing."""
    torch.manual_seed(0)
    encoder = LiteEncoder((16, 16, 16, 32, 32)).eval()
    x = torch.rand(1, 3, 64, 512)
    changed = x.clone()
    changed[..., :16, :16] = 0
    with torch.no_grad():
        pairs = list(zip(encoder(x), encoder(changed), strict=True))
    far = [(a - b).abs()[..., -1].max().item() for a, b in pairs]
    assert far[0] == 0 < min(far[1:])
    assert [a.shape[3] for a, _ in pairs] == [256, 128, 64, 32, 16]


@pytest.mark.parametrize('width', [1, 15, 40, 56, 97])
def test_the_light_encoder_may_be_of_any_width(width):
    """Heads of attention share the channels evenly, as many as they can."""
    encoder = LiteEncoder((16, width)).eval()
    with torch.no_grad():
        assert encoder(torch.rand(1, 3, 32, 64))[1].shape == (1, width, 8, 16)


def test_a_layer_without_channels_is_one_clear_error():
    with pytest.raises(ConfigError, match='network.decoder: found 0, expected 1 to 4096'):
        load_recipe('fsm', ['network.decoder=[16, 0, 64, 128]'])


@pytest.mark.parametrize('name', NAMES)
def test_every_recipes_network_says_what_its_scales_are(name):
    """At its own width: sizes of the answers, from half of the input on."""
    config = load_recipe(name).network
    network = DepthNetwork(config, 100.0).eval()
    with torch.no_grad():
        answers = network.all_logits(torch.rand(1, 3, 64, 96))
    assert [a.shape[2:] for a in answers] == [
        (64 >> s, 96 >> s) for s in range(1, config.scales + 1)
    ]


@pytest.mark.parametrize('size', [(96, 160), (64, 96)])
def test_gradients_of_the_light_encoder_under_bfloat16_are_about_those_of_float32(size):
    """They were noise where convolutions are dilated and channels last (PyTorch 2.13 on a CPU)."""
    torch.manual_seed(0)
    encoder = LiteEncoder((32, 48, 64, 96, 160)).to(memory_format=torch.channels_last)
    images = torch.rand(6, 3, *size).contiguous(memory_format=torch.channels_last)
    found = []
    for rounded in (False, True):
        encoder.zero_grad()
        with torch.autocast('cpu', torch.bfloat16, enabled=rounded):
            features = encoder(images)
        sum(each.float().square().mean() for each in features).backward()
        found.append({
            name: weights.grad.flatten() for name, weights in encoder.named_parameters()
            if '.look.0.' in name
        })  # fmt: skip
    for name, exact in found[0].items():
        cosine = torch.nn.functional.cosine_similarity(exact, found[1][name], dim=0)
        assert cosine > 0.8, (name, cosine)
