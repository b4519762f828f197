# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: runs the exported file as it is, on any CPU, or on CUDA where it has that."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from selfdepth_ros.core.errors import ManifestError
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference.engine import DepthPrediction, EngineError, check_batch
from selfdepth_ros.inference.graph import METADATA_KEY

PROVIDERS = ('CUDAExecutionProvider', 'CPUExecutionProvider')
"""Where to run, best first; those that this onnxruntime does not have are left out."""
_EXPORT = 'export the model again with `selfdepth export`'
_INPUTS = {'images': ('tensor(uint8)', 4), 'focal': ('tensor(float)', 1)}
_OUTPUTS = {'depth': ('tensor(float)', 3), 'confidence': ('tensor(float)', 3)}


class OnnxEngine:
    """A `DepthEngine` on ONNX Runtime."""

    def __init__(self, session: Any, manifest: Manifest) -> None:
        self._session = session
        self._manifest = manifest
        self._outputs = ['depth', 'confidence'] if manifest.has_confidence else ['depth']

    @classmethod
    def load(cls, path: Path, threads: int = 0) -> 'OnnxEngine':
        """Open an .onnx file with the model.yaml beside it, or else the manifest inside it.

        Raises EngineError when the file is no such model or does not belong to its manifest.
        """
        session = _session(path, threads)
        manifest = _manifest(path, session)
        _check_interface(path, session, manifest)
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
                f'should take any batch size: {_EXPORT}'
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


def _manifest(path: Path, session: Any) -> Manifest:
    """The model.yaml beside the file when there is one, else the embedded manifest."""
    beside = path.with_suffix('.yaml')
    embedded = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    try:
        if beside.is_file():
            manifest = Manifest.load(beside)
            manifest.check_file(path)
            return manifest
        if embedded:
            return Manifest.from_json(embedded)
    except ManifestError as cause:
        raise EngineError(str(cause)) from cause
    raise EngineError(
        f'{path} has no manifest: neither {beside.name} beside it nor {METADATA_KEY} in its '
        f'metadata; without one its depths mean nothing: {_EXPORT}'
    )


def _check_interface(path: Path, session: Any, manifest: Manifest) -> None:
    outputs = ['depth', *(['confidence'] if manifest.has_confidence else [])]
    wanted_out = {name: _OUTPUTS[name] for name in outputs}
    _check_tensors(path, 'inputs', session.get_inputs(), _INPUTS)
    _check_tensors(path, 'outputs', session.get_outputs(), wanted_out)
    shape = session.get_inputs()[[i.name for i in session.get_inputs()].index('images')].shape
    size = (manifest.height, manifest.width, 3)
    if any(isinstance(n, int) and n != m for n, m in zip(shape[1:], size, strict=True)):
        raise EngineError(
            f'{path} takes images of shape {shape}, its manifest says (N, {size[0]}, {size[1]}, '
            f'3); the two are not of one export: {_EXPORT}'
        )


def _check_tensors(
    path: Path, kind: str, found: list[Any], expected: dict[str, tuple[str, int]]
) -> None:
    have = {item.name: (item.type, len(item.shape)) for item in found}
    if have != expected:
        raise EngineError(
            f'{path} has the {kind} {_words(have)}; expected {_words(expected)}. It is no model '
            f'of this package, or of another version: {_EXPORT}'
        )


def _words(tensors: dict[str, tuple[str, int]]) -> str:
    return ', '.join(
        f'{name}: {kind} of {rank} dimensions' for name, (kind, rank) in tensors.items()
    )
