# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""As much of torch.cuda as an engine's buffers use, in the memory of the host.

What CUDA does not allow while a graph is recorded is not allowed here either: to ask for memory in
the thread that records, or in the mode "global" in any thread, and to wait for the whole device.
The thread that does so gets an error, and the graph is spoilt
(https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__STREAM.html, cudaStreamCaptureMode).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import torch


class PretendedTorch:
    """Stands for the module torch; all but `cuda` and new tensors is torch's own."""

    def __init__(self, refusal: str = '') -> None:
        """`refusal`: what the device says when it is asked for memory; nothing: it has it."""
        self.refusal = refusal
        self.graphs = 0
        """How many were recorded to an end."""
        self._recording: tuple[int, str] | None = None
        self._spoilt = False
        stream = SimpleNamespace(synchronize=lambda: None, cuda_stream=7)
        self.cuda = SimpleNamespace(
            is_available=lambda: True,
            get_device_name=lambda: 'pretended',
            get_device_capability=lambda: (8, 7),
            get_device_properties=lambda device: SimpleNamespace(multi_processor_count=16),
            Stream=lambda: stream,
            current_stream=lambda: stream,
            stream=lambda stream: nullcontext(),
            synchronize=self._synchronize,
            CUDAGraph=lambda: SimpleNamespace(replay=lambda: None),
            graph=self._graph,
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def zeros(
        self, shape: tuple[int, ...], dtype: Any, device: str = 'cpu', pin_memory: bool = False
    ) -> torch.Tensor:
        if self.refusal and device == 'cuda':
            raise RuntimeError(self.refusal)
        if self._recording:
            thread, mode = self._recording
            self._refuse(mode == 'global' or thread == threading.get_ident())
        return torch.zeros(shape, dtype=dtype)

    def _synchronize(self) -> None:
        self._refuse(self._recording is not None)

    def _refuse(self, forbidden: bool) -> None:
        if forbidden:
            self._spoilt = True
            raise RuntimeError('CUDA error: operation not permitted when stream is capturing')

    @contextmanager
    def _graph(
        self, graph: Any, stream: Any = None, capture_error_mode: str = 'global'
    ) -> Iterator[None]:
        self._synchronize()
        self._recording, self._spoilt = (threading.get_ident(), capture_error_mode), False
        try:
            yield
        finally:
            self._recording = None
        if self._spoilt:
            raise RuntimeError('CUDA error: operation failed due to a previous error')
        self.graphs += 1
