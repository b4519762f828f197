# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Device memory, streams and graphs, through torch.cuda."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from selfdepth_ros.inference.engine import EngineError


class DeviceError(EngineError):
    """A device that has no room, or that torch has no code for: no fault of the model's file."""


@contextmanager
def device_errors(task: str) -> Iterator[None]:
    """Raise as DeviceError what torch refuses meanwhile; `task`: what could not be done, then."""
    try:
        yield
    except RuntimeError as cause:
        reason = str(cause).strip().partition('\n')[0]
        raise DeviceError(
            f'torch could not {task}: {reason}; where memory is short, end other programs that '
            'use it; where there is no kernel image, install the torch that is built for this GPU '
            '(on a Jetson, the one for your JetPack); the backend onnx runs the same model'
        ) from cause


@dataclass(frozen=True)
class Gpu:
    """The GPU that engines are compiled for and run on."""

    name: str
    compute_capability: str
    multiprocessors: int
    """Modules of one name and capability differ in it, as those of Orin do."""


def torch_cuda() -> Any:
    """The `torch` module, on a machine where it sees a GPU. Raises EngineError."""
    try:
        import torch
    except ImportError as cause:
        raise EngineError(
            'torch is not installed, and the tensorrt backend takes its device memory from it: '
            'install the CUDA build of torch (on a Jetson, the one for your JetPack), or use the '
            'backend onnx'
        ) from cause
    if not torch.cuda.is_available():
        build = torch.version.cuda
        raise EngineError(
            f'found no CUDA GPU (torch {torch.__version__}, '
            f'{f"built for CUDA {build}" if build else "built without CUDA"}); the tensorrt '
            'backend needs an NVIDIA GPU with its driver and the CUDA build of torch; without '
            'them the backend onnx runs the same model'
        )
    return torch


def this_gpu() -> Gpu:
    """The GPU that torch uses. Raises EngineError when there is none that answers."""
    cuda = torch_cuda().cuda
    with device_errors('ask the GPU for its name'):
        major, minor = cuda.get_device_capability()
        count = cuda.get_device_properties('cuda').multi_processor_count
        return Gpu(cuda.get_device_name(), f'{major}.{minor}', count)


class Buffers:
    """Fixed tensors on the device, each with a pinned twin on the host, and one stream."""

    def __init__(self, shapes: Mapping[str, tuple[tuple[int, ...], str]]) -> None:
        """`shapes`: tensor -> (shape, name of its dtype). Raises DeviceError."""
        torch = self._torch = torch_cuda()
        self.device: dict[str, Any] = {}
        self._host: dict[str, Any] = {}
        with device_errors('hold images and depths on the GPU'):
            self.stream = torch.cuda.Stream()
            for name, (shape, kind) in shapes.items():
                dtype = getattr(torch, kind)
                self.device[name] = torch.zeros(shape, dtype=dtype, device='cuda')
                self._host[name] = torch.zeros(shape, dtype=dtype, pin_memory=True)
            # Not for the whole device: another thread's engine may be recording its graph.
            torch.cuda.current_stream().synchronize()

    def upload(self, name: str, values: np.ndarray) -> None:
        """Queue the copy of the first rows of a tensor to the device; the others become zero."""
        pinned = self._host[name].numpy()
        pinned[: len(values)] = values
        pinned[len(values) :] = 0
        with self.on_stream():
            self.device[name].copy_(self._host[name], non_blocking=True)

    def download(self, names: list[str], count: int) -> list[np.ndarray]:
        """The first rows of tensors, once the stream has come that far; the result is a copy."""
        with self.on_stream():
            for name in names:
                self._host[name].copy_(self.device[name], non_blocking=True)
        self.stream.synchronize()
        return [self._host[name].numpy()[:count].copy() for name in names]

    def put(self, name: str, values: Any) -> None:
        """Queue the copy of a tensor on the device to the first rows; the others become zero."""
        with self.on_stream():
            self.device[name][: len(values)].copy_(values)
            self.device[name][len(values) :].zero_()

    def take(self, names: list[str], count: int) -> list[Any]:
        """Queue the copy of the first rows of tensors; the result stays on the device."""
        with self.on_stream():
            return [self.device[name][:count].clone() for name in names]

    def join(self, parts: Sequence[Any]) -> Any:
        """Tensors one after another."""
        with self.on_stream():
            return parts[0] if len(parts) == 1 else self._torch.cat(parts)

    def on_stream(self) -> AbstractContextManager[Any]:
        """A context in which torch uses the stream."""
        stream: AbstractContextManager[Any] = self._torch.cuda.stream(self.stream)
        return stream

    def capture(self, launch: Callable[[int], None]) -> Callable[[], None]:
        """Record what `launch(stream handle)` queues as a CUDA graph; return its replay.

        Meanwhile other threads use the GPU as they like, such as one that loads another model; in
        the mode that is usual, memory that they ask for would spoil the graph and their work.
        """
        graph = self._torch.cuda.CUDAGraph()
        local = {'stream': self.stream, 'capture_error_mode': 'thread_local'}
        with self._torch.cuda.graph(graph, **local):
            launch(self.stream.cuda_stream)

        def replay() -> None:
            with self.on_stream():
                graph.replay()

        return replay
