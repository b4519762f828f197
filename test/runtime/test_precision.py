# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Variants in 16 and 8 bits: they run, say what the model says, and spare the head."""

from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from selfdepth_ros.cli.images import batches
from selfdepth_ros.cli.main import main
from selfdepth_ros.core.manifest import Manifest, file_sha256
from selfdepth_ros.inference import EngineError, graph, load_engine
from selfdepth_ros.inference.precision import to_fp16, to_int8
from selfdepth_ros.inference.self_check import VARIANT, check_images, compare, require
from selfdepth_ros.shipped import DEMO_SEED, shipped
from selfdepth_ros.synthetic import StreetRenderer, StreetWorld, street_rig
from selfdepth_ros.synthetic.synth import write_bag

HEIGHT, WIDTH = 32, 48
HEAD = ('head', 'sigmoid', 'grown', 'shifted', 'by_focal', 'picked', 'depth')


def network(head_bias=0.0, weight=1.0):
    """Encoder, nearest up-sampling, skip connection, head: what the exporter writes, in small."""
    rng = np.random.default_rng(1)

    def conv(name, outputs, inputs):
        return rng.normal(0, weight / np.sqrt(9 * inputs), (outputs, inputs, 3, 3)).astype('f4')

    weights = {
        'scale': np.float32(1 / 255),
        'first.weight': conv('first', 8, 3),
        'second.weight': conv('second', 8, 8),
        'network.head.weight': conv('head', 1, 16),
        'network.head.bias': np.array([head_bias], 'f4'),
        'scales': np.array([1, 1, 2, 2], 'f4'),
        'range': np.float32(0.5),
        'least': np.float32(0.02),
        'column': np.array([-1, 1, 1, 1], 'i8'),
        'zero': np.array(0, 'i8'),
    }
    same = {'kernel_shape': [3, 3], 'pads': [1, 1, 1, 1]}
    layers = [
        ('Cast', ['images'], 'float', {'to': TensorProto.FLOAT}),
        ('Transpose', ['float'], 'planes', {'perm': [0, 3, 1, 2]}),
        ('Mul', ['planes', 'scale'], 'normal', {}),
        ('Conv', ['normal', 'first.weight'], 'one', same),
        ('Relu', ['one'], 'skip', {}),
        ('MaxPool', ['skip'], 'half', {'kernel_shape': [2, 2], 'strides': [2, 2]}),
        ('Conv', ['half', 'second.weight'], 'two', same),
        ('Relu', ['two'], 'deep', {}),
        ('Resize', ['deep', '', 'scales'], 'up', {'mode': 'nearest'}),
        ('Concat', ['up', 'skip'], 'both', {'axis': 1}),
        ('Conv', ['both', 'network.head.weight', 'network.head.bias'], 'head', same),
        ('Sigmoid', ['head'], 'sigmoid', {}),
        ('Mul', ['sigmoid', 'range'], 'grown', {}),
        ('Add', ['grown', 'least'], 'shifted', {}),
        ('Reshape', ['focal', 'column'], 'focals', {}),
        ('Div', ['focals', 'shifted'], 'by_focal', {}),
        ('Gather', ['by_focal', 'zero'], 'picked', {'axis': 1}),
        ('Identity', ['picked'], 'depth', {}),
    ]
    return helper.make_model(
        helper.make_graph(
            [helper.make_node(op, i, [o], name=o, **a) for op, i, o, a in layers],
            'small',
            [
                helper.make_tensor_value_info(
                    'images', TensorProto.UINT8, ['n', HEIGHT, WIDTH, 3]
                ),
                helper.make_tensor_value_info('focal', TensorProto.FLOAT, ['n']),
            ],
            [helper.make_tensor_value_info('depth', TensorProto.FLOAT, ['n', HEIGHT, WIDTH])],
            [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()],
        ),
        opset_imports=[helper.make_opsetid('', 18)],
        ir_version=9,
    )


MANIFEST = Manifest('small', WIDTH, HEIGHT, 'z_depth', 0.1, 5000.0, ('a', 'b'))


@pytest.fixture
def source(tmp_path):
    return save(network(), tmp_path / 'parent')


def save(model, folder):
    folder.mkdir(exist_ok=True)
    path = folder / 'model.onnx'
    onnx.save(model, path)
    replace(MANIFEST, onnx_sha256=file_sha256(path)).save(folder / 'model.yaml')
    return path


def manifest_of(path):
    return Manifest.load(path.with_suffix('.yaml'))


def images(count=8):
    stack, focal = check_images(MANIFEST, count)
    return [(stack[i : i + 1], focal[i : i + 1]) for i in range(count)]


def types_of(path):
    """Result -> its type, and layer -> the types of its inputs."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True)
    kinds = {v.name: v.type.tensor_type.elem_type for v in (*model.graph.value_info,
             *model.graph.output)}  # fmt: skip
    return kinds, model.graph


def test_the_body_lies_between_the_cast_and_the_head():
    inside = graph.body(network().graph)
    names = {'planes', 'normal', 'one', 'skip', 'half', 'two', 'deep', 'up', 'both'}
    assert inside == names


def test_without_a_name_the_head_begins_at_the_last_learned_layer():
    model = network()
    for node in model.graph.node:
        node.input[:] = [name.replace('.head.', '.last.') for name in node.input]
    assert graph.body(model.graph) == graph.body(network().graph)


def test_a_graph_without_learned_layers_has_no_variant(write_model, tmp_path):
    path = write_model()
    with pytest.raises(EngineError, match='no learned layer'):
        to_fp16(path, manifest_of(path), tmp_path / 'fp16' / 'model.onnx')


def test_fp16_says_what_the_model_says_in_16_bits(source, tmp_path):
    path = tmp_path / 'fp16' / 'model.onnx'
    to_fp16(source, manifest_of(source), path)
    kinds, _ = types_of(path)
    for name in graph.body(network().graph):
        assert kinds[name] == TensorProto.FLOAT16, name
    for name in (*HEAD, 'float', 'focals'):
        assert kinds[name] == TensorProto.FLOAT, name
    found = compare(load_engine(path), load_engine(source), *check_images(MANIFEST, 3))
    require(found, VARIANT['fp16'], 'it', '')
    assert found.mean > 0


def test_int8_says_what_the_model_says_and_spares_the_head(source, tmp_path):
    for runtime in ('tensorrt', 'onnxruntime'):
        path = tmp_path / runtime / 'model.onnx'
        to_int8(source, manifest_of(source), path, images(), runtime)
        model = onnx.load(path)
        made_by = {out: node for node in model.graph.node for out in node.output}
        for node in model.graph.node:
            if node.op_type == 'Conv':
                weight = made_by.get(node.input[1])
                quantized = weight is not None and weight.op_type == 'DequantizeLinear'
                assert quantized == (node.name != 'head'), node.name
        assert not {made_by[n.input[0]].op_type for n in model.graph.node if n.name in HEAD[1:]
                    if n.input[0] in made_by} & {'QuantizeLinear', 'DequantizeLinear'}  # fmt: skip
        found = compare(load_engine(path), load_engine(source), *check_images(MANIFEST, 3))
        require(found, VARIANT['int8'], 'it', '')
        assert found.mean > 0


def test_int8_for_tensorrt_has_zero_in_the_middle(source, tmp_path):
    path = tmp_path / 'int8' / 'model.onnx'
    to_int8(source, manifest_of(source), path, images(), 'tensorrt')
    model = onnx.load(path)
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    pairs = [n for n in model.graph.node if n.op_type in ('QuantizeLinear', 'DequantizeLinear')]
    assert pairs
    for node in pairs:
        assert (stored[node.input[2]] == 0).all() and stored[node.input[2]].dtype == np.int8
    per_channel = [n for n in pairs if stored[n.input[1]].size == 8]
    assert per_channel


def test_the_manifest_tells_what_a_variant_was_made_of(source, tmp_path):
    path = tmp_path / 'fp16' / 'model.onnx'
    made = to_fp16(source, manifest_of(source), path)
    assert manifest_of(path) == made == load_engine(path).manifest
    assert made.precision == 'fp16' and made.parent_sha256 == file_sha256(source)
    embedded = {p.key: p.value for p in onnx.load(path).metadata_props}['selfdepth_manifest']
    assert Manifest.from_json(embedded).precision == 'fp16'


def test_a_variant_of_a_variant_is_refused(source, tmp_path):
    path = tmp_path / 'fp16' / 'model.onnx'
    made = to_fp16(source, manifest_of(source), path)
    with pytest.raises(EngineError, match='is fp16 already'):
        to_int8(path, made, tmp_path / 'int8' / 'model.onnx', images())


def test_weights_beyond_float16_are_refused(tmp_path):
    source = save(network(weight=1e6), tmp_path / 'large')
    with pytest.raises(EngineError, match=r'first\.weight reach .*float16 ends at 65504'):
        to_fp16(source, MANIFEST, tmp_path / 'fp16' / 'model.onnx')


def test_int8_without_an_image_is_refused(source, tmp_path):
    with pytest.raises(EngineError, match='no image to calibrate'):
        to_int8(source, MANIFEST, tmp_path / 'int8' / 'model.onnx', [])
    assert not (tmp_path / 'int8').exists()


def test_weights_stored_in_16_bits_are_widened_before_they_are_quantized():
    model = graph.read_model(shipped('model.onnx'))
    assert [n.op_type for n in model.graph.node].count('Cast') == 1
    weights = [t for t in model.graph.initializer if t.name.endswith('.weight')]
    assert weights and all(t.data_type == TensorProto.FLOAT for t in weights)


def test_the_shipped_model_in_16_bits(tmp_path):
    path = tmp_path / 'model.onnx'
    source = shipped('model.onnx')
    to_fp16(source, Manifest.load(shipped('model.yaml')), path)
    engine, reference = load_engine(path), load_engine(source)
    found = compare(engine, reference, *check_images(engine.manifest, 1))
    require(found, VARIANT['fp16'], 'it', '')


@pytest.fixture
def folder_of_images(tmp_path):
    folder = tmp_path / 'pictures'
    folder.mkdir()
    for index, (image, _) in enumerate(images(5)):
        larger = cv2.resize(image[0], (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(folder / f'{index}.png'), larger)
    return folder


def test_quantize_from_a_folder(source, folder_of_images, tmp_path, capsys):
    (source.parent / 'rig.yaml').write_text('the rig')
    out = tmp_path / 'int8'
    assert main(['quantize', str(source), str(out), '--images', str(folder_of_images)]) == 0
    assert 'from the fp32 model mean' in capsys.readouterr().out
    assert manifest_of(out / 'model.onnx').precision == 'int8'
    assert (out / 'rig.yaml').read_text() == 'the rig'
    assert load_engine(out).manifest.name == 'small'


def test_images_of_a_bag_come_with_its_focal_lengths(tmp_path):
    write_bag(tmp_path / 'bag', 3, 3, 96, 64, lidar=False, progress=False, workers=1)
    found = list(batches(tmp_path / 'bag', MANIFEST, 12))
    assert [stack.shape for stack, _ in found] == [(6, HEIGHT, WIDTH, 3)] * 2
    by_name = {entry.name: entry.camera.focal / 2 for entry in street_rig(96, 64).cameras}
    for _, focal in found:
        np.testing.assert_allclose(sorted(focal), sorted(by_name.values()), rtol=1e-4)


def test_quantize_says_what_is_missing(source, tmp_path, capsys):
    cases = {
        'give --images': [str(tmp_path / 'int8')],
        'the model itself': [str(source.parent), '--precision', 'fp16'],
        'does not exist': [str(tmp_path / 'int8'), '--images', str(tmp_path / 'nothing')],
    }
    for words, arguments in cases.items():
        assert main(['quantize', str(source), *arguments]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / 'int8').exists()


def test_a_variant_that_was_calibrated_in_the_dark_is_refused(tmp_path):
    source = save(network(weight=5.0), tmp_path / 'parent')
    bright, focal = check_images(MANIFEST, 1)
    path = tmp_path / 'black' / 'model.onnx'
    to_int8(source, manifest_of(source), path, [(np.zeros_like(bright), focal)])
    with pytest.raises(EngineError, match='the variant differs from the model'):
        found = compare(load_engine(path), load_engine(source), bright, focal)
        require(found, VARIANT['int8'], 'the variant', '')


@pytest.mark.slow
def test_the_shipped_model_in_8_bits_is_as_good(tmp_path):
    """Calibrated on one street, measured on another against exact depth."""
    rig = street_rig()
    focal = np.array([entry.camera.focal for entry in rig.cameras], np.float32)
    streets = [StreetRenderer(StreetWorld(seed, 12.0), rig) for seed in (7, DEMO_SEED)]
    known, unseen = (street.render(int(2e9)) for street in streets)
    source = shipped('model.onnx')
    batches = [(np.stack(known.images), focal)]
    parent = load_engine(source)
    for runtime in ('onnxruntime', 'tensorrt'):
        path = tmp_path / runtime / 'model.onnx'
        to_int8(source, parent.manifest, path, batches, runtime)
        assert _abs_rel(load_engine(path), unseen, focal) < 1.05 * _abs_rel(parent, unseen, focal)


def _abs_rel(engine, frame, focal):
    truth = np.asarray(frame.z_depths)
    depth = engine.infer(np.stack(frame.images), focal).depth
    ours, true = (d[(truth > 1) & (truth < 60)] for d in (depth, truth))
    return np.mean(np.abs(ours - true) / true)
