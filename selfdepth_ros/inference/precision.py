# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Variants of a model in 16 and in 8 bits: in the ONNX file, so that every runtime takes them.

Both leave the inverse-depth head at float32: an 8-bit logit is a step of several percent in depth.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from selfdepth_ros.core.errors import ManifestError
from selfdepth_ros.core.manifest import Manifest, file_sha256
from selfdepth_ros.inference import graph as graphs
from selfdepth_ros.inference.engine import EngineError

Precision = Literal['fp32', 'fp16', 'int8']
Target = Literal['tensorrt', 'onnxruntime']
Batch = tuple[np.ndarray, np.ndarray]
"""(images uint8 (N, H, W, 3) RGB, focal float32 (N,) in pixels)"""
FLOAT16_MAX = 65504.0
RECIPE = 1
"""Version of what `to_fp16` does: engines that were built by another one are not taken."""
INT8_LAYERS = ('Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'Add', 'Concat', 'MaxPool', 'Resize')
"""Layers that are computed in 8 bits; what lies between them is left to the runtime to fuse."""
_ALWAYS_FLOAT32 = {'Resize': (1, 2)}  # roi and scales


def to_fp16(source: Path, manifest: Manifest, target: Path) -> Manifest:
    """Write the model with weights and activations of its body in float16; return its manifest.

    Raises EngineError.
    """
    check_is_fp32(manifest)
    model = graphs.read_model(source)
    narrow(model, graphs.body(model.graph))
    return graphs.write_model(model, target, variant_of(manifest, source, 'fp16'))


def to_int8(
    source: Path,
    manifest: Manifest,
    target: Path,
    batches: Iterable[Batch],
    runtime: Target = 'onnxruntime',
) -> Manifest:
    """Write the model with calibrated Q/DQ nodes in its body; return its manifest.

    `batches` are images like those it will see, with their focal lengths. For `onnxruntime`
    activations are uint8 with a zero point, into which a Relu vanishes; `tensorrt` takes int8
    around zero only. The latter file runs on both, the former on ONNX Runtime only, and there
    twice as fast. Raises EngineError.
    """
    check_is_fp32(manifest)
    model = graphs.read_model(source)
    inside = graphs.body(model.graph)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / 'int8.onnx'
        _quantize(model, out, inside, _counted(batches, manifest), runtime)
        quantized = graphs.onnx_module().load(str(out))
    return graphs.write_model(quantized, target, variant_of(manifest, source, 'int8'))


def check_is_fp32(manifest: Manifest) -> None:
    """Refuse a model that is a variant already. Raises EngineError."""
    if manifest.precision != 'fp32':
        raise EngineError(
            f'the model {manifest.name!r} is {manifest.precision} already; expected the fp32 '
            f'model that it was made of (SHA-256 {manifest.parent_sha256[:12]}...): give that one'
        )


def variant_of(manifest: Manifest, source: Path, precision: Precision) -> Manifest:
    """The manifest of a variant: what it was made of and how."""
    try:
        parent = file_sha256(source)
    except ManifestError as cause:
        raise EngineError(str(cause)) from cause
    return replace(manifest, precision=precision, parent_sha256=parent, onnx_sha256='')


def narrow(model: Any, inside: set[str]) -> None:
    """Compute the nodes `inside` in float16, with a Cast on every way in or out.

    Raises EngineError for a weight that float16 cannot hold.
    """
    graph = model.graph
    floats = _float_tensors(model)
    weights = {tensor.name: tensor for tensor in graph.initializer}
    made = {out for node in graph.node if node.name in inside for out in node.output} & floats
    narrowed: dict[str, Any] = {}
    nodes: list[Any] = []
    done: set[str] = set()
    for node in graph.node:
        within = node.name in inside
        for index, name in enumerate(node.input):
            if within and index in _ALWAYS_FLOAT32.get(node.op_type, ()):
                continue
            if within and name in weights and name in floats:
                narrowed.setdefault(name, _as_float16(weights[name]))
                node.input[index] = f'{name}_fp16'
            elif name in floats and within != (name in made):
                node.input[index] = _cast(nodes, done, name, to_float16=within)
        nodes.append(node)
        if within and node.op_type == 'Cast':
            _retype(node)
    graphs.replace_all(graph.node, nodes)
    _replace_weights(graph, narrowed)
    del graph.value_info[:]  # they name the old types


def _float_tensors(model: Any) -> set[str]:
    """Names of all float32 tensors."""
    onnx = graphs.onnx_module()
    known = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    kinds = {t.name: t.data_type for t in known.initializer} | {
        v.name: v.type.tensor_type.elem_type
        for v in (*known.value_info, *known.input, *known.output)
    }
    return {name for name, kind in kinds.items() if kind == onnx.TensorProto.FLOAT}


def _as_float16(tensor: Any) -> Any:
    helper = graphs.onnx_module().numpy_helper
    values = helper.to_array(tensor)
    largest = float(np.abs(values).max(initial=0.0))
    if not largest <= FLOAT16_MAX:
        raise EngineError(
            f'the weights {tensor.name} reach {largest:.3g}, and float16 ends at {FLOAT16_MAX:.0f}'
            '; build the model with --precision fp32 or int8'
        )
    return helper.from_array(values.astype(np.float16), f'{tensor.name}_fp16')


def _cast(nodes: list[Any], done: set[str], name: str, to_float16: bool) -> str:
    """Append a Cast of a tensor, once, and return the name of its result."""
    onnx = graphs.onnx_module()
    result = f'{name}_as_fp16' if to_float16 else f'{name}_as_fp32'
    if result not in done:
        done.add(result)
        kind = onnx.TensorProto.FLOAT16 if to_float16 else onnx.TensorProto.FLOAT
        nodes.append(onnx.helper.make_node('Cast', [name], [result], f'cast_{result}', to=kind))
    return result


def _retype(cast: Any) -> None:
    """Let a Cast to float32 inside the body give float16."""
    proto = graphs.onnx_module().TensorProto
    if cast.attribute[0].i == proto.FLOAT:
        cast.attribute[0].i = proto.FLOAT16


def _replace_weights(graph: Any, narrowed: dict[str, Any]) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    graphs.replace_all(graph.initializer, [*kept, *narrowed.values()])


def _counted(batches: Iterable[Batch], manifest: Manifest) -> Iterator[dict[str, np.ndarray]]:
    """The batches as the model is fed with them; EngineError when there are none."""
    count = 0
    for images, focal in batches:
        count += len(images)
        yield {'images': np.ascontiguousarray(images), 'focal': focal.astype(np.float32)}
    if not count:
        raise EngineError(
            f'found no image to calibrate {manifest.name!r} with; expected some dozens like those '
            'it will see: give a bag or a folder of images'
        )


def _quantize(
    model: Any, out: Path, inside: set[str], feeds: Iterator[Any], runtime: Target
) -> None:
    tools = _quantization()

    class Reader(tools.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def get_next(self) -> Any:
            return next(feeds, None)

    symmetric = runtime == 'tensorrt'
    excluded = [node.name for node in model.graph.node if node.name not in inside]
    options = {'ActivationSymmetric': symmetric, 'WeightSymmetric': True}
    with _quiet():
        tools.quantize_static(
            model, str(out), Reader(),
            quant_format=tools.QuantFormat.QDQ, per_channel=True,
            activation_type=tools.QuantType.QInt8 if symmetric else tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
            op_types_to_quantize=[*INT8_LAYERS, *([] if symmetric else ['Relu'])],
            nodes_to_exclude=excluded,
            # TensorRT reads no 32-bit biases; ONNX Runtime quantizes a float one by itself.
            extra_options={**options, 'QuantizeBias': not symmetric},
        )  # fmt: skip


@contextmanager
def _quiet() -> Iterator[None]:
    """The tool recommends, for every model, a preparation that the exporter has already done."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)


def _quantization() -> Any:
    graphs.onnx_module()
    try:
        from onnxruntime import quantization
    except ImportError as cause:
        raise EngineError(
            f'onnxruntime.quantization cannot be imported ({cause}); int8 needs it: pip install '
            'onnxruntime onnx'
        ) from cause
    return quantization
