# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From a path to a running engine."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from selfdepth_ros.inference.engine import DepthEngine, EngineError

BACKENDS = {
    'onnx': 'selfdepth_ros.inference.onnx_engine:OnnxEngine',
    'torch': 'selfdepth_ros.inference.torch_engine:TorchEngine',
    'tensorrt': 'selfdepth_ros.inference.tensorrt_engine:TensorRtEngine',
}
"""Backend -> class with a class method `load(path, threads, images)`."""
SUFFIXES = {'.onnx': 'onnx'}
"""What `backend='auto'` takes for which file."""
MODEL_FILE = 'model.onnx'


def load_engine(
    path: str | Path, backend: str = 'auto', threads: int = 0, images: int = 0
) -> DepthEngine:
    """Load a model: an .onnx file, the model.yaml beside it, or the folder that holds both.

    `threads` is the number of CPU threads of the network, 0 leaves it to the runtime. `images` is
    what a run is compiled for, where it is compiled; 0: the cameras of the model. Other numbers
    run all the same. Raises EngineError.
    """
    file = model_file(Path(path))
    name = SUFFIXES.get(file.suffix) if backend == 'auto' else backend
    if name not in BACKENDS:
        asked = f'no engine for {file.name}' if backend == 'auto' else f'no backend {backend!r}'
        raise EngineError(f'{asked}; there are: {", ".join(BACKENDS)} (for {", ".join(SUFFIXES)})')
    module, _, attribute = BACKENDS[name].partition(':')
    return getattr(import_module(module), attribute).load(file, threads, images)


def model_file(path: Path) -> Path:
    """The file to load; a folder stands for its model.onnx, a .yaml for the .onnx beside it.

    Raises EngineError when it is not there.
    """
    file = path / MODEL_FILE if path.is_dir() else path
    file = file.with_suffix('.onnx') if file.suffix in ('.yaml', '.yml') else file
    if not file.is_file():
        beside = sorted(item.name for item in file.parent.glob('*.onnx'))
        found = f'{file.parent} holds {", ".join(beside)}' if beside else 'no .onnx file is there'
        raise EngineError(
            f'no model at {file}: {found}; give the path of a model that `selfdepth export` wrote'
        )
    return file
