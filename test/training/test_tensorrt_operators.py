# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The check of exported operators refuses what TensorRT does; test_every_recipe.py applies it."""

import re

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from tensorrt_operators import refused


def graph_of(
    operator: str, shape: tuple[int, ...], weights: list[np.ndarray], kind=TensorProto.FLOAT,
    out: int = TensorProto.FLOAT, **attributes,
) -> ModelProto:  # fmt: skip
    """One operator, of one input and some constants."""
    constants = [numpy_helper.from_array(w, f'w{i}') for i, w in enumerate(weights)]
    node = helper.make_node(operator, ['x', *(c.name for c in constants)], ['y'], **attributes)
    x, y = helper.make_tensor_value_info('x', kind, shape), helper.ValueInfoProto(name='y')
    y.type.tensor_type.elem_type = out
    opsets = [helper.make_opsetid('', 18)]
    return helper.make_model(
        helper.make_graph([node], 'g', [x], [y], constants), opset_imports=opsets
    )


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


IMAGE, VOLUME = (1, 4, 8, 8), (1, 1, 4, 8, 8)
DOUBLED = [np.zeros(0, np.float32), np.array([1, 1, 2, 2], np.float32)]


@pytest.mark.parametrize(('model', 'reason'), [
    (graph_of('Conv', IMAGE, [ones(2, 4, 3, 3)]), None),
    (graph_of('Conv', VOLUME, [ones(2, 1, 3, 3, 3)]), 'Conv: beyond'),
    (graph_of('InstanceNormalization', (1, 2, 9), [ones(2), ones(2)]), None),
    (graph_of('GroupNormalization', IMAGE, [ones(2), ones(2)], num_groups=2), 'GroupNorm.*list'),
    (graph_of('DepthToSpace', IMAGE, [], blocksize=2), 'DepthToSpace: not on the list'),
    (graph_of('Elu', IMAGE, []), None),
    (graph_of('Elu', IMAGE, [], TensorProto.DOUBLE, TensorProto.DOUBLE), 'Elu: of DOUBLE'),
    (graph_of('MaxPool', IMAGE, [], kernel_shape=[2, 2]), None),
    (graph_of('MaxPool', IMAGE, [], kernel_shape=[2, 2], dilations=[2, 2]), 'MaxPool: beyond'),
    (graph_of('Resize', IMAGE, DOUBLED, mode='linear'), None),
    (graph_of('Resize', IMAGE, DOUBLED, mode='cubic'), 'Resize: beyond'),
    (graph_of('Cast', IMAGE, [], TensorProto.UINT8, to=TensorProto.FLOAT), None),
    (graph_of('Cast', IMAGE, [], out=TensorProto.UINT8, to=TensorProto.UINT8), 'Cast: beyond'),
])  # fmt: skip
def test_it_refuses_what_tensorrt_does(model, reason):
    found = refused(model)
    if reason is None:
        assert found == []
    else:
        (said,) = found
        assert re.match(reason, said)


def test_what_is_not_known_when_the_engine_is_built_is_refused():
    nodes = [
        helper.make_node('Exp', ['scale'], ['computed']),
        helper.make_node('InstanceNormalization', ['x', 'computed', 'scale'], ['y']),
    ]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (('x', (1, 2, 9)), ('scale', (2,)), ('y', (1, 2, 9)))
    ]
    graph = helper.make_graph(nodes, 'g', values[:2], values[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)])
    assert refused(model) == ['InstanceNormalization: beyond its limits']
