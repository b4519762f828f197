# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: runs the exported file as it is, on any CPU, or on CUDA where it has that."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference.engine import DepthPrediction, EngineError, check_batch
from selfdepth_ros.inference.graph import METADATA_KEY
from selfdepth_ros.inference.interface import EXPORT, Tensor, check_interface, find_manifest

PROVIDERS = ('CUDAExecutionProvider', 'CPUExecutionProvider')
"""Where to run, best first; those that this onnxruntime does not have are left out."""


class OnnxEngine:
    """A `DepthEngine` on ONNX Runtime."""

    def __init__(self, session: Any, manifest: Manifest) -> None:
        self._session = session
        self._manifest = manifest
        self._outputs = ['depth', 'confidence'] if manifest.has_confidence else ['depth']

    @classmethod
    def load(cls, path: Path, threads: int = 0, images: int = 0) -> 'OnnxEngine':
        """Open an .onnx file with the model.yaml beside it, or else the manifest inside it.

        `images` means nothing here. Raises EngineError when the file is no such model or does not
        belong to its manifest.
        """
        session = _session(path, threads)
        embedded = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        manifest = find_manifest(path, embedded)
        inputs, outputs = _tensors(session.get_inputs()), _tensors(session.get_outputs())
        check_interface(path, manifest, inputs, outputs)
        return cls(session, manifest)

    @property
    def manifest(self) -> Manifest:
        """Size, depth kind, range and record of the model."""
        return self._manifest

    @property
    def device(self) -> str:
        """Where the network runs, as ONNX Runtime calls it."""
        return f'ONNX Runtime {_runtime().__version__}, {self._session.get_providers()[0]}'

    def infer(self, images: UInt8[Any, 'n h w 3'], focal: Float[Any, ' n']) -> DepthPrediction:
        """Depth of RGB images of the manifest's size; see `DepthEngine.infer`.

        The inputs are not copied when they are contiguous (and `focal` float32).
        """
        check_batch(self._manifest, images, focal)
        feed = {
            'images': np.ascontiguousarray(images),
            'focal': np.ascontiguousarray(focal, np.float32),
        }
        try:
            results = self._session.run(self._outputs, feed)
        except _runtime_errors() as cause:
            raise EngineError(
                f'the model {self._manifest.name!r} failed on {len(images)} images: {cause}; it '
                f'should take any batch size: {EXPORT}'
            ) from cause
        return DepthPrediction(*results)


def _runtime() -> Any:
    try:
        import onnxruntime  # 0.3 s, and a robot may run another engine
    except ImportError as cause:
        raise EngineError(
            'onnxruntime is not installed, and the ONNX engine needs it: pip install onnxruntime'
        ) from cause
    return onnxruntime


def _runtime_errors() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises: its own classes have no common base but Exception."""
    state = _runtime().capi.onnxruntime_pybind11_state
    own = (
        item
        for item in vars(state).values()
        if isinstance(item, type) and issubclass(item, Exception)
    )
    return (*own, RuntimeError, ValueError)


def _session(path: Path, threads: int) -> Any:
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Idle threads would spin on for 25 ms after each run (measured), and fusion needs the core.
    options.add_session_config_entry('session.force_spinning_stop', '1')
    available = runtime.get_available_providers()
    providers = [name for name in PROVIDERS if name in available]
    try:
        return runtime.InferenceSession(str(path), options, providers=providers)
    except _runtime_errors() as cause:
        raise EngineError(
            f'{path} cannot be loaded as an ONNX model ({cause}); expected a file that `selfdepth '
            'export` wrote: check that it was copied whole'
        ) from cause


def _tensors(found: list[Any]) -> dict[str, Tensor]:
    return {item.name: Tensor(item.type, tuple(item.shape)) for item in found}
