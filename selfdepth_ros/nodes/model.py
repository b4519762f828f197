# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The model and the rig file that the parameters name."""

from pathlib import Path

from selfdepth_ros.inference import DepthEngine, EngineError, load_engine
from selfdepth_ros.inference.load import model_file
from selfdepth_ros.inference.self_check import require_depths
from selfdepth_ros.nodes.parameters import SurroundDepthConfig
from selfdepth_ros.shipped import shipped

FROM_TOPICS = 'topics'
"""Value of the parameter `rig`: calibration from CameraInfo and TF."""


def model_path(config: SurroundDepthConfig) -> Path:
    """The model's file or folder; where none is given, that of the package. Raises EngineError."""
    if config.model:
        return Path(config.model)
    if not shipped('model.onnx').is_file():
        raise EngineError('this copy of the package holds no model: give one with model:=<path>')
    return shipped('model.onnx')


def rig_path(config: SurroundDepthConfig) -> Path | None:
    """The rig file to use; None: listen to CameraInfo and TF."""
    if config.rig:
        return None if config.rig == FROM_TOPICS else Path(config.rig)
    model = model_path(config)
    beside = (model if model.is_dir() else model.parent) / 'rig.yaml'
    return beside if beside.is_file() else None


def load_model(config: SurroundDepthConfig) -> DepthEngine:
    """Load the model; TensorRT compiles it first, where that was not done. Raises EngineError."""
    return load_engine(model_path(config), config.backend, config.threads)


def load_checked_model(config: SurroundDepthConfig, cameras: int = 0) -> DepthEngine:
    """Load the model and have it run `cameras` images, or those of its own rig.

    Raises EngineError when it cannot, or when what it gives is no depth.
    """
    engine = load_model(config)
    require_depths(engine, cameras or len(engine.manifest.cameras) or 1)
    return engine


def build_model(config: SurroundDepthConfig) -> DepthEngine:
    """Load and check the model for other times; what TensorRT compiles for them must be kept.

    Raises EngineError.
    """
    if config.backend == 'tensorrt':
        from selfdepth_ros.inference.tensorrt_cache import BuildOptions, build_only

        build_only(model_file(model_path(config)), BuildOptions())
    return load_checked_model(config, len(config.cameras))
