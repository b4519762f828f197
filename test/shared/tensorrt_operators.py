# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether TensorRT reads a graph, operator by operator, as its parser's documentation has it.

Facts from the operator matrix of onnx-tensorrt (docs/operators.md) of TensorRT 8.5 and 10.15;
where the two differ, the narrower. Only operators that our networks use are listed. Not among them
on purpose: GroupNormalization, Pad, GridSample, DepthToSpace, ConvTranspose, Loop, If, NonZero;
nor are 3D convolutions, which it reads, but of which we have none.
"""

from collections.abc import Callable
from dataclasses import dataclass

from onnx import ModelProto, NodeProto, TensorProto, helper, shape_inference

FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16}
NUMBERS = FLOATS | {TensorProto.INT32, TensorProto.INT64}
TYPES = dict.fromkeys(
    ('BatchNormalization', 'Clip', 'Conv', 'Elu', 'Exp', 'InstanceNormalization', 'Log', 'MatMul',
     'MaxPool', 'Reciprocal', 'Relu', 'Resize', 'Sigmoid', 'Softmax', 'Sqrt'), FLOATS
) | dict.fromkeys(
    ('Add', 'Concat', 'Div', 'Gather', 'Identity', 'Mul', 'Neg', 'ReduceMax', 'ReduceSum',
     'Reshape', 'Shape', 'Slice', 'Split', 'Squeeze', 'Sub', 'Transpose', 'Unsqueeze'), NUMBERS
) | {'Cast': NUMBERS | {TensorProto.UINT8}}  # fmt: skip
"""Operator -> element types of its first input."""
TRANSFORMS = b'half_pixel', b'pytorch_half_pixel', b'asymmetric', b'align_corners'
ROUNDINGS = b'floor', b'ceil', b'round_prefer_floor', b'round_prefer_ceil'


@dataclass(frozen=True)
class Known:
    """What can be told of a graph's tensors before it runs."""

    types: dict[str, int]
    ranks: dict[str, int]
    constants: set[str]
    inputs: set[str]

    @classmethod
    def of(cls, model: ModelProto) -> 'Known':
        graph = shape_inference.infer_shapes(model, strict_mode=True).graph
        values = [*graph.input, *graph.output, *graph.value_info]
        tensors = [v.type.tensor_type for v in values]
        types = {v.name: t.elem_type for v, t in zip(values, tensors, strict=True)}
        ranks = {v.name: len(t.shape.dim) for v, t in zip(values, tensors, strict=True)}
        weights = {t.name for t in graph.initializer}
        # Weights stored in 16 bits are cast back when the model is read.
        casts = {n.output[0] for n in graph.node if n.op_type == 'Cast' and n.input[0] in weights}
        return cls(
            types | {t.name: t.data_type for t in graph.initializer},
            ranks | {t.name: len(t.dims) for t in graph.initializer},
            weights | casts | {n.output[0] for n in graph.node if n.op_type == 'Constant'},
            {value.name for value in graph.input},
        )


def _constant(*places: int) -> Callable[[NodeProto, Known], bool]:
    """Whether these inputs, where there are any, are known when the engine is built."""

    def holds(node: NodeProto, known: Known) -> bool:
        return all(node.input[i] in known.constants for i in places if i < len(node.input))

    return holds


def _convolution(node: NodeProto, known: Known) -> bool:
    return node.input[1] in known.constants and known.ranks[node.input[1]] == 4


def _instance_norm(node: NodeProto, known: Known) -> bool:
    return _constant(1, 2)(node, known) and 3 <= known.ranks[node.input[0]] <= 5


def _pooling(node: NodeProto, known: Known) -> bool:
    """2D, without places of the maxima, without gaps."""
    found = _attributes(node)
    return (
        len(node.output) == 1
        and len(found['kernel_shape']) == 2
        and set(found.get('dilations', [1])) == {1}
    )


def _resizing(node: NodeProto, known: Known) -> bool:
    found = _attributes(node)
    return (
        found.get('mode', b'nearest') in (b'nearest', b'linear')
        and found.get('coordinate_transformation_mode', b'half_pixel') in TRANSFORMS
        and found.get('nearest_mode', b'round_prefer_floor') in ROUNDINGS
        and not found.get('antialias', 0)
    )


def _casting(node: NodeProto, known: Known) -> bool:
    """Bytes only at the boundary of the network."""
    bytes_in = known.types[node.input[0]] == TensorProto.UINT8
    bytes_out = _attributes(node)['to'] == TensorProto.UINT8
    return not bytes_out and (not bytes_in or node.input[0] in known.inputs)


LIMITS: dict[str, Callable[[NodeProto, Known], bool]] = {
    'Cast': _casting,
    'Conv': _convolution,
    'InstanceNormalization': _instance_norm,
    'MaxPool': _pooling,
    'ReduceMax': _constant(1),
    'ReduceSum': _constant(1),
    'Resize': _resizing,
    'Slice': _constant(3),
    'Squeeze': _constant(1),
    'Unsqueeze': _constant(1),
}


def _attributes(node: NodeProto) -> dict:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def refused(model: ModelProto) -> list[str]:
    """The operators that TensorRT would not read, or that we do not want, each with a reason."""
    known, found = Known.of(model), []
    for node in model.graph.node:
        allowed = TYPES.get(node.op_type) if node.domain == '' else None
        if node.op_type == 'Constant':
            continue
        if allowed is None:
            found.append(f'{node.op_type}: not on the list')
        elif known.types[node.input[0]] not in allowed:
            kind = TensorProto.DataType.Name(known.types[node.input[0]])
            found.append(f'{node.op_type}: of {kind}')
        elif node.op_type in LIMITS and not LIMITS[node.op_type](node, known):
            found.append(f'{node.op_type}: beyond its limits')
    return found
