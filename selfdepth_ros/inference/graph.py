# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""An ONNX model as a graph: read and checked, split into body and head, written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from selfdepth_ros.core import files
from selfdepth_ros.core.manifest import Manifest, file_sha256
from selfdepth_ros.inference.engine import EngineError

METADATA_KEY = 'selfdepth_manifest'
"""Key of the manifest (JSON) in the metadata of the ONNX file."""
HEAD = '.head.'
"""What the names of the inverse-depth head's weights contain."""
_LEARNED = ('Conv', 'ConvTranspose', 'Gemm', 'MatMul')


def onnx_module() -> Any:
    """The `onnx` package, which reads and writes graphs. Raises EngineError where it is missing.

    The torch backend and the making of variants come here; ONNX Runtime reads models by itself.
    """
    try:
        import onnx
    except ImportError as cause:
        raise EngineError(
            'onnx is not installed, and the torch backend and changing the precision of a model '
            'need it: pip install onnx (the backend onnx runs models without it)'
        ) from cause
    return onnx


def read_model(path: Path) -> Any:
    """Read a model whose weights are plain float32 initializers and whose nodes have names.

    Weights stored in 16 bits are widened, constants become initializers. Raises EngineError.
    """
    onnx = onnx_module()
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except Exception as cause:  # protobuf, onnx and the file system have no common base
        raise EngineError(
            f'{path} cannot be read as an ONNX model ({cause}); expected a file that `selfdepth '
            'export` wrote: check that it was copied whole'
        ) from cause
    _fold_constants(model.graph)
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f'{node.op_type}_{index}'
    return model


def _fold_constants(graph: Any) -> None:
    """Replace `Constant` and `Cast` of an initializer by an initializer."""
    onnx = onnx_module()
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        stored = tensors.get(node.input[0]) if node.op_type == 'Cast' else None
        if node.op_type == 'Constant' and node.attribute[0].name == 'value':
            values = onnx.numpy_helper.to_array(node.attribute[0].t)
        elif stored is not None and node.attribute[0].i == onnx.TensorProto.FLOAT:
            values = onnx.numpy_helper.to_array(stored).astype(np.float32)
        else:
            kept.append(node)
            continue
        tensors[node.output[0]] = onnx.numpy_helper.from_array(values, node.output[0])
    used = {name for node in kept for name in node.input}
    used |= {output.name for output in graph.output}
    replace_all(graph.node, kept)
    replace_all(graph.initializer, [t for name, t in tensors.items() if name in used])


def replace_all(field: Any, items: Iterable[Any]) -> None:
    """Replace the content of a repeated protobuf field."""
    items = list(items)
    del field[:]
    field.extend(items)


def body(graph: Any) -> set[str]:
    """Names of the nodes between the images' Cast and the inverse-depth head, both exclusive.

    The head begins at the weights called `.head.` and at the last learned layer before an output.
    Raises EngineError when there is no such body.
    """
    from_images = _downstream(graph, {'images'})
    entry = {node.name for node in graph.node if 'images' in node.input}
    if not all(node.op_type == 'Cast' for node in graph.node if node.name in entry):
        raise EngineError(
            'the images go elsewhere than into one Cast; expected uint8 at the boundary only: '
            'export the model again with `selfdepth export`'
        )
    starts = _last_learned(graph) | {
        node.name for node in graph.node if any(HEAD in name for name in node.input)
    }
    outputs = {out for node in graph.node if node.name in starts for out in node.output}
    inside = from_images - entry - starts - _downstream(graph, outputs)
    if not any(node.op_type in _LEARNED for node in graph.node if node.name in inside):
        raise EngineError(
            'the model has no learned layer before its inverse-depth head; there is nothing to '
            'be made faster: keep it at fp32'
        )
    return inside


def _downstream(graph: Any, tensors: set[str]) -> set[str]:
    """Names of all nodes that depend on the tensors; nodes are sorted topologically."""
    reached, nodes = set(tensors), set()
    for node in graph.node:
        if reached & set(node.input):
            reached |= set(node.output)
            nodes.add(node.name)
    return nodes


def _last_learned(graph: Any) -> set[str]:
    """Names of the learned layers from which outputs are reached without another one."""
    wanted = {output.name for output in graph.output}
    found = set()
    for node in reversed(graph.node):
        if wanted & set(node.output):
            if node.op_type in _LEARNED:
                found.add(node.name)
            else:
                wanted |= set(node.input)
    return found


def write_model(model: Any, path: Path, manifest: Manifest) -> Manifest:
    """Write the model, whole or not at all, and its manifest beside it; return the manifest."""
    onnx = onnx_module()
    onnx.helper.set_model_props(model, {METADATA_KEY: manifest.to_json()})
    onnx.checker.check_model(model, full_check=True)
    write_file(path, model.SerializeToString())
    finished = replace(manifest, onnx_sha256=file_sha256(path))
    finished.save(path.with_suffix('.yaml'))
    return finished


def write_file(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all. Raises EngineError."""
    try:
        files.write_file(path, content)
    except OSError as cause:
        raise EngineError(
            f'{path} cannot be written ({cause}); expected a folder with room: choose another one'
        ) from cause
