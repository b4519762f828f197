# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What an .onnx file must be to be a model of this package, whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from selfdepth_ros.core.errors import ManifestError
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference.engine import EngineError
from selfdepth_ros.inference.graph import METADATA_KEY

EXPORT = 'export the model again with `selfdepth export`'


class Tensor(NamedTuple):
    """An input or output of a graph."""

    kind: str
    """As ONNX Runtime calls it: tensor(uint8), tensor(float)."""
    shape: tuple[int | str | None, ...]
    """A text or None where any number will do."""


def manifest_beside(path: Path) -> Manifest | None:
    """The model.yaml beside an .onnx file; None where there is none. Raises EngineError.

    One that was not written for this very file is refused.
    """
    beside = path.with_suffix('.yaml')
    if not beside.is_file():
        return None
    try:
        manifest = Manifest.load(beside)
        manifest.check_file(path)
    except ManifestError as cause:
        raise EngineError(str(cause)) from cause
    return manifest


def find_manifest(path: Path, embedded: str | None) -> Manifest:
    """The model.yaml beside a file when there is one, else the one inside. Raises EngineError."""
    beside = manifest_beside(path)
    if beside is not None:
        return beside
    if not embedded:
        raise EngineError(
            f'{path} has no manifest: neither {path.stem}.yaml beside it nor {METADATA_KEY} in '
            f'its metadata; without one its depths mean nothing: {EXPORT}'
        )
    try:
        return Manifest.from_json(embedded)
    except ManifestError as cause:
        raise EngineError(str(cause)) from cause


def check_interface(
    path: Path, manifest: Manifest, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]
) -> None:
    """Refuse a graph that does not take and give what its manifest says. Raises EngineError."""
    size = (manifest.height, manifest.width)
    images, focal = Tensor('tensor(uint8)', ('n', *size, 3)), Tensor('tensor(float)', ('n',))
    map_of_floats = Tensor('tensor(float)', ('n', *size))
    names = ('depth', *(('confidence',) if manifest.has_confidence else ()))
    _check_tensors(path, 'inputs', inputs, {'images': images, 'focal': focal})
    _check_tensors(path, 'outputs', outputs, dict.fromkeys(names, map_of_floats))
    shape = inputs['images'].shape
    pairs = zip(shape[1:], images.shape[1:], strict=True)
    if any(isinstance(n, int) and n != m for n, m in pairs):
        raise EngineError(
            f'{path} takes images of shape {list(shape)}, its manifest says (N, {size[0]}, '
            f'{size[1]}, 3); the two are not of one export: {EXPORT}'
        )


def _check_tensors(
    path: Path, what: str, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    have, wanted = _kinds(found), _kinds(expected)
    if have != wanted:
        raise EngineError(
            f'{path} has the {what} {_words(have)}; expected {_words(wanted)}. It is no model of '
            f'this package, or of another version: {EXPORT}'
        )


def _kinds(tensors: Mapping[str, Tensor]) -> dict[str, tuple[str, int]]:
    return {name: (tensor.kind, len(tensor.shape)) for name, tensor in tensors.items()}


def _words(kinds: Mapping[str, tuple[str, int]]) -> str:
    return ', '.join(
        f'{name}: {kind} of {rank} dimensions' for name, (kind, rank) in kinds.items()
    )
