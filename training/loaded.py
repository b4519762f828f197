# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A network to be measured, whether it was exported (model.onnx) or is still a training."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.inference import load_engine
from selfdepth_ros.inference.engine import DepthPrediction
from selfdepth_training.evaluate import Predictor
from selfdepth_training.predict import TrainedNetwork, surround_predictor
from selfdepth_training.scale import Scale


@dataclass(frozen=True)
class LoadedModel:
    """A network that is ready to run, of a model or of a training, and what it takes and says."""

    infer: Callable[[Any, Any], DepthPrediction]
    width: int
    height: int
    depth_kind: str
    max_depth_m: float
    record: dict[str, Any]
    """How it came to be, in plain values."""
    scale: Scale = 'metric'

    def predictor(self, rig: Rig, flip: bool) -> Predictor:
        """Depth of a rig's images, at each camera's own size."""
        return surround_predictor(
            lambda images, focal: self.infer(images, focal).depth,
            rig, self.width, self.height, self.depth_kind, flip,
        )  # fmt: skip


def load_model(path: Path) -> LoadedModel:
    """Load model.onnx, its folder, or a training; EngineError or CheckpointError says why not."""
    if path.suffix in ('.onnx', '.yaml') or (path / 'model.onnx').is_file():
        engine = load_engine(path)
        manifest = engine.manifest
        return LoadedModel(
            engine.infer, manifest.width, manifest.height, manifest.depth_kind,
            manifest.max_depth_m, manifest.training,
        )  # fmt: skip
    trained = TrainedNetwork.load(path)
    data, state = trained.config.data, trained.state
    record = {name: state[name] for name in ('command', 'bags', 'step', 'steps', 'seconds')}
    record['scale'] = trained.scale
    return LoadedModel(
        lambda images, focal: DepthPrediction(*trained.depth_and_confidence(images, focal)),
        data.width, data.height, state['depth_kind'], state['max_depth_m'], record, trained.scale,
    )  # fmt: skip
