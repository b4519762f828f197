# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The TensorRT backend: on a GPU where there is one; its answers where there is none."""

import logging
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from fusion_cases import assert_same

from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.fusion import Fusion, FusionConfig
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.core.rig import load_rig
from selfdepth_ros.inference import EngineError, load_engine
from selfdepth_ros.inference.cuda import this_gpu
from selfdepth_ros.inference.self_check import check_images
from selfdepth_ros.inference.tensorrt_build import vendor
from selfdepth_ros.inference.tensorrt_cache import (
    BuildOptions,
    build_only,
    precision_word,
    prepare,
    read_manifest,
)
from selfdepth_ros.inference.tensorrt_engine import check_tensors
from selfdepth_ros.pipeline import SurroundDepth
from selfdepth_ros.shipped import shipped

MODEL = shipped('model.onnx')


def missing() -> str:
    """Why this machine cannot run TensorRT; empty where it can."""
    try:
        vendor()
        this_gpu()
    except EngineError as cause:
        return str(cause)
    return ''


MISSING = missing()
ON_GPU = pytest.mark.skipif(bool(MISSING), reason='no GPU with TensorRT')
WITHOUT = pytest.mark.skipif(not MISSING, reason='there is a GPU with TensorRT')


@pytest.fixture
def manifest() -> Manifest:
    return Manifest.load(shipped('model.yaml'))


@WITHOUT
def test_a_machine_without_a_gpu_says_so_in_one_line(tmp_path):
    command = [sys.executable, '-m', 'selfdepth_ros.cli', 'engine', str(MODEL)]
    result = subprocess.run(
        [*command, '--cache', str(tmp_path)], capture_output=True, text=True, timeout=200
    )
    assert result.returncode == 2
    assert result.stderr.count('\n') == 1
    assert 'backend onnx runs the same model' in result.stderr
    assert list(tmp_path.iterdir()) == []


@WITHOUT
def test_the_backend_is_registered_and_says_what_it_needs():
    with pytest.raises(EngineError, match='tensorrt backend needs'):
        load_engine(MODEL, backend='tensorrt')


def test_the_precision_of_the_key_tells_files_from_variants(manifest):
    assert precision_word(manifest, None) == precision_word(manifest, 'fp32') == 'fp32'
    assert precision_word(manifest, 'fp16').startswith('fp16-')
    with pytest.raises(EngineError, match='selfdepth quantize'):
        precision_word(manifest, 'int8')
    int8 = replace(manifest, precision='int8', parent_sha256='ab' * 32)
    assert precision_word(int8, None) == precision_word(int8, 'int8') == 'int8'
    with pytest.raises(EngineError, match='is int8, asked for was fp16.*abababab'):
        precision_word(int8, 'fp16')


@pytest.mark.parametrize('where', ['embed', 'beside'])
def test_the_manifest_is_found_beside_the_model_or_in_it(write_model, where):
    path = write_model(**({'embed': False, 'beside': False} | {where: True}))
    assert read_manifest(path).name == 'luminance'


def test_a_manifest_of_another_model_is_refused(write_model):
    path = write_model()
    path.write_bytes(path.read_bytes() + b'\0')
    with pytest.raises(EngineError, match='SHA-256'):
        read_manifest(path)


def test_an_engine_of_another_model_is_refused(manifest):
    size = (manifest.height, manifest.width)
    good = {
        'images': ((6, *size, 3), 'uint8'),
        'focal': ((6,), 'float32'),
        'depth': ((6, *size), 'float32'),
        'confidence': ((6, *size), 'float32'),
    }
    check_tensors(good, manifest)
    check_tensors(
        {name: good[name] for name in good if name != 'confidence'},
        replace(manifest, has_confidence=False),
    )
    for wrong in (
        {},
        {**good, 'images': ((6, *size, 3), 'float32')},
        {**good, 'focal': ((5,), 'float32')},
        {**good, 'depth': ((6, *size[::-1]), 'float32')},
        {name: good[name] for name in good if name != 'confidence'},
    ):
        with pytest.raises(EngineError, match=r'expected .*selfdepth engine'):
            check_tensors(wrong, manifest)


@ON_GPU
@pytest.mark.parametrize('precision', ['fp32', 'fp16'])
def test_an_engine_on_the_gpu(tmp_path, manifest, caplog, precision):
    options = BuildOptions(precision, cache=tmp_path)
    first = prepare(MODEL, options)
    assert first.cached.built
    images, focal = check_images(manifest, 6)
    whole = first.engine.infer(images, focal).depth
    np.testing.assert_array_equal(first.engine.infer(images, focal).depth, whole)  # the graph
    np.testing.assert_allclose(first.engine.infer(images[:2], focal[:2]).depth, whole[:2], 1e-3)
    twice = np.concatenate([images, images[:1]]), np.concatenate([focal, focal[:1]])
    assert first.engine.infer(*twice).depth.shape == (7, *whole.shape[1:])
    with first.engine.on_stream():
        given = [torch.from_numpy(values).cuda() for values in (images, focal)]
        left_there = first.engine.infer_on_device(*given)
        seven = first.engine.infer_on_device(*(torch.cat([t, t[:1]]) for t in given))
    torch.cuda.synchronize()
    np.testing.assert_array_equal(left_there.depth.cpu().numpy(), whole)
    np.testing.assert_array_equal(seven.depth[:6].cpu().numpy(), whole)
    assert seven.depth.shape == (7, *whole.shape[1:])
    second = prepare(MODEL, options)
    assert not second.cached.built
    np.testing.assert_array_equal(second.engine.infer(images, focal).depth, whole)
    content = bytearray(first.cached.path.read_bytes())
    content[-100] ^= 1
    first.cached.path.write_bytes(bytes(content))
    with caplog.at_level(logging.WARNING):
        assert build_only(MODEL, options).built
    assert 'corrupt' in caplog.text


@ON_GPU
def test_only_the_cloud_leaves_the_gpu_and_it_is_the_references(tmp_path, manifest):
    engine = prepare(MODEL, BuildOptions('fp32', cache=tmp_path)).engine
    rig = load_rig(shipped('rig.yaml'))
    images, _ = check_images(manifest, len(rig))
    surround = SurroundDepth(engine, rig)
    result = surround(SurroundFrame(7, tuple(images), (7,) * len(rig)))
    assert result.maps.depth.is_cuda and surround.fusion_description.endswith('on cuda')
    own = manifest.depth_kind, manifest.depth_limit
    expected = Fusion(surround.rig, FusionConfig(), *own).fuse(result.depths, images, stamp_ns=7)
    assert len(expected) > 1000
    assert_same(result.cloud, expected)
