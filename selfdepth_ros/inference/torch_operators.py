# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Operators of ONNX (opset 18) in torch: those that `selfdepth export` writes.

A maker takes a node's attributes and those of its inputs that are constants, and returns what is
called with the node's inputs. What a node asks for and torch does not do is refused when the graph
is loaded, not guessed. https://onnx.ai/onnx/operators
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from selfdepth_ros.inference.engine import EngineError

Tensor = Any
Attributes = Mapping[str, Any]
Constants = Sequence['np.ndarray | None']
Function = Callable[..., Tensor]
_FLOAT, _FLOAT16 = 1, 10
"""Numbers of TensorProto.DataType."""


def require(true: bool, found: str) -> None:
    """Refuse what is not done here. Raises EngineError."""
    if not true:
        raise EngineError(
            f'the torch backend does not do {found}; it runs what '
            '`selfdepth export` writes: use the backend onnx for this model'
        )


def _integers(constants: Constants, index: int, what: str) -> list[int]:
    """A constant input as integers; it must be one."""
    value = constants[index] if index < len(constants) else None
    require(value is not None, f'{what} that are computed or left out')
    return np.atleast_1d(np.asarray(value)).tolist()


def _number(constants: Constants, index: int) -> float | None:
    """A constant input as a number; None where it is left out."""
    value = constants[index] if index < len(constants) else None
    return None if value is None else float(np.asarray(value).reshape(()))


def _plain(function: Function) -> Callable[[Attributes, Constants], Function]:
    """An operator that needs nothing but its inputs."""
    return lambda attributes, constants: function


def _cast(attributes: Attributes, constants: Constants) -> Function:
    require(attributes['to'] in (_FLOAT, _FLOAT16), f'Cast to type {attributes["to"]}')
    return (lambda x: x.float()) if attributes['to'] == _FLOAT else (lambda x: x.half())


def _transpose(attributes: Attributes, constants: Constants) -> Function:
    order = attributes['perm']
    return lambda x: x.permute(order)


def _concat(attributes: Attributes, constants: Constants) -> Function:
    from torch import cat

    axis = attributes['axis']
    return lambda *parts: cat(parts, axis)


def _softmax(attributes: Attributes, constants: Constants) -> Function:
    axis = attributes.get('axis', -1)
    return lambda x: x.softmax(axis)


def _clip(attributes: Attributes, constants: Constants) -> Function:
    low, high = _number(constants, 1), _number(constants, 2)
    return lambda x, *_: x.clamp(low, high)


def _reshape(attributes: Attributes, constants: Constants) -> Function:
    """The shape may be computed, as behind a group normalization."""
    fixed = None if constants[1] is None else _integers(constants, 1, 'shapes')
    as_it_was = not attributes.get('allowzero', 0)

    def reshaped(x: Tensor, shape: Tensor) -> Tensor:
        sides = shape.tolist() if fixed is None else fixed
        if as_it_was:
            sides = [side or x.shape[place] for place, side in enumerate(sides)]
        return x.reshape(sides)

    return reshaped


def _shape(attributes: Attributes, constants: Constants) -> Function:
    from torch import tensor

    first, end = attributes.get('start', 0), attributes.get('end')
    return lambda x: tensor(x.shape[first:end])


def _unsqueeze(attributes: Attributes, constants: Constants) -> Function:
    axes = sorted(_integers(constants, 1, 'axes'))
    require(len(axes) == 1 or axes[0] >= 0, f'Unsqueeze along {axes}')
    return lambda x, _: reduce(lambda y, axis: y.unsqueeze(axis), axes, x)


def _squeeze(attributes: Attributes, constants: Constants) -> Function:
    axes = tuple(_integers(constants, 1, 'axes'))
    return lambda x, _: x.squeeze(axes)


def _gather(attributes: Attributes, constants: Constants) -> Function:
    axis, index = attributes.get('axis', 0), _integers(constants, 1, 'indices')
    require(np.ndim(constants[1]) == 0, 'Gather of several places')  # type: ignore[arg-type]
    return lambda x, _: x.select(axis, index[0])


def _slice(attributes: Attributes, constants: Constants) -> Function:
    starts, ends, axes = (_integers(constants, i, 'slices') for i in (1, 2, 3))
    steps = _integers(constants, 4, 'slices') if len(constants) > 4 else [1] * len(axes)
    require(len(axes) == 1 and steps == [1] and axes[0] >= 0, 'Slice along several axes, or steps')
    place = (*[slice(None)] * axes[0], slice(starts[0], ends[0]))
    return lambda x, *_: x[place]


def _reduce(
    reduced: Callable[[Tensor, list[int], bool], Tensor],
) -> Callable[[Attributes, Constants], Function]:
    def make(attributes: Attributes, constants: Constants) -> Function:
        axes, keep = _integers(constants, 1, 'axes'), bool(attributes.get('keepdims', 1))
        return lambda x, _: reduced(x, axes, keep)

    return make


def _symmetric(attributes: Attributes, kind: str) -> tuple[int, ...]:
    """Padding at each side of height and width, alike at both ends."""
    pads = attributes.get('pads', [0, 0, 0, 0])
    automatic = attributes.get('auto_pad', b'NOTSET')
    require(
        automatic == b'NOTSET' and len(pads) == 4 and pads[:2] == pads[2:],
        f'{kind} with the pads {pads}, {automatic!r}',
    )
    return tuple(pads[:2])


def _conv(attributes: Attributes, constants: Constants) -> Function:
    from torch.nn.functional import conv2d

    padding = _symmetric(attributes, 'Conv')
    stride = tuple(attributes.get('strides', [1, 1]))
    dilation = tuple(attributes.get('dilations', [1, 1]))
    groups = attributes.get('group', 1)
    return lambda x, weight, bias=None: conv2d(x, weight, bias, stride, padding, dilation, groups)


def _max_pool(attributes: Attributes, constants: Constants) -> Function:
    from torch.nn.functional import max_pool2d

    padding = _symmetric(attributes, 'MaxPool')
    require(not attributes.get('ceil_mode', 0), 'MaxPool with ceil_mode')
    size, stride = attributes['kernel_shape'], attributes.get('strides', [1, 1])
    dilation = attributes.get('dilations', [1, 1])
    return lambda x: max_pool2d(x, size, stride, padding, dilation)


_RESIZES: Mapping[tuple[bytes, bytes, bytes], Mapping[str, Any]] = {
    (b'nearest', b'asymmetric', b'floor'): {'mode': 'nearest'},
    (b'linear', b'half_pixel', b''): {'mode': 'bilinear', 'align_corners': False},
}
"""Mode, where pixels lie, how these are rounded -> arguments of torch's interpolate."""


def _resize(attributes: Attributes, constants: Constants) -> Function:
    from torch.nn.functional import interpolate

    mode = attributes.get('mode', b'nearest')
    where = attributes.get('coordinate_transformation_mode', b'half_pixel')
    rounding = attributes.get('nearest_mode', b'round_prefer_floor') if mode == b'nearest' else b''
    require((mode, where, rounding) in _RESIZES, f'Resize with {mode!r}, {where!r}, {rounding!r}')
    require(not attributes.get('antialias', 0), 'Resize with antialias')
    scales = constants[2] if len(constants) > 2 else None
    found = [] if scales is None else np.asarray(scales).tolist()
    require(len(found) == 4 and found[:2] == [1, 1], f'Resize with the scales {found}')
    arguments, factors = _RESIZES[mode, where, rounding], tuple(found[2:])
    return lambda x, *_: interpolate(x, scale_factor=factors, **arguments)


def _elu(attributes: Attributes, constants: Constants) -> Function:
    from torch.nn.functional import elu

    alpha = attributes.get('alpha', 1.0)
    return lambda x: elu(x, alpha)


def _instance_normalization(attributes: Attributes, constants: Constants) -> Function:
    from torch.nn.functional import instance_norm

    epsilon = attributes.get('epsilon', 1e-5)
    return lambda x, scale, bias: instance_norm(x, weight=scale, bias=bias, eps=epsilon)


OPERATORS: Mapping[str, Callable[[Attributes, Constants], Function]] = {
    'Add': _plain(lambda x, y: x + y),
    'Cast': _cast,
    'Clip': _clip,
    'Concat': _concat,
    'Conv': _conv,
    'Div': _plain(lambda x, y: x / y),
    'Elu': _elu,
    'Exp': _plain(lambda x: x.exp()),
    'Gather': _gather,
    'Identity': _plain(lambda x: x),
    'InstanceNormalization': _instance_normalization,
    'Log': _plain(lambda x: x.log()),
    'MatMul': _plain(lambda x, y: x @ y),
    'MaxPool': _max_pool,
    'Mul': _plain(lambda x, y: x * y),
    'Neg': _plain(lambda x: -x),
    'Reciprocal': _plain(lambda x: x.reciprocal()),
    'ReduceMax': _reduce(lambda x, axes, keep: x.amax(axes, keep)),
    'ReduceMean': _reduce(lambda x, axes, keep: x.mean(axes, keep)),
    'ReduceSum': _reduce(lambda x, axes, keep: x.sum(axes, keep)),
    'Relu': _plain(lambda x: x.relu()),
    'Reshape': _reshape,
    'Resize': _resize,
    'Shape': _shape,
    'Sigmoid': _plain(lambda x: x.sigmoid()),
    'Slice': _slice,
    'Softmax': _softmax,
    'Sqrt': _plain(lambda x: x.sqrt()),
    'Squeeze': _squeeze,
    'Sub': _plain(lambda x, y: x - y),
    'Transpose': _transpose,
    'Unsqueeze': _unsqueeze,
}
"""ONNX's name -> maker."""
