# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Weights that a user brings: torchvision's names, files, and what is said of them."""

import json
import struct
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from selfdepth_ros.cli.main import main
from selfdepth_training.checkpoint import load_checkpoint
from selfdepth_training.config import NetworkConfig, load_recipe
from selfdepth_training.initial import WeightsError, matched, read_weights
from selfdepth_training.networks import DepthNetwork
from selfdepth_training.train import train

WIDE = (64, 64, 128, 256, 512)
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


def norm(name: str, channels: int) -> dict[str, Tensor]:
    """Batch normalization as torchvision has it, with numbers that do something."""
    return {
        f'{name}.weight': torch.rand(channels) + 0.5,
        f'{name}.bias': torch.randn(channels) / 10,
        f'{name}.running_mean': torch.randn(channels) / 10,
        f'{name}.running_var': torch.rand(channels) + 0.5,
        f'{name}.num_batches_tracked': torch.tensor(7),
    }


def kernel(outputs: int, inputs: int, size: int) -> Tensor:
    return torch.randn(outputs, inputs, size, size) / (inputs * size * size) ** 0.5


def torchvision_like(layers: int) -> dict[str, Tensor]:
    """A state dict with the names and shapes that torchvision documents for its ResNets."""
    torch.manual_seed(layers)
    found = {'conv1.weight': kernel(64, 3, 7), **norm('bn1', 64)}
    inputs = 64
    for stage, (count, outputs) in enumerate(zip(BLOCKS[layers], WIDE[1:], strict=True), 1):
        for block in range(count):
            at = f'layer{stage}.{block}'
            found[f'{at}.conv1.weight'] = kernel(outputs, inputs, 3)
            found |= norm(f'{at}.bn1', outputs)
            found[f'{at}.conv2.weight'] = kernel(outputs, outputs, 3)
            found |= norm(f'{at}.bn2', outputs)
            if block == 0 and stage > 1:
                found[f'{at}.downsample.0.weight'] = kernel(outputs, inputs, 1)
                found |= norm(f'{at}.downsample.1', outputs)
            inputs = outputs
    return found | {'fc.weight': torch.randn(1000, 512), 'fc.bias': torch.randn(1000)}


def plain_features(weights: dict[str, Tensor], layers: int, x: Tensor) -> list[Tensor]:
    """A ResNet's forward pass (He et al. 2016), written with functions alone."""

    def normed(name: str, x: Tensor) -> Tensor:
        parts = (weights[f'{name}.{k}'] for k in ('running_mean', 'running_var', 'weight', 'bias'))
        return functional.batch_norm(x, *parts, eps=1e-5)

    x = functional.conv2d(x, weights['conv1.weight'], stride=2, padding=3)
    features = [functional.relu(normed('bn1', x))]
    x = functional.max_pool2d(features[0], 3, 2, 1)
    for stage, count in enumerate(BLOCKS[layers], 1):
        for block in range(count):
            at, stride = f'layer{stage}.{block}', 2 if block == 0 and stage > 1 else 1
            inner = functional.conv2d(x, weights[f'{at}.conv1.weight'], stride=stride, padding=1)
            inner = functional.relu(normed(f'{at}.bn1', inner))
            inner = normed(
                f'{at}.bn2', functional.conv2d(inner, weights[f'{at}.conv2.weight'], padding=1)
            )
            if stride == 2:
                x = functional.conv2d(x, weights[f'{at}.downsample.0.weight'], stride=2)
                x = normed(f'{at}.downsample.1', x)
            x = functional.relu(inner + x)
        features.append(x)
    return features


def learner(layers: int = 18, encoder: tuple = WIDE, **more) -> nn.Module:
    """What of a learner weights can fit: its depth network."""
    config = NetworkConfig(layers=layers, encoder=encoder, **more)
    return nn.ModuleDict({'depth': DepthNetwork(config, 80.0)})


def write_safetensors(path: Path, tensors: dict[str, Tensor]) -> Path:
    """By the format's description: length, header, numbers."""
    names = {torch.float32: 'F32', torch.int64: 'I64', torch.float16: 'F16'}
    header, content = {'__metadata__': {'format': 'pt'}}, b''
    for name, tensor in tensors.items():
        data = tensor.contiguous().numpy().tobytes()
        place = [len(content), len(content) + len(data)]
        header[name] = {'dtype': names[tensor.dtype], 'shape': list(tensor.shape),
                        'data_offsets': place}  # fmt: skip
        content += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack('<Q', len(text)) + text + content)
    return path


@pytest.mark.parametrize('layers', BLOCKS)
@pytest.mark.parametrize('kind', ['torch', 'safetensors'])
def test_a_resnet_of_torchvision_s_names_is_taken_whole_and_says_the_same(tmp_path, layers, kind):
    given = torchvision_like(layers)
    if kind == 'torch':
        path = tmp_path / 'resnet.pth'
        torch.save(given, path)
    else:
        path = write_safetensors(tmp_path / 'resnet.safetensors', given)
    network = learner(layers)
    match = matched(read_weights(path), network, path)
    assert match.unused == ('depth.encoder.fc.weight', 'depth.encoder.fc.bias')
    assert match.other_shape == {}
    assert not any(name.startswith('depth.encoder.') for name in match.missing)
    assert len(match.taken) == sum('tracked' not in k and 'fc' not in k for k in given)
    network.load_state_dict(match.taken, strict=False)
    encoder, images = network['depth'].encoder.eval(), torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        for found, expected in zip(
            encoder(images), plain_features(given, layers, images), strict=True
        ):
            assert expected.std() > 0.05
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('wrap', [
    lambda weights: {'state_dict': {f'module.{k}': v for k, v in weights.items()}, 'epoch': 3},
    lambda weights: {f'encoder.{k}': v for k, v in weights.items()} | {'height': 192},
], ids=['a training script', 'an encoder'])  # fmt: skip
def test_names_that_training_scripts_put_before_are_taken_off(tmp_path, wrap):
    given = torchvision_like(18)
    torch.save(wrap(given), tmp_path / 'w.pt')
    torch.save(given, tmp_path / 'plain.pt')
    wrapped, plain = (read_weights(tmp_path / name) for name in ('w.pt', 'plain.pt'))
    assert wrapped.keys() == plain.keys()


def test_what_does_not_fit_is_told_by_name_and_shape(tmp_path):
    given = torchvision_like(34)
    del given['layer2.0.conv1.weight']
    path = write_safetensors(tmp_path / 'w.safetensors', given)
    match = matched(read_weights(path), learner(18, (64, 64, 128, 256, 256)), path)
    assert 'depth.encoder.stages.1.0.first.0.weight' in match.missing
    assert 'depth.encoder.stages.0.2.first.0.weight' in match.unused
    shapes = match.other_shape['depth.encoder.stages.3.0.first.0.weight']
    assert shapes == ((512, 256, 3, 3), (256, 256, 3, 3))
    text = match.told()
    assert text.startswith(f'taken: {len(match.taken)} of ')
    for title in ('of another shape: depth.encoder.stages.3', 'not in the file: ', 'not used: '):
        assert title in text
    assert '[512, 256, 3, 3], here [256, 256, 3, 3]' in text


def test_weights_that_fit_nowhere_are_one_clear_error(tmp_path):
    path = write_safetensors(tmp_path / 'w.safetensors', torchvision_like(18))
    narrow = (16, 32, 48, 96, 192)
    with pytest.raises(WeightsError, match=r'of another shape: .*encoder=\[64,64,128,256,512\]'):
        matched(read_weights(path), learner(18, narrow), path)
    torch.save({'other.weight': torch.ones(3)}, tmp_path / 'other.pt')
    with pytest.raises(WeightsError, match=r'nothing in .*other\.pt .*not used: other\.weight'):
        matched(read_weights(tmp_path / 'other.pt'), learner(), tmp_path / 'other.pt')


class Harmful:
    """What unpickling would run."""

    def __reduce__(self):
        return (Path.touch, (Path('harmed'),))


def test_a_file_with_code_is_refused_and_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({'conv1.weight': torch.ones(1), 'x': Harmful()}, 'w.pth')
    with pytest.raises(WeightsError, match=r'cannot be read as weights .*Objects with code'):
        read_weights(Path('w.pth'))
    assert not Path('harmed').exists()


@pytest.mark.parametrize('content', [
    b'', b'\xff' * 8, struct.pack('<Q', 2) + b'[]', struct.pack('<Q', 4) + b'{"a"',
    struct.pack('<Q', 10) + b'{"a": {}} ',
    struct.pack('<Q', 59) + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8000000]}}',
    struct.pack('<Q', 54) + b'{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}' + b' ' * 8,
], ids=['empty', 'length', 'list', 'json', 'entry', 'outside', 'negative'])  # fmt: skip
def test_a_broken_safetensors_file_is_one_clear_error(tmp_path, content):
    path = tmp_path / 'w.safetensors'
    path.write_bytes(content)
    with pytest.raises(WeightsError, match='cannot be read as weights'):
        read_weights(path)


@pytest.mark.parametrize('content', [b'hello world', b'\x80\x05.', bytes(range(256))])
def test_a_file_of_anything_else_is_one_clear_error(tmp_path, content):
    (tmp_path / 'notes.txt').write_bytes(content)
    with pytest.raises(WeightsError, match='cannot be read as weights'):
        read_weights(tmp_path / 'notes.txt')


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    weights = torchvision_like(18)
    weights['layer1.0.conv1.weight'][0, 0, 0, 0] = torch.nan
    path = write_safetensors(tmp_path / 'w.safetensors', weights)
    with pytest.raises(WeightsError, match=r'no numbers in .*w\.safetensors .*stages\.0\.0'):
        matched(read_weights(path), learner(), path)


def test_no_file_is_one_clear_error(tmp_path):
    for name in ('none.pt', 'none.safetensors'):
        with pytest.raises(WeightsError, match='cannot be read as weights'):
            read_weights(tmp_path / name)


SMALL = ('network.encoder=[8, 8, 16, 16, 16]', 'network.decoder=[8, 8, 8, 8]', 'data.width=96',
         'data.height=64', 'data.frames=4', 'precision=32-true',
         'network.head=sigmoid')  # fmt: skip
SLOWLY = (
    'optimizer.learning_rate=1e-6',
    'optimizer.muon_rate=0',
    'optimizer.head_rate=1e-6',
)


def test_a_training_begins_with_another_s_weights_and_says_so(street, tmp_path, caplog):
    """Of the same network all is taken, the focal length that its depths refer to as well."""
    caplog.set_level('INFO')
    config = load_recipe('fsm', [*SMALL, 'steps=3'])
    train([street.bag], tmp_path / 'first', config, cache_root=tmp_path)
    more = '--set=steps=1', *(f'--set={each}' for each in (*SMALL, *SLOWLY))
    arguments = ['train', str(street.bag), '--cache', str(tmp_path), *more, '--seed=5']
    begun, none = tmp_path / 'begun', tmp_path / 'none'
    assert main([*arguments, '--out', str(begun), '--init', str(tmp_path / 'first')]) == 0
    first, second = (load_checkpoint(tmp_path / k)['learner'] for k in ('first', 'begun'))
    weights = [name for name in first if name.endswith('weight')]
    assert all(torch.allclose(first[k], second[k], atol=1e-4) for k in weights)
    taken = sum(not name.endswith('_tracked') for name in first) - 1
    assert f'taken: {taken} of {taken} tensors' in caplog.text
    assert main([*arguments, '--out', str(none), '--init', str(tmp_path / 'missing.pt')]) == 2
    assert not none.exists()
