# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The model and the rig file that the parameters name."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.inference import DepthEngine, EngineError, load_engine
from selfdepth_ros.inference.load import model_file
from selfdepth_ros.inference.self_check import require_depths
from selfdepth_ros.nodes.calibration import rig_from_file
from selfdepth_ros.nodes.parameters import SurroundDepthConfig
from selfdepth_ros.shipped import shipped

FROM_TOPICS = 'topics'
"""Value of the parameter `rig`: calibration from CameraInfo and TF."""
_AGAIN = 'or configure the node again, which takes it'


class Model(NamedTuple):
    """What a node at work is to go on with."""

    engine: DepthEngine
    rig: Rig | None
    """Of the rig file; None: the rig in use stays."""
    rig_source: str
    """Where the rig is from, in words."""


def model_path(config: SurroundDepthConfig) -> Path:
    """The model's file or folder; where none is given, that of the package. Raises EngineError."""
    if config.model:
        return Path(config.model).expanduser()
    if not shipped('model.onnx').is_file():
        raise EngineError('this copy of the package holds no model: give one with model:=<path>')
    return shipped('model.onnx')


def rig_path(config: SurroundDepthConfig) -> Path | None:
    """The rig file to use; None: listen to CameraInfo and TF."""
    if config.rig:
        return None if config.rig == FROM_TOPICS else Path(config.rig).expanduser()
    model = model_path(config)
    beside = (model if model.is_dir() else model.parent) / 'rig.yaml'
    return beside if beside.is_file() else None


def rig_of_file(config: SurroundDepthConfig) -> Rig | None:
    """The rig of that file; None: listen to CameraInfo and TF. Raises CalibrationError."""
    path = rig_path(config)
    return rig_from_file(path, config.cameras, config.output_frame) if path else None


def camera_names(
    config: SurroundDepthConfig, engine: DepthEngine, rig: Rig | None
) -> tuple[str, ...]:
    """The cameras to listen to, in order. Raises CalibrationError when nothing names any."""
    names = rig.names if rig else config.cameras or engine.manifest.cameras
    if not names:
        raise CalibrationError(
            'no camera is named: found an empty list in the parameter cameras and in the '
            'model, and no rig file; give cameras:=[...] or rig:=<path>'
        )
    return tuple(names)


def cameras_named(config: SurroundDepthConfig, rig: Rig | None) -> int:
    """How many cameras the rig file, or else the parameters, name; 0: the model is to say."""
    return len(rig.cameras) if rig else len(config.cameras)


def load_model(config: SurroundDepthConfig, cameras: int) -> DepthEngine:
    """Load the model for so many cameras, 0: its own; TensorRT compiles it first, where that was
    not done. Raises EngineError."""
    return load_engine(model_path(config), config.backend, config.threads, cameras)


def load_checked_model(config: SurroundDepthConfig, cameras: int) -> DepthEngine:
    """Load the model and have it run `cameras` images, or those of its own rig.

    Raises EngineError when it cannot, or when what it gives is no depth.
    """
    engine = load_model(config, cameras)
    require_depths(engine, cameras or len(engine.manifest.cameras) or 1)
    return engine


def build_model(config: SurroundDepthConfig) -> DepthEngine:
    """Load and check the model for other times; what TensorRT compiles for them must be kept.

    Raises EngineError, and CalibrationError of the rig file.
    """
    cameras = cameras_named(config, rig_of_file(config))
    if config.backend == 'tensorrt':
        from selfdepth_ros.inference.tensorrt_cache import BuildOptions, build_only

        build_only(model_file(model_path(config)), BuildOptions(batch=cameras))
    return load_checked_model(config, cameras)


def load_model_again(config: SurroundDepthConfig, cameras: Sequence[str], of_file: bool) -> Model:
    """Load and check what the parameters name now, for a node that works with `cameras`.

    Its topics stay, and so does where its rig is from: `of_file`, or CameraInfo and TF. What would
    be another one when it is configured again is refused. Raises EngineError, CalibrationError.
    """
    path = rig_path(config)
    if path and not of_file:
        raise CalibrationError(
            f'found a rig file, {path}, expected none: the node works with CameraInfo and TF. '
            f'Start it with rig:={FROM_TOPICS}, {_AGAIN}'
        )
    rig = rig_of_file(config)
    if rig:  # before a model is compiled
        _require_names(rig.names, cameras, f'in {path}')
    engine = load_checked_model(config, len(cameras))
    if not of_file:
        _require_names(camera_names(config, engine, None), cameras, 'in the model')
        return Model(engine, None, 'CameraInfo and TF')
    return Model(engine, rig, str(path) if rig else 'that in use, no rig.yaml is beside the model')


def _require_names(found: Sequence[str], expected: Sequence[str], where: str) -> None:
    if tuple(found) != tuple(expected):
        raise CalibrationError(
            f'found the cameras {", ".join(found)} {where}, expected those that the node works '
            f'with, in their order: {", ".join(expected)}. Give a model for these, {_AGAIN}'
        )
