# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Engines give the graph's own numbers, and answer every wrong model with one clear error."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from selfdepth_ros.inference import EngineError, load_engine
from selfdepth_ros.inference.engine import check_batch

HEIGHT, WIDTH = 24, 32
RNG = np.random.default_rng(0)


def batch(count: int) -> tuple[np.ndarray, np.ndarray]:
    images = RNG.integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)
    return images, np.linspace(20, 40, count, dtype=np.float32)


def expected(images: np.ndarray, focal: np.ndarray) -> np.ndarray:
    return focal[:, None, None] * (1 + images.mean(axis=-1) / 255) / 10


@pytest.mark.parametrize('count', [1, 2, 6])
def test_depth_is_what_the_graph_says_for_any_batch(write_model, count):
    engine = load_engine(write_model(), threads=1)
    images, focal = batch(count)
    prediction = engine.infer(images, focal)
    np.testing.assert_allclose(prediction.depth, expected(images, focal), rtol=1e-5)
    assert prediction.depth.dtype == np.float32
    assert prediction.confidence is None


def test_a_result_is_not_changed_by_the_next_one(write_model):
    engine = load_engine(write_model())
    images, focal = batch(2)
    first = engine.infer(images, focal).depth
    kept = first.copy()
    engine.infer(255 - images, focal)
    np.testing.assert_array_equal(first, kept)


def test_inputs_need_not_be_contiguous(write_model):
    engine = load_engine(write_model())
    images, focal = batch(4)
    mirrored = engine.infer(images[:, :, ::-1], focal.astype(np.float64)).depth
    np.testing.assert_allclose(mirrored[:, :, ::-1], engine.infer(images, focal).depth, rtol=1e-6)


@pytest.mark.parametrize('name', ['model.onnx', 'model.yaml', '.'])
def test_file_manifest_and_folder_name_the_same_model(write_model, name):
    path = write_model()
    assert load_engine(path.parent / name).manifest.name == 'luminance'


@pytest.mark.parametrize('where', ['embed', 'beside'])
def test_one_manifest_is_enough(write_model, where):
    places = {'embed': False, 'beside': False} | {where: True}
    manifest = load_engine(write_model(**places)).manifest
    assert (manifest.width, manifest.height) == (WIDTH, HEIGHT)


def test_confidence_comes_where_the_manifest_promises_it(write_model):
    engine = load_engine(write_model(confidence=True, manifest={'has_confidence': True}))
    images, focal = batch(2)
    confidence = engine.infer(images, focal).confidence
    np.testing.assert_allclose(confidence, images.mean(axis=-1) / 255, rtol=1e-5)


def test_no_model(tmp_path):
    with pytest.raises(EngineError, match='no .onnx file is there.*selfdepth export'):
        load_engine(tmp_path / 'model.onnx')


def test_no_model_names_the_models_beside_it(write_model):
    path = write_model()
    with pytest.raises(EngineError, match=r'holds model\.onnx'):
        load_engine(path.parent / 'modle.onnx')


def test_not_an_onnx_file(tmp_path):
    path = tmp_path / 'model.onnx'
    path.write_bytes(b'\x89PNG, not a network')
    with pytest.raises(EngineError, match='cannot be loaded as an ONNX model'):
        load_engine(path)


def test_a_truncated_model(write_model):
    path = write_model(beside=False)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(EngineError, match='copied whole'):
        load_engine(path)


def test_no_manifest_anywhere(write_model):
    with pytest.raises(EngineError, match=r'neither model\.yaml beside it nor selfdepth_manifest'):
        load_engine(write_model(embed=False, beside=False))


def test_a_manifest_of_another_export(write_model):
    path = write_model()
    model = onnx.load(path)
    model.doc_string = 'changed after the export'
    onnx.save(model, path)
    with pytest.raises(EngineError, match='SHA-256'):
        load_engine(path)


def test_an_embedded_manifest_that_is_not_one(write_model):
    path = write_model(embed=False, beside=False)
    model = onnx.load(path)
    helper.set_model_props(model, {'selfdepth_manifest': '{"name": 3}'})
    onnx.save(model, path)
    with pytest.raises(EngineError, match='embedded manifest'):
        load_engine(path)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'image_type': TensorProto.FLOAT},
            r'images: tensor\(float\).*expected images: tensor\(u',
        ),
        ({'depth_name': 'disparity'}, 'outputs disparity: .*expected depth: '),
        ({'confidence': True}, 'outputs depth: .*confidence: .*expected depth: '),
        ({'manifest': {'has_confidence': True}}, 'outputs depth: .*expected depth: .*confidence'),
        ({'size': (HEIGHT, 2 * WIDTH)}, r'its manifest says \(N, 24, 32, 3\)'),
    ],
)
def test_another_interface_is_named_with_what_was_expected(write_model, options, message):
    with pytest.raises(EngineError, match=message):
        load_engine(write_model(**options))


def test_images_of_another_size(write_model):
    engine = load_engine(write_model())
    images, focal = batch(2)
    with pytest.raises(EngineError, match=re.escape('uint8 (N, 24, 32, 3): resize')):
        engine.infer(np.ascontiguousarray(images[:, :-1]), focal)
    with pytest.raises(EngineError, match='one fx per image'):
        check_batch(engine.manifest, images, focal[:1])


def test_a_model_of_one_batch_size_says_so(write_model):
    engine = load_engine(write_model(batch=2))
    with pytest.raises(EngineError, match='failed on 3 images'):
        engine.infer(*batch(3))


def test_unknown_backends_and_files(write_model):
    path = write_model()
    with pytest.raises(EngineError, match="no backend 'abacus'; there are: onnx"):
        load_engine(path, backend='abacus')
    other = Path(path.parent / 'model.engine')
    other.write_bytes(b'')
    with pytest.raises(EngineError, match=r'no engine for model\.engine'):
        load_engine(other)
