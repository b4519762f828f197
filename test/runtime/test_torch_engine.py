# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The backend torch says what ONNX Runtime says, and refuses what it would say otherwise."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from other_device import OTHER

from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.inference import DepthEngine, DeviceEngine, EngineError, load_engine
from selfdepth_ros.inference import torch_operators as operators
from selfdepth_ros.inference.graph import read_model
from selfdepth_ros.inference.precision import to_fp16
from selfdepth_ros.inference.self_check import check_images, compare
from selfdepth_ros.inference.torch_engine import TorchDeviceEngine, TorchEngine
from selfdepth_ros.inference.torch_graph import TorchGraph
from selfdepth_ros.pipeline import SurroundDepth
from selfdepth_ros.shipped import shipped

RNG = np.random.default_rng(0)
FLOATS = TensorProto.FLOAT


def on_the_host(path: Path) -> TorchEngine:
    engine = load_engine(path, 'torch', threads=1)
    assert isinstance(engine, TorchEngine)
    return engine


def test_the_shipped_model_says_the_same(tmp_path):
    """But for single pixels: between two depths that are equally likely the last digit decides."""
    reference = load_engine(shipped('model.onnx'), 'onnx', threads=1)
    engine = on_the_host(shipped('model.onnx'))
    assert isinstance(engine, DepthEngine)
    assert engine.manifest == reference.manifest
    images, focal = check_images(engine.manifest, 2)
    ours, theirs = engine.infer(images, focal), reference.infer(images, focal)
    apart = np.abs(ours.depth / theirs.depth - 1)
    assert np.percentile(apart, 99) < 1e-4
    assert apart.max() < 0.03
    assert np.abs(ours.confidence - theirs.confidence).max() < 0.01
    assert ours.depth.dtype == ours.confidence.dtype == np.float32


def test_its_fp16_variant_runs_too(tmp_path):
    source = shipped('model.onnx')
    path = tmp_path / 'model.onnx'
    to_fp16(source, load_engine(source).manifest, path)
    engine = on_the_host(path)
    agreement = compare(engine, load_engine(path), *check_images(engine.manifest, 1))
    assert agreement.mean < 0.005


@pytest.mark.parametrize('count', [1, 2, 6])
def test_any_batch(write_model, count):
    engine = on_the_host(write_model(confidence=True, manifest={'has_confidence': True}))
    images = RNG.integers(0, 256, (count, 24, 32, 3), dtype=np.uint8)
    focal = np.linspace(20, 40, count)
    found = engine.infer(images[:, :, ::-1], focal)
    bright = images[:, :, ::-1].mean(axis=-1) / 255
    np.testing.assert_allclose(found.depth, focal[:, None, None] * (1 + bright) / 10, rtol=1e-5)
    np.testing.assert_allclose(found.confidence, bright, rtol=1e-5)
    kept = found.depth.copy()
    engine.infer(255 - images, focal)
    np.testing.assert_array_equal(found.depth, kept)
    found.depth[:] = 0  # it is the caller's


def test_a_model_and_a_manifest_that_are_not_of_one_export(write_model):
    path = write_model()
    model = onnx.load(path)
    model.doc_string = 'changed after the export'
    onnx.save(model, path)
    with pytest.raises(EngineError, match='SHA-256'):
        load_engine(path, 'torch')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'image_type': FLOATS}, r'images: tensor\(float\).*expected images: tensor\(uint8'),
        ({'depth_name': 'disparity'}, 'outputs disparity: .*expected depth: '),
        ({'size': (24, 64)}, r'its manifest says \(N, 24, 32, 3\)'),
        ({'embed': False, 'beside': False}, r'neither model\.yaml beside it nor selfdepth_man'),
    ],
)
def test_another_interface(write_model, options, message):
    with pytest.raises(EngineError, match=message):
        load_engine(write_model(**options), 'torch')


def test_an_engine_that_says_something_else_is_not_used(write_model, monkeypatch):
    wrong = {**operators.OPERATORS, 'Mul': operators.OPERATORS['Add']}
    monkeypatch.setattr('selfdepth_ros.inference.torch_graph.OPERATORS', wrong)
    with pytest.raises(EngineError, match='in torch differs from the model in ONNX Runtime'):
        load_engine(write_model(), 'torch')


@pytest.mark.parametrize('missing', ['torch', 'onnx'])
def test_what_is_not_installed_is_named_and_the_backend_onnx_runs_without(write_model, missing):
    code = (
        f'import sys; sys.modules[{missing!r}] = None\n'
        'from selfdepth_ros.inference import EngineError, load_engine\n'
        'try:\n    load_engine(sys.argv[1], "torch")\n'
        'except EngineError as error:\n    print(error)\n'
        'print(load_engine(sys.argv[1], "onnx").manifest.name)\n'
    )
    command = [sys.executable, '-c', code, str(write_model())]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    told, name = result.stdout.splitlines()
    assert f'{missing} is not installed' in told
    assert re.search('the torch backend .*needs? it: pip install', told)
    assert 'the backend onnx' in told and name == 'luminance'


@pytest.mark.parametrize('memory', ['cpu', OTHER.type])
def test_images_to_cloud_where_depths_stay_on_the_device(write_model, rig, memory):
    """On stand-ins for a GPU: all but streams is the same code."""
    path = write_model()
    engine = TorchDeviceEngine(read_model(path).graph, on_the_host(path).manifest, memory)
    assert isinstance(engine, DeviceEngine)
    images = tuple(RNG.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(2))
    frame = SurroundFrame(5, images, (5, 5))
    found = SurroundDepth(engine, rig)(frame)
    expected = SurroundDepth(load_engine(path), rig)(frame)
    assert isinstance(found.maps.depth, torch.Tensor)
    np.testing.assert_allclose(found.depths, expected.depths, 1e-6)
    np.testing.assert_allclose(found.cloud.points, expected.cloud.points, 1e-5, 1e-5)
    assert len(found.cloud.points)


@pytest.mark.parametrize('memory', [OTHER.type])
def test_nothing_of_the_shipped_model_is_left_on_the_host(memory):
    reference = load_engine(shipped('model.onnx'), 'onnx', threads=1)
    engine = TorchEngine(read_model(shipped('model.onnx')).graph, reference.manifest, memory)
    agreement = compare(engine, reference, *check_images(engine.manifest, 1))
    assert agreement.mean < 1e-4


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA GPU')
def test_on_cuda_the_shipped_model_says_the_same():
    engine = load_engine(shipped('model.onnx'), 'torch')
    assert isinstance(engine, DeviceEngine) and engine.memory == 'cuda'
    reference = load_engine(shipped('model.onnx'), 'onnx')
    agreement = compare(engine, reference, *check_images(engine.manifest, 6))
    assert agreement.mean < 0.003 and agreement.p99 < 0.02


def model_of(kind: str, inputs: list, given: tuple[int, ...] = (2, 4, 6, 8), **attributes):
    """One node with a float input x and constants, from x to y."""
    constants = {f'c{i}': np.asarray(v) for i, v in enumerate(inputs) if v is not None}
    names = ['x', *('' if v is None else f'c{i}' for i, v in enumerate(inputs))]
    graph = helper.make_graph(
        [helper.make_node(kind, names, ['y'], **attributes)], 'one',
        [helper.make_tensor_value_info('x', FLOATS, given)],
        [helper.make_tensor_value_info('y', FLOATS, None)],
        [onnx.numpy_helper.from_array(v, k) for k, v in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)


def random(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


HALF = {'mode': 'linear', 'coordinate_transformation_mode': 'half_pixel'}
FLOOR = {
    'mode': 'nearest', 'coordinate_transformation_mode': 'asymmetric', 'nearest_mode': 'floor',
}  # fmt: skip
SCALES = np.array([1, 1, 2, 3], np.float32)
CASES = [
    *[(kind, [random(1, 4, 1, 8)], {}) for kind in ('Add', 'Sub', 'Mul', 'Div')],
    *[(kind, [], {}) for kind in ('Exp', 'Identity', 'Reciprocal', 'Relu', 'Sigmoid', 'Softmax')],
    *[(f'Reduce{kind}', [whole(1, -1)], {'keepdims': k})
      for kind in ('Max', 'Mean', 'Sum') for k in (0, 1)],
    *[(kind, [], {}) for kind in ('Elu', 'Log', 'Neg', 'Sqrt')],
    ('Elu', [], {'alpha': 0.5}),
    ('InstanceNormalization', [random(4), random(4)], {'epsilon': 0.1}),
    ('Softmax', [], {'axis': 1}),
    ('Cast', [], {'to': FLOATS}),
    ('Clip', [np.float32(-0.5), np.float32(0.25)], {}),
    ('Clip', [None, np.float32(0.25)], {}),
    ('Clip', [np.float32(0.25)], {}),
    ('Concat', [random(2, 3, 6, 8)], {'axis': 1}),
    ('Conv', [random(5, 4, 3, 3)], {}),
    ('Conv', [random(5, 4, 3, 3), random(5)], {'pads': [1, 1, 1, 1], 'strides': [2, 2]}),
    ('Conv', [random(8, 2, 3, 3), random(8)],
     {'pads': [2, 3, 2, 3], 'dilations': [2, 3], 'group': 2}),
    ('Gather', [np.int64(-1)], {'axis': 1}),
    ('MatMul', [random(2, 4, 8, 3)], {}),
    ('MaxPool', [], {'kernel_shape': [3, 3], 'pads': [1, 1, 1, 1], 'strides': [2, 2]}),
    ('MaxPool', [], {'kernel_shape': [2, 2]}),
    ('Reshape', [whole(-1, 2, 2, 48)], {}),
    ('Reshape', [whole(0, 2, -1)], {}),
    ('Resize', [None, SCALES], FLOOR),
    ('Resize', [None, SCALES], HALF),
    ('Slice', [whole(1), whole(-1), whole(2)], {}),
    ('Slice', [whole(-3), whole(2**40), whole(1), whole(1)], {}),
    ('Transpose', [], {'perm': [0, 3, 1, 2]}),
    ('Unsqueeze', [whole(2, 1)], {}),
    ('Unsqueeze', [whole(-1)], {}),
]  # fmt: skip


@pytest.mark.parametrize(('kind', 'inputs', 'attributes'), CASES)
def test_every_operator_says_what_onnx_runtime_says(kind, inputs, attributes):
    model = model_of(kind, inputs, **attributes)
    x = random(2, 4, 6, 8)
    x = np.abs(x) + 0.1 if kind in ('Log', 'Sqrt', 'Reciprocal') else x
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (expected,) = session.run(None, {'x': x})
    found = TorchGraph(model.graph, 'cpu').run({'x': torch.from_numpy(x)})['y'].numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, 1e-5, 1e-5)


def test_a_shape_may_be_computed():
    """As behind a group normalization of a batch of any size."""
    x = random(2, 4, 6, 8)
    inputs = [helper.make_tensor_value_info('x', FLOATS, x.shape)]
    graph = helper.make_graph(
        [
            helper.make_node('Shape', ['x'], ['shape']),
            helper.make_node('Shape', ['x'], ['most'], start=1, end=-1),
            helper.make_node('Concat', ['one', 'most', 'rest'], ['flat'], axis=0),
            helper.make_node('Reshape', ['x', 'flat'], ['z']),
            helper.make_node('Reshape', ['z', 'shape'], ['y']),
        ],
        'shapes', inputs, [helper.make_tensor_value_info('y', FLOATS, None)],
        [onnx.numpy_helper.from_array(whole(value), name)
         for name, value in (('one', 1), ('rest', -1))],
    )  # fmt: skip
    found = TorchGraph(graph, 'cpu').run({'x': torch.from_numpy(x)})
    np.testing.assert_array_equal(found['y'].numpy(), x)


def test_squeeze_and_every_operator_is_among_the_cases():
    model = model_of('Squeeze', [whole(1)], given=(2, 1, 6))
    x = random(2, 1, 6)
    found = TorchGraph(model.graph, 'cpu').run({'x': torch.from_numpy(x)})['y'].numpy()
    np.testing.assert_array_equal(found, x[:, 0])
    assert {kind for kind, *_ in CASES} | {'Shape', 'Squeeze'} == set(operators.OPERATORS)


@pytest.mark.parametrize(
    ('kind', 'inputs', 'attributes', 'words'),
    [
        ('Erf', [], {}, 'the operator Erf'),
        ('QuantizeLinear', [np.float32(0.1), np.uint8(0)], {}, 'the operator QuantizeLinear'),
        ('Cast', [], {'to': TensorProto.INT32}, 'Cast to type 6'),
        ('Conv', [random(5, 4, 3, 3)], {'pads': [0, 0, 1, 1]}, r'Conv with the pads \[0, 0, 1'),
        ('Conv', [random(5, 4, 3, 3)], {'auto_pad': 'SAME_UPPER'}, 'SAME_UPPER'),
        ('MaxPool', [], {'kernel_shape': [2, 2], 'ceil_mode': 1}, 'ceil_mode'),
        ('Gather', [whole(0, 1)], {'axis': 1}, 'several places'),
        ('Resize', [None, SCALES], {**FLOOR, 'nearest_mode': 'ceil'}, 'ceil'),
        ('Resize', [None, SCALES], {'mode': 'cubic'}, 'cubic'),
        ('Resize', [None, SCALES], {**HALF, 'antialias': 1}, 'antialias'),
        ('Resize', [None, SCALES[::-1]], HALF, 'the scales'),
        ('ReduceSum', [], {}, 'axes that are computed or left out'),
        ('Slice', [whole(0), whole(4), whole(1), whole(2)], {}, 'steps'),
        ('Unsqueeze', [whole(-1, 0)], {}, 'Unsqueeze along'),
    ],
)
def test_what_torch_would_do_otherwise_is_refused(kind, inputs, attributes, words):
    model = model_of(kind, inputs, **attributes)
    with pytest.raises(EngineError, match=f'torch backend does not do.*{words}.*backend onnx'):
        TorchGraph(model.graph, 'cpu')
