# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The exported graph: its interface, what TensorRT needs, and that it says what torch says."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, shape_inference
from torch import nn

from selfdepth_ros.cli.main import main
from selfdepth_ros.core.config import to_dict
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference import load_engine
from selfdepth_training import export as export_module
from selfdepth_training.config import NetworkConfig, TrainConfig
from selfdepth_training.export import ExportError, export, store_weights_as_float16
from selfdepth_training.networks import DepthNetwork
from selfdepth_training.predict import TrainedNetwork

WIDTH, HEIGHT = 96, 64
MANIFEST = Manifest(
    name='tiny', width=WIDTH, height=HEIGHT, depth_kind='z_depth', min_depth_m=0.4,
    max_depth_m=130.0, cameras=('a', 'b'), has_confidence=True,
    training={'seed': 3, 'bags': ['x'], 'metrics': {}},
)  # fmt: skip
# What TensorRT builds without plugins, and fast. Not among them on purpose: GroupNormalization,
# InstanceNormalization, GridSample, Pad, DepthToSpace, ConvTranspose, Loop, If, NonZero.
FRIENDLY = {
    'Add', 'BatchNormalization', 'Cast', 'Clip', 'Concat', 'Conv', 'Div', 'Exp', 'Gather',
    'Identity', 'MaxPool', 'Mul', 'Neg', 'Reciprocal', 'ReduceMax', 'ReduceSum', 'Relu', 'Reshape',
    'Resize', 'Shape', 'Slice', 'Squeeze', 'Sub', 'Transpose', 'Unsqueeze',
}  # fmt: skip


def some_network(seed: int = 0) -> TrainedNetwork:
    """Random weights and statistics: depths from about 1 to 60 m."""
    torch.manual_seed(seed)
    network = DepthNetwork(
        NetworkConfig(encoder=(16, 16, 32, 64, 128), decoder=(8, 8, 16, 16)), 85.0
    )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.7, 1.4)
            nn.init.uniform_(module.bias, -0.3, 0.3)
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.6, 1.5)
    nn.init.normal_(network.head.weight, std=2.0)
    return TrainedNetwork(network.eval().to(memory_format=torch.channels_last), TrainConfig(), {})


@pytest.fixture(scope='module')
def trained() -> TrainedNetwork:
    return some_network()


@pytest.fixture(scope='module', params=['fp32', 'fp16'])
def exported(request, trained, tmp_path_factory) -> tuple[str, Path]:
    """Storage of the weights, and the folder of the model."""
    out = tmp_path_factory.mktemp(request.param) / 'model'
    path, difference = export(trained, out, MANIFEST, request.param)
    assert path == out / 'model.onnx'
    assert difference <= export_module.TOLERANCE[request.param]
    return request.param, out


@pytest.fixture(scope='module')
def graph(exported) -> ModelProto:
    """With the type and shape of every tensor in between."""
    return shape_inference.infer_shapes(onnx.load(exported[1] / 'model.onnx'), strict_mode=True)


def consumers(model: ModelProto, tensor: str) -> list[NodeProto]:
    return [node for node in model.graph.node if tensor in node.input]


def downstream(model: ModelProto, node: NodeProto) -> Iterator[NodeProto]:
    """The node and everything that depends on it, in order."""
    reached = set(node.output)
    for each in model.graph.node:
        if each == node or reached & set(each.input):
            reached |= set(each.output)
            yield each


def element_types(model: ModelProto) -> dict[str, int]:
    """Element type of every tensor: inputs, outputs, weights, and those in between."""
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {tensor.name: tensor.data_type for tensor in model.graph.initializer}


def attribute(node: NodeProto, name: str):
    found = [helper.get_attribute_value(a) for a in node.attribute if a.name == name]
    return found[0] if found else None


def test_the_interface_is_that_of_the_design(graph):
    def signature(values) -> dict[str, tuple]:
        return {
            v.name: (
                v.type.tensor_type.elem_type,
                [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim],
            )
            for v in values
        }

    inputs, outputs = signature(graph.graph.input), signature(graph.graph.output)
    (batch, *rest) = inputs['images'][1]
    assert isinstance(batch, str) and rest == [HEIGHT, WIDTH, 3]
    assert inputs == {
        'images': (TensorProto.UINT8, [batch, HEIGHT, WIDTH, 3]),
        'focal': (TensorProto.FLOAT, [batch]),
    }
    image = TensorProto.FLOAT, [batch, HEIGHT, WIDTH]
    assert outputs == {'depth': image, 'confidence': image}


def test_images_are_cast_and_then_transposed_and_nothing_else(graph):
    (cast,) = consumers(graph, 'images')
    assert cast.op_type == 'Cast'
    assert attribute(cast, 'to') == TensorProto.FLOAT
    (transpose,) = consumers(graph, cast.output[0])
    assert transpose.op_type == 'Transpose'
    assert list(attribute(transpose, 'perm')) == [0, 3, 1, 2]


def test_no_operator_is_hostile_to_tensorrt(graph):
    assert {node.op_type for node in graph.graph.node} <= FRIENDLY
    assert {node.domain for node in graph.graph.node} == {''}
    weights = {tensor.name: tensor for tensor in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type == 'Conv':
            name = node.input[1]
            casts = [n for n in graph.graph.node if n.output[0] == name]
            assert len(weights[casts[0].input[0] if casts else name].dims) == 4, (
                'no 3D convolution'
            )
        if node.op_type == 'Resize':
            assert attribute(node, 'mode') in (b'nearest', b'linear')


def head_of(model: ModelProto) -> NodeProto:
    """The convolution whose answers are likelihoods of depths."""
    (head,) = (node for node in model.graph.node if 'network.head.weight' in node.input)
    return head


def test_the_inverse_depth_head_stays_float32(exported, graph):
    """Its weights, and every tensor after it; an 8- or 16-bit logit is a step in depth."""
    types, head = element_types(graph), head_of(graph)
    weights = {tensor.name: tensor for tensor in graph.graph.initializer}
    assert weights[head.input[1]].dims[0] == NetworkConfig().intervals
    after = list(downstream(graph, head))
    assert {name for node in after for name in node.output} >= {'depth', 'confidence'}
    for node in after:
        for name in filter(None, (*node.input, *node.output)):
            assert types[name] in (TensorProto.FLOAT, TensorProto.INT64), (node.op_type, name)


def test_sixteen_bits_are_storage_only(exported, graph):
    """Every float16 tensor is a stored weight, widened at once; fp32 has none at all."""
    storage, _ = exported
    halves = {n for n, kind in element_types(graph).items() if kind == TensorProto.FLOAT16}
    assert halves <= {tensor.name for tensor in graph.graph.initializer}
    assert bool(halves) == (storage == 'fp16')
    for name in halves:
        (cast,) = consumers(graph, name)
        assert cast.op_type == 'Cast' and attribute(cast, 'to') == TensorProto.FLOAT


def test_the_weights_are_inside_the_one_file(exported):
    storage, out = exported
    assert sorted(f.name for f in out.iterdir()) == ['model.onnx', 'model.yaml']
    model = onnx.load(out / 'model.onnx', load_external_data=False)
    for tensor in model.graph.initializer:
        assert tensor.data_location == TensorProto.DEFAULT
        assert np.isfinite(numpy_helper.to_array(tensor).astype(float)).all()
    parameters = sum(p.numel() for p in some_network().network.parameters())
    size = (out / 'model.onnx').stat().st_size
    assert size < (2.3 if storage == 'fp16' else 4.3) * parameters + 100_000


def test_the_manifest_beside_the_model_is_the_one_inside_but_for_the_hash(exported):
    out = exported[1]
    beside = Manifest.load(out / 'model.yaml')
    beside.check_file(out / 'model.onnx')
    metadata = {p.key: p.value for p in onnx.load(out / 'model.onnx').metadata_props}
    inside = Manifest.from_json(metadata['selfdepth_manifest'])
    assert inside.onnx_sha256 == ''
    assert to_dict(replace(beside, onnx_sha256='')) == to_dict(inside) == to_dict(MANIFEST)


@pytest.mark.parametrize('batch', [1, 3, 6])
def test_the_runtime_s_engine_says_what_torch_says(exported, trained, batch):
    storage, out = exported
    engine = load_engine(out, threads=1)
    rng = np.random.default_rng(batch)
    coarse = rng.integers(0, 256, (batch, 8, 12, 3), dtype=np.uint8)
    images = coarse.repeat(8, 1).repeat(8, 2)
    focal = rng.uniform(60, 200, batch).astype(np.float32)
    found, said = engine.infer(images, focal), trained.infer(images, focal)
    assert found.depth.shape == found.confidence.shape == (batch, HEIGHT, WIDTH)
    assert said.depth.std() > 0.3 and said.confidence.std() > 0.01, 'it says something'
    assert np.abs(found.depth / said.depth - 1).max() < export_module.TOLERANCE[storage]
    assert np.abs(found.confidence - said.confidence).max() < export_module.TOLERANCE[storage]


def test_images_of_a_batch_do_not_see_each_other(exported):
    engine = load_engine(exported[1], threads=1)
    rng = np.random.default_rng(9)
    images = rng.integers(0, 256, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)
    focal = np.array([70, 90, 120], np.float32)
    together = engine.infer(images, focal).depth
    alone = np.concatenate(
        [engine.infer(images[i : i + 1], focal[i : i + 1]).depth for i in range(3)]
    )
    assert np.allclose(together, alone, rtol=1e-4)


def test_depth_grows_with_the_focal_length(exported):
    engine = load_engine(exported[1], threads=1)
    image = np.full((1, HEIGHT, WIDTH, 3), 90, np.uint8)
    once, twice = (engine.infer(image, np.array([f], np.float32)).depth for f in (80, 160))
    assert np.allclose(twice, 2 * once, rtol=1e-5)


@pytest.fixture
def prebuilt(exported, monkeypatch) -> str:
    """Storage of the weights; `export` then takes the graph that was made already."""
    storage, out = exported
    monkeypatch.setattr(
        export_module, '_to_onnx', lambda network, path, _: shutil.copy(out / 'model.onnx', path)
    )
    return storage


@pytest.mark.parametrize('bias', [3.0, float('nan')], ids=['another', 'nan'])
def test_a_graph_that_disagrees_with_torch_is_not_written(prebuilt, tmp_path, bias):
    """A graph of other weights; and a torch that says NaN, which is on no side of a tolerance."""
    other = some_network()
    with torch.no_grad():
        other.network.head.bias[0] += bias  # of one interval: all of them would change nothing
    with pytest.raises(ExportError, match='differ from torch by .* Nothing was written'):
        export(other, tmp_path / 'out', MANIFEST, prebuilt)
    assert not (tmp_path / 'out').exists()


def test_a_place_that_cannot_be_written_is_one_clear_error(prebuilt, trained, tmp_path):
    (tmp_path / 'file').write_text('not a folder')
    with pytest.raises(ExportError, match='cannot be written'):
        export(trained, tmp_path / 'file' / 'out', MANIFEST, prebuilt)


def test_weights_that_float16_does_not_have_stay_float32():
    values = {
        'small.weight': np.ones((3, 3)),
        'large.weight': np.ones((16, 16)),
        'huge.weight': np.full((16, 16), 1e6),
        'network.head.weight': np.ones((16, 16)),
    }
    model = helper.make_model(helper.make_graph([], 'weights', [], []))
    model.graph.initializer.extend(
        numpy_helper.from_array(v.astype(np.float32), k) for k, v in values.items()
    )
    store_weights_as_float16(model)
    halves = [t.name for t in model.graph.initializer if t.data_type == TensorProto.FLOAT16]
    assert halves == ['large.weight_fp16']
    (cast,) = model.graph.node
    assert (list(cast.input), list(cast.output)) == (halves, ['large.weight'])


def test_the_file_does_not_tell_where_it_was_made(exported):
    # The exporter notes the stack, with full paths, on every node.
    _, out = exported
    content = (out / 'model.onnx').read_bytes()
    assert str(Path(export_module.__file__).parent).encode() not in content
    assert b'.py' not in content


@pytest.mark.parametrize('content', [None, b'{"abs_rel"', b'\xff'])
def test_metrics_that_cannot_be_read_are_one_clear_error(tmp_path, capsys, content):
    """Before the work, which takes minutes with --calibrate."""
    file = tmp_path / 'scores.json'
    if content is not None:
        file.write_bytes(content)
    assert main(['export', 'a training', str(tmp_path / 'out'), '--metrics', str(file)]) == 2
    assert f'--metrics: found that {file} cannot be read' in capsys.readouterr().err
