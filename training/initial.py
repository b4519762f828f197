# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Weights to begin with: a checkpoint of ours, or a ResNet18 or 34 with torchvision's names.

A ResNet fits wholly into `network.encoder=[64, 64, 128, 256, 512]` and the `network.layers` that
it has. It is taken as it is, though torchvision centres images by ImageNet's mean and deviation of
each colour and this package all of them by 0.45 and 0.225 (networks/depth.py): at most a fifth of
a deviation apart, which the training has to get over.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_training.checkpoint import FILE_NAME
from selfdepth_training.safetensors import read_safetensors

# Where others put a state dict inside of what they save.
_WRAPPERS = 'learner', 'state_dict', 'model'
_OF_TORCHVISION = (
    (r'^conv1\.', 'stem.0.'),
    (r'^bn1\.', 'stem.1.'),
    (r'^layer([1-4])\.', lambda found: f'stages.{int(found[1]) - 1}.'),
    (r'\.conv1\.', '.first.0.'),
    (r'\.bn1\.', '.first.1.'),
    (r'\.conv2\.', '.second.0.'),
    (r'\.bn2\.', '.second.1.'),
    (r'\.downsample\.', '.shortcut.'),
)  # fmt: skip
_STEM, _REFERENCE = 'conv1.weight', 'depth.reference_focal'
_LISTED = 6


class WeightsError(SelfdepthError):
    """Weights that cannot be read, or fit nowhere."""


@dataclass(frozen=True)
class Match:
    """What of a file fits a network; names are the network's."""

    taken: dict[str, Tensor]
    other_shape: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    """Shape in the file, and in the network."""
    missing: tuple[str, ...]
    """In the network, not in the file: they begin at random."""
    unused: tuple[str, ...]
    """In the file, not in the network."""

    def told(self) -> str:
        """The same as people read it."""
        taken = len(self.taken.keys() - {_REFERENCE})
        wanted = taken + len(self.other_shape) + len(self.missing)
        shapes = [f'{n} {list(a)}, here {list(b)}' for n, (a, b) in self.other_shape.items()]
        parts = {'of another shape': shapes, 'not in the file': self.missing,
                 'not used': self.unused}  # fmt: skip
        lines = [f'taken: {taken} of {wanted} tensors']
        lines += [f'{title}: {_listed(names)}' for title, names in parts.items() if names]
        return '\n'.join(lines)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a file (or a training's folder), by our names; only tensors and plain values.

    Raises WeightsError.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        if file.suffix == '.safetensors':
            found: Any = read_safetensors(file)
        else:
            found = torch.load(file, map_location='cpu', weights_only=True)
    except Exception as error:  # an unpickler of foreign bytes raises anything
        # Of torch's advice the first sentence: the others say how to run what the file contains.
        reason = str(error).split('. ')[0].splitlines()[:1]
        raise WeightsError(
            f'Found {file}, which cannot be read as weights ({"".join(reason)}), expected a '
            'training, a state dict saved by torch.save, or a .safetensors file. Objects with '
            'code are not loaded: save `model.state_dict()`, not the model.'
        ) from error
    for name in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    tensors = found.items() if isinstance(found, Mapping) else ()
    return _ours({str(k): v for k, v in tensors if isinstance(v, Tensor)})


def matched(weights: Mapping[str, Tensor], network: nn.Module, source: Path) -> Match:
    """What of the weights fits a learner; WeightsError when it is nothing."""
    # Counters of batch normalization: nothing reads them, and they would fit anywhere.
    own = {k: v for k, v in network.state_dict().items() if not k.endswith('_tracked')}
    given = {k: v for k, v in weights.items() if not k.endswith('_tracked')}
    taken = {k: v for k, v in given.items() if k in own and v.shape == own[k].shape}
    if 'depth.head.weight' not in taken:
        taken.pop(_REFERENCE, None)  # what a head's depths refer to means nothing without it
    broken = [name for name, each in taken.items() if not torch.isfinite(each).all()]
    if broken:
        raise WeightsError(
            f'Found values that are no numbers in {source} ({_listed(broken)}), expected weights '
            'that a training ended with. Take an earlier checkpoint.'
        )
    learned = [name for name in own if name != _REFERENCE]
    shapes = {
        k: (tuple(given[k].shape), tuple(own[k].shape))
        for k in learned
        if k in given and k not in taken
    }
    match = Match(
        taken, shapes, tuple(k for k in learned if k not in given),
        tuple(k for k in given if k not in own),
    )  # fmt: skip
    if not taken:
        raise WeightsError(
            f'Found nothing in {source} that fits ({len(given)} tensors; of another shape: '
            f'{_listed([f"{k} {list(a)}" for k, (a, _) in shapes.items()])}; not used: '
            f'{_listed(match.unused)}), expected a training with the same network, or a ResNet18 '
            'or 34 with the names of torchvision. For the latter, --set '
            'network.encoder=[64,64,128,256,512] and network.backbone=resnet.'
        )
    return match


def _ours(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights by our names; torchvision's are an encoder's."""
    plain = {re.sub(r'^(module\.|encoder\.)+', '', name): each for name, each in weights.items()}
    if _STEM not in plain:
        return weights
    found = {}
    for name, each in plain.items():
        for pattern, ours in _OF_TORCHVISION:
            name = re.sub(pattern, ours, name)
        found[f'depth.encoder.{name}'] = each
    return found


def _listed(names: Any) -> str:
    """The first few, and how many more there are."""
    names = list(names)
    more = f' and {len(names) - _LISTED} more' if len(names) > _LISTED else ''
    return ', '.join(names[:_LISTED]) + more if names else 'none'
