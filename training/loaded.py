# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A network to be measured, whether it was exported (model.onnx) or is still a training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfdepth_ros.core.depth import DepthLimit
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.inference import load_engine
from selfdepth_training.evaluate import Predictor
from selfdepth_training.predict import Infer, Listener, TrainedNetwork, surround_predictor
from selfdepth_training.scale import Scale


@dataclass(frozen=True)
class LoadedModel:
    """A network that is ready to run, of a model or of a training, and what it takes and says."""

    infer: Infer
    width: int
    height: int
    depth_kind: str
    depth_limit: DepthLimit
    record: dict[str, Any]
    """How it came to be, in plain values."""
    has_confidence: bool
    """Whether it says how sure it is."""
    scale: Scale = 'metric'

    def predictor(self, rig: Rig, flip: bool, hear: Listener = lambda _: None) -> Predictor:
        """Depth of a rig's images, at each camera's own size; see `surround_predictor`."""
        return surround_predictor(
            self.infer, rig, self.width, self.height, self.depth_kind, flip, hear
        )


def load_model(path: Path) -> LoadedModel:
    """Load model.onnx, its folder, or a training; EngineError or CheckpointError says why not."""
    if path.suffix in ('.onnx', '.yaml') or (path / 'model.onnx').is_file():
        engine = load_engine(path)
        manifest = engine.manifest
        return LoadedModel(
            engine.infer, manifest.width, manifest.height, manifest.depth_kind,
            manifest.depth_limit, manifest.training, manifest.has_confidence,
        )  # fmt: skip
    trained = TrainedNetwork.load(path)
    data, state = trained.config.data, trained.state
    record = {name: state[name] for name in ('command', 'bags', 'step', 'steps', 'seconds')}
    record['scale'] = trained.scale
    return LoadedModel(
        trained.infer, data.width, data.height, state['depth_kind'], trained.depth_limit, record,
        trained.network.has_confidence, trained.scale,
    )  # fmt: skip
