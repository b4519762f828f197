# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""TensorRT: runs an engine that was compiled for this GPU."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference.cuda import Buffers, DeviceError, device_errors, this_gpu
from selfdepth_ros.inference.engine import DepthPrediction, EngineError, check_batch
from selfdepth_ros.inference.interrupts import held_interrupts
from selfdepth_ros.inference.tensorrt_build import process_logger, vendor

log = logging.getLogger(__name__)

_OF_THE_DEVICE = re.compile(r'out of memory|could not be allocated|cuda (runtime|failure)', re.I)
"""What TensorRT says when the GPU is full or gone, and no file would help."""
_REBUILD = 'build it again with `selfdepth engine`'


class TensorRtEngine:
    """A `DepthEngine` on TensorRT, of a fixed batch: smaller ones are filled up with zeros."""

    def __init__(self, plan: bytes, manifest: Manifest, cuda_graph: bool = False) -> None:
        """`plan` is a serialized engine; `cuda_graph` replays the launches from the second run on.

        Raises EngineError when there is no GPU, or when the plan is not for it, and DeviceError
        when the GPU cannot take it now.
        """
        trt = vendor()
        self._manifest = manifest
        self._logger = process_logger(trt)
        with held_interrupts():  # TensorRT calls the logger, and may take seconds
            self._runtime = trt.Runtime(self._logger)
            self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            if _OF_THE_DEVICE.search(self._logger.last_error):
                raise DeviceError(
                    f'the GPU does not take the engine of {manifest.name!r} now '
                    f'({self._logger.last_error}); where memory is short, end other programs '
                    'that use it'
                )
            raise EngineError(
                f'TensorRT {trt.__version__} refuses the engine of {manifest.name!r} '
                f'({self._logger.last_error or "it gave no reason"}); {_REBUILD}'
            )
        shapes = tensors_of(trt, self._engine)
        check_tensors(shapes, manifest)
        self.batch: int = shapes['images'][0][0]
        self._outputs = ['depth', *(['confidence'] if manifest.has_confidence else [])]
        with held_interrupts():
            self._context = self._engine.create_execution_context()
        if self._context is None:
            raise DeviceError(
                f'{manifest.name!r} does not fit into the memory of the GPU '
                f'({self._logger.last_error or "TensorRT gave no reason"}); end other programs '
                'that use it'
            )
        self.buffers = Buffers(shapes)
        for name, tensor in self.buffers.device.items():
            self._context.set_tensor_address(name, tensor.data_ptr())
        for name in ('images', 'focal'):
            self._context.set_input_shape(name, shapes[name][0])
        self._device = f'TensorRT {trt.__version__}, {this_gpu().name}'
        self._wants_graph = cuda_graph
        self._replay: Callable[[], None] | None = None

    @classmethod
    def load(cls, path: Path, threads: int = 0, images: int = 0) -> TensorRtEngine:
        """The engine of an .onnx file for this GPU; the first time this takes minutes.

        It is for `images` in a run, 0: as many as the model has cameras. `threads` means nothing
        here. Raises EngineError.
        """
        from selfdepth_ros.inference.tensorrt_cache import BuildOptions, prepare

        return prepare(path, BuildOptions(batch=images)).engine

    @property
    def manifest(self) -> Manifest:
        """Size, depth kind, range and record of the model."""
        return self._manifest

    @property
    def device(self) -> str:
        """The version of TensorRT and the GPU."""
        return self._device

    def infer(self, images: UInt8[Any, 'n h w 3'], focal: Float[Any, ' n']) -> DepthPrediction:
        """Depth of RGB images of the manifest's size; see `DepthEngine.infer`.

        More images than the engine's batch are done in several runs.
        """
        check_batch(self._manifest, images, focal)
        steps = range(0, max(len(images), 1), self.batch)
        parts = [self._infer(images[i : i + self.batch], focal[i : i + self.batch]) for i in steps]
        if len(parts) == 1:
            return DepthPrediction(*parts[0])
        return DepthPrediction(*(np.concatenate(maps) for maps in zip(*parts, strict=True)))

    @property
    def memory(self) -> str:
        """See DeviceEngine."""
        return 'cuda'

    def on_stream(self) -> AbstractContextManager[Any]:
        """See DeviceEngine."""
        return self.buffers.on_stream()

    def infer_on_device(
        self, images: UInt8[Any, 'n h w 3'], focal: Float32[Any, ' n']
    ) -> DepthPrediction:
        """See DeviceEngine; more images than the engine's batch are done in several runs."""
        check_batch(self._manifest, images, focal)
        parts = []
        with self._running():
            for first in range(0, max(len(images), 1), self.batch):
                part = slice(first, first + self.batch)
                self.buffers.put('images', images[part])
                self.buffers.put('focal', focal[part])
                self.execute()
                parts.append(self.buffers.take(self._outputs, len(images[part])))
            return DepthPrediction(*map(self.buffers.join, zip(*parts, strict=True)))

    def _running(self) -> AbstractContextManager[None]:
        """What the device refuses meanwhile is a DeviceError."""
        return device_errors(f'run {self._manifest.name!r} on the GPU')

    def _infer(self, images: np.ndarray, focal: np.ndarray) -> list[np.ndarray]:
        """One run: host to device, the network, device to host."""
        with self._running():
            self.buffers.upload('images', images)
            self.buffers.upload('focal', focal)
            self.execute()
            return self.buffers.download(self._outputs, len(images))

    def execute(self) -> None:
        """Queue one run on what lies in `buffers.device`, on `buffers.stream`."""
        if self._replay:
            self._replay()
            return
        self._launch(self.buffers.stream.cuda_stream)
        if self._wants_graph:
            # Only now: the first run of a context allocates, which a graph cannot record.
            self._wants_graph = False
            self._replay = self._captured()

    def _launch(self, stream: int) -> None:
        self._logger.forget()
        if not self._context.execute_async_v3(stream):
            raise EngineError(
                f'TensorRT could not run {self._manifest.name!r} '
                f'({self._logger.last_error or "it gave no reason"}); {_REBUILD}'
            )

    def _captured(self) -> Callable[[], None] | None:
        self.buffers.stream.synchronize()
        try:
            return self.buffers.capture(self._launch)
        except (RuntimeError, EngineError) as cause:
            log.warning('no CUDA graph of %s: %s; it runs without', self._manifest.name, cause)
            return None


def tensors_of(trt: Any, engine: Any) -> dict[str, tuple[tuple[int, ...], str]]:
    """Input and output -> (shape, name of its dtype)."""
    kinds = {
        trt.DataType.UINT8: 'uint8',
        trt.DataType.FLOAT: 'float32',
        trt.DataType.HALF: 'float16',
    }
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    return {
        name: (
            _fixed(trt, engine, name),
            kinds.get(engine.get_tensor_dtype(name), 'another type'),
        )
        for name in names
    }


def _fixed(trt: Any, engine: Any, name: str) -> tuple[int, ...]:
    """The shape of a tensor; its batch is the profile's, which has one size only."""
    shape = tuple(engine.get_tensor_shape(name))
    if -1 not in shape:
        return shape
    if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT:
        return tuple(engine.get_tensor_profile_shape(name, 0)[1])
    batch = tuple(engine.get_tensor_profile_shape('images', 0)[1])[0]
    return (batch, *shape[1:])


def check_tensors(shapes: dict[str, tuple[tuple[int, ...], str]], manifest: Manifest) -> None:
    """Refuse an engine that is not of the manifest's model. Raises EngineError."""
    count = shapes.get('images', ((0,), ''))[0][0]
    size = (manifest.height, manifest.width)
    expected = {
        'images': ((count, *size, 3), 'uint8'),
        'focal': ((count,), 'float32'),
        'depth': ((count, *size), 'float32'),
    }
    if manifest.has_confidence:
        expected['confidence'] = ((count, *size), 'float32')
    if shapes != expected or count < 1:
        raise EngineError(
            f'the engine of {manifest.name!r} has the tensors {shapes}; expected {expected}: '
            f'{_REBUILD}'
        )
