# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Engines that live beside each other, and devices that do not take them; on stand-ins."""

import gc
import inspect
import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cuda_stand_in import PretendedTorch
from tensorrt_stand_in import Called, module

from selfdepth_ros.cli import main as cli
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.core.rig import load_rig, save_rig
from selfdepth_ros.inference import EngineError, load_engine, tensorrt_cache, torch_graph
from selfdepth_ros.inference.cuda import DeviceError
from selfdepth_ros.inference.engine_cache import Built
from selfdepth_ros.inference.graph import read_model
from selfdepth_ros.inference.onnx_engine import OnnxEngine
from selfdepth_ros.inference.self_check import check_images
from selfdepth_ros.inference.tensorrt_build import compile_engine, process_logger
from selfdepth_ros.inference.tensorrt_cache import BuildOptions, build_only, prepare
from selfdepth_ros.inference.tensorrt_engine import TensorRtEngine
from selfdepth_ros.inference.torch_engine import TorchEngine
from selfdepth_ros.shipped import shipped

NO_MEMORY = 'CUDA out of memory. Tried to allocate 20.00 MiB.'
NO_KERNEL = (
    'CUDA error: no kernel image is available for execution on the device\n'
    'CUDA kernel errors might be asynchronously reported at some other API call.\n'
)


@pytest.fixture
def manifest() -> Manifest:
    return Manifest.load(shipped('model.yaml'))


@pytest.fixture
def pretended(monkeypatch, manifest):
    """Put stand-ins for TensorRT and CUDA in place; what engines do is told to `module`."""
    found = PretendedTorch()
    monkeypatch.setattr('selfdepth_ros.inference.cuda.torch_cuda', lambda: found)
    size = (manifest.height, manifest.width)
    tensors = {
        'images': ((2, *size, 3), 'uint8'), 'focal': ((2,), 'float32'),
        'depth': ((2, *size), 'float32'), 'confidence': ((2, *size), 'float32'),
    }  # fmt: skip

    def put(**does) -> SimpleNamespace:
        called = Called({})
        monkeypatch.setitem(sys.modules, 'tensorrt', module(called, tensors, **does))
        return SimpleNamespace(torch=found, lost=called.lost)

    return put


def run(engine: TensorRtEngine) -> None:
    size = (engine.manifest.height, engine.manifest.width)
    engine.infer(np.zeros((2, *size, 3), np.uint8), np.ones(2, np.float32))


def in_another_thread(work: Callable[[], object]) -> list[BaseException]:
    """What it raised."""
    raised: list[BaseException] = []

    def caught() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=caught)
    thread.start()
    thread.join()
    return raised


def test_an_engine_is_loaded_while_another_one_records_its_graph(pretended, manifest, caplog):
    """As by ~/reload_model: the worker's second set, and the service's thread."""
    work = []
    machine = pretended(during=lambda: work[0]() if work else None)
    engine = TensorRtEngine(b'plan', manifest, cuda_graph=True)
    raised = []

    def load() -> None:
        if machine.torch._recording and not raised:
            raised.append(in_another_thread(lambda: TensorRtEngine(b'plan', manifest)))

    work.append(load)
    with caplog.at_level(logging.WARNING):
        run(engine)
    assert raised == [[]]
    assert machine.torch.graphs == 1
    assert caplog.text == ''


def test_torch_has_that_mode():
    assert 'capture_error_mode' in inspect.signature(torch.cuda.graph).parameters


def test_an_engine_is_heard_when_the_first_one_is_gone(pretended, manifest):
    failing = []

    def during() -> None:
        if failing:
            raise ValueError('the reason')

    machine = pretended(during=during)
    first = TensorRtEngine(b'plan', manifest)
    second = TensorRtEngine(b'plan', manifest)
    del first
    gc.collect()
    failing.append(True)
    with pytest.raises(EngineError, match='the reason'):
        run(second)
    assert machine.lost == []


def test_a_build_beside_an_engine_has_its_logger(pretended, manifest, tmp_path):
    machine = pretended()
    engine = TensorRtEngine(b'plan', manifest)
    del engine
    compiled = compile_engine(b'', {'images': (1, 2, 2, 3)}, tmp_path / 'timing', 'drive')
    assert compiled == b'plan' and machine.lost == []
    trt = sys.modules['tensorrt']
    assert process_logger(trt) is process_logger(trt)


def test_an_error_is_the_reason_of_its_own_thread_and_call_only(pretended):
    pretended()
    trt = sys.modules['tensorrt']
    logger = process_logger(trt)
    logger.log(trt.ILogger.Severity.ERROR, 'mine')
    logger.log(trt.ILogger.Severity.WARNING, 'no error')
    assert in_another_thread(lambda: logger.log(trt.ILogger.Severity.ERROR, 'of others')) == []
    assert logger.last_error == 'mine'
    assert process_logger(trt).last_error == ''


@pytest.mark.parametrize(('refusal', 'advice'), [(NO_MEMORY, 'end other'), (NO_KERNEL, 'JetPack')])
def test_a_gpu_that_cannot_take_an_engine_says_what_to_do(pretended, manifest, refusal, advice):
    pretended().torch.refusal = refusal
    with pytest.raises(DeviceError, match=advice) as caught:
        TensorRtEngine(b'plan', manifest)
    assert refusal.splitlines()[0] in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_gpu_that_refuses_while_depths_stay_on_it_says_what_to_do(pretended, manifest):
    machine = pretended()
    engine = TensorRtEngine(b'plan', manifest)
    images = torch.zeros((2, manifest.height, manifest.width, 3), dtype=torch.uint8)
    focal = torch.ones(2)
    assert len(engine.infer_on_device(images, focal).depth) == 2

    def refuse(stream: object) -> None:
        raise RuntimeError(NO_MEMORY)

    machine.torch.cuda.stream = refuse
    with pytest.raises(DeviceError, match=r'could not run .*on the GPU: CUDA out of memory'):
        engine.infer_on_device(images, focal)


@pytest.mark.parametrize('kind', ['buffers', 'context', 'plan'])
def test_a_stored_engine_is_kept_when_the_gpu_has_no_room(
    pretended, manifest, tmp_path, monkeypatch, kind
):
    """To build it again takes minutes, and then it does not fit either."""
    monkeypatch.setattr(tensorrt_cache, 'read_manifest', lambda path: manifest)
    path = tmp_path / 'model.onnx'
    path.write_bytes(shipped('model.onnx').read_bytes())
    options = BuildOptions('fp32', 2, tmp_path / 'engines')
    pretended()
    key, _ = tensorrt_cache.key_of(path, options)
    stored = tensorrt_cache.EngineCache(options.cache).store(manifest.name, key, b'plan', {})
    said = 'Error Code 1: Cuda Runtime (out of memory)' if kind == 'plan' else ''
    machine = pretended(room=kind != 'context', refusal=said)
    machine.torch.refusal = NO_MEMORY if kind == 'buffers' else ''
    with pytest.raises(DeviceError, match='memory'):
        prepare(path, options)
    assert stored.path.exists()


def test_a_stored_engine_is_compared_again_on_images_that_are_given(
    pretended, manifest, tmp_path, monkeypatch
):
    """The stand-in says nothing but zeros, as another file's engine might."""
    monkeypatch.setattr(tensorrt_cache, 'read_manifest', lambda path: manifest)
    options = BuildOptions('fp32', 2, tmp_path / 'engines')
    pretended()
    key, _ = tensorrt_cache.key_of(shipped('model.onnx'), options)
    tensorrt_cache.EngineCache(options.cache).store(manifest.name, key, b'plan', {})
    assert not prepare(shipped('model.onnx'), options).cached.built
    given = replace(options, check=check_images(manifest, 2))
    with pytest.raises(EngineError, match='differs from the model in ONNX Runtime'):
        prepare(shipped('model.onnx'), given)


def test_a_precision_that_nodes_do_not_take_is_said(pretended, manifest, tmp_path, capsys):
    options = BuildOptions('fp16', 2, tmp_path)
    pretended()
    key, _ = tensorrt_cache.key_of(shipped('model.onnx'), options)
    notes = {'seconds': 1.0, 'agreement': {'mean': 0.0, 'p99': 0.0, 'scale': 1.0}}
    tensorrt_cache.EngineCache(tmp_path).store(manifest.name, key, b'plan', notes)
    words = ['engine', str(shipped('model.onnx')), '--images', '2', '--cache', str(tmp_path)]
    assert cli.main([*words, '--precision', 'fp16']) == 0
    assert (
        'note: nodes compile a file in its own precision, here in fp32' in capsys.readouterr().out
    )


def test_the_command_compiles_for_the_rig_beside_the_model(monkeypatch, tmp_path):
    asked = []

    def prepare(path, options):
        asked.append(options.batch)
        raise EngineError('no TensorRT')

    monkeypatch.setattr('selfdepth_ros.cli.engine.prepare', prepare)
    model = tmp_path / 'model.onnx'
    model.write_bytes(b'')
    words = ['engine', str(model)]
    assert cli.main(words) == cli.EXIT_ERROR
    rig = load_rig(shipped('rig.yaml'))
    save_rig(replace(rig, cameras=rig.cameras[:4]), tmp_path / 'rig.yaml')
    assert cli.main(words) == cli.main([*words, '--images', '2']) == cli.EXIT_ERROR
    assert asked == [0, 4, 2]


@pytest.fixture
def unwritable(pretended, manifest, tmp_path, monkeypatch):
    """A model whose engine cannot be stored; how often it is compiled is counted."""
    pretended()
    monkeypatch.setattr(tensorrt_cache, 'read_manifest', lambda path: manifest)
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    found = SimpleNamespace(path=shipped('model.onnx'), compiled=0)

    def build(*_) -> Built:
        found.compiled += 1
        return Built(b'plan', {})

    monkeypatch.setattr(tensorrt_cache, '_build', build)
    return found


def test_an_engine_that_cannot_be_stored_runs(unwritable, caplog):
    with caplog.at_level(logging.WARNING):
        run(prepare(unwritable.path, BuildOptions('fp32', 2)).engine)
    assert unwritable.compiled == 1
    assert 'cannot be written' in caplog.text


def test_what_is_built_for_later_says_first_that_it_cannot_be_kept(unwritable, capsys):
    with pytest.raises(EngineError, match='cannot be written'):
        build_only(unwritable.path, BuildOptions('fp32', 2))
    assert cli.main(['engine', str(unwritable.path)]) == cli.EXIT_ERROR
    assert 'cannot be written' in capsys.readouterr().err
    assert unwritable.compiled == 0


@pytest.mark.parametrize('refusal', [NO_MEMORY, NO_KERNEL])
def test_a_gpu_that_cannot_take_weights_says_so(monkeypatch, refusal):
    def refuse(value, device):
        raise RuntimeError(refusal)

    monkeypatch.setattr(torch_graph, '_weight', refuse)
    with pytest.raises(DeviceError, match=r'weights of .*on \w+: CUDA .*; where memory is short'):
        load_engine(shipped('model.onnx'), 'torch')


def test_what_fails_on_the_way_to_the_device_is_no_traceback(monkeypatch):
    manifest = OnnxEngine.load(shipped('model.onnx'), threads=1).manifest
    engine = TorchEngine(read_model(shipped('model.onnx')).graph, manifest)
    images = np.zeros((1, manifest.height, manifest.width, 3), np.uint8)

    def refuse(*args, **kwargs):
        raise RuntimeError(NO_MEMORY)

    monkeypatch.setattr(torch.Tensor, 'to', refuse)
    with pytest.raises(EngineError, match=r'failed on 1 images: CUDA out of memory'):
        engine.infer(images, np.ones(1, np.float32))
