# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""torch: runs the exported file without a compiler, on a CPU, or on CUDA where torch has that."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference import self_check
from selfdepth_ros.inference.cuda import device_errors
from selfdepth_ros.inference.engine import DepthPrediction, EngineError, check_batch
from selfdepth_ros.inference.graph import METADATA_KEY, onnx_module, read_model
from selfdepth_ros.inference.interface import Tensor, check_interface, find_manifest
from selfdepth_ros.inference.torch_graph import TorchGraph

log = logging.getLogger(__name__)


class TorchEngine:
    """A `DepthEngine` on torch, on the host."""

    def __init__(self, graph: Any, manifest: Manifest, memory: str = 'cpu') -> None:
        """`graph`: of an ONNX model; `memory`: where it runs, as torch calls it.

        Raises EngineError for a graph that the torch backend does not run, and DeviceError when
        the device cannot take it.
        """
        self._torch = _torch()
        self._manifest, self._memory = manifest, memory
        with device_errors(f'put the weights of {manifest.name!r} on {memory}'):
            self._graph = TorchGraph(graph, memory)

    @classmethod
    def load(cls, path: Path, threads: int = 0, images: int = 0) -> TorchEngine:
        """Open an .onnx file; on a machine with CUDA its depths stay on the GPU.

        It is compared with ONNX Runtime on one image first. `threads` of torch count for the whole
        process, `images` means nothing here. Raises EngineError.
        """
        torch = _torch()
        if threads:
            torch.set_num_threads(threads)
        model = read_model(path)
        embedded = {item.key: item.value for item in model.metadata_props}.get(METADATA_KEY)
        manifest = find_manifest(path, embedded)
        check_interface(path, manifest, _tensors(model.graph.input), _tensors(model.graph.output))
        cuda = torch.cuda.is_available()
        engine = TorchDeviceEngine(model.graph, manifest) if cuda else cls(model.graph, manifest)
        _check(engine, path)
        return engine

    @property
    def manifest(self) -> Manifest:
        """Size, depth kind, range and record of the model."""
        return self._manifest

    @property
    def device(self) -> str:
        """The version of torch, and the CPU or the GPU."""
        cuda = self._memory == 'cuda'
        name = self._torch.cuda.get_device_name() if cuda else self._memory.upper()
        return f'torch {self._torch.__version__}, {name}'

    def infer(self, images: UInt8[Any, 'n h w 3'], focal: Float[Any, ' n']) -> DepthPrediction:
        """Depth of RGB images of the manifest's size; see `DepthEngine.infer`."""
        check_batch(self._manifest, images, focal)
        with self._failures(len(images)):
            found = self._run(
                self._torch.from_numpy(np.ascontiguousarray(images)).to(self._memory),
                self._torch.from_numpy(np.ascontiguousarray(focal, np.float32)).to(self._memory),
            )
            return DepthPrediction(*(each.contiguous().cpu().numpy() for each in found))

    def _run(self, images: Any, focal: Any) -> list[Any]:
        """Depth and, where the model has it, confidence."""
        # Not inference_mode: what comes out of that cannot be written to.
        with self._torch.no_grad():
            found = self._graph.run({'images': images, 'focal': focal})
        return [found['depth'], *([found['confidence']] if 'confidence' in found else [])]

    @contextmanager
    def _failures(self, count: int) -> Iterator[None]:
        """Raise as EngineError what goes wrong with `count` images, on the way too."""
        try:
            yield
        except RuntimeError as cause:
            raise EngineError(
                f'the model {self._manifest.name!r} failed on {count} images: {cause}; use the '
                'backend onnx, or fewer cameras where memory is what lacks'
            ) from cause


class TorchDeviceEngine(TorchEngine):
    """A `DeviceEngine`: images and depths lie in the memory of a device."""

    def __init__(self, graph: Any, manifest: Manifest, memory: str = 'cuda') -> None:
        super().__init__(graph, manifest, memory)
        self._stream = None
        if memory == 'cuda':
            with device_errors(f'put the weights of {manifest.name!r} on {memory}'):
                self._stream = self._torch.cuda.Stream()
                # The weights came up on another stream. Of all streams it would be an error while
                # one records a graph.
                self._torch.cuda.current_stream().synchronize()

    @property
    def memory(self) -> str:
        """See DeviceEngine."""
        return self._memory

    def on_stream(self) -> AbstractContextManager[Any]:
        """See DeviceEngine."""
        return self._torch.cuda.stream(self._stream) if self._stream else nullcontext()

    def infer(self, images: UInt8[Any, 'n h w 3'], focal: Float[Any, ' n']) -> DepthPrediction:
        """As on the host: images go up, and depths come down."""
        with self.on_stream():
            return super().infer(images, focal)

    def infer_on_device(
        self, images: UInt8[Any, 'n h w 3'], focal: Float32[Any, ' n']
    ) -> DepthPrediction:
        """See DeviceEngine."""
        check_batch(self._manifest, images, focal)
        with self.on_stream(), self._failures(len(images)):
            return DepthPrediction(*self._run(images, focal))


def _torch() -> Any:
    try:
        import torch  # seconds, and a robot may run another engine
    except ImportError as cause:
        raise EngineError(
            'torch is not installed, and the torch backend needs it: pip install torch (its CPU '
            'or its CUDA build), or use the backend onnx, which runs the same model'
        ) from cause
    return torch


def _check(engine: TorchEngine, path: Path) -> None:
    """Refuse an engine that does not say what the file says. Raises EngineError."""
    from selfdepth_ros.inference.onnx_engine import OnnxEngine

    manifest = engine.manifest
    images, focal = self_check.check_images(manifest, 1)
    agreement = self_check.compare(engine, OnnxEngine.load(path, threads=1), images, focal)
    tolerance = self_check.COMPILED[manifest.precision]
    self_check.require(agreement, tolerance, f'{manifest.name!r} in torch', 'use the backend onnx')
    log.info('%s agrees with ONNX Runtime: %s', manifest.name, agreement)


def _tensors(found: Any) -> dict[str, Tensor]:
    proto = onnx_module().TensorProto
    kinds = {proto.UINT8: 'tensor(uint8)', proto.FLOAT: 'tensor(float)'}
    tensors = {}
    for item in found:
        kind = item.type.tensor_type
        shape = tuple(
            side.dim_value if side.HasField('dim_value') else side.dim_param or None
            for side in kind.shape.dim
        )
        name = kinds.get(kind.elem_type, f'tensor({proto.DataType.Name(kind.elem_type).lower()})')
        tensors[item.name] = Tensor(name, shape)
    return tensors
