# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A network to be measured, whether it was exported (model.onnx) or is still a training."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.inference import load_engine
from selfdepth_ros.inference.engine import DepthPrediction
from selfdepth_training.evaluate import Predictor
from selfdepth_training.flip import mirrored_share
from selfdepth_training.predict import TrainedNetwork, surround_predictor
from selfdepth_training.scale import Scale

Listener = Callable[[list[Float[np.ndarray, 'h w']]], None]
"""What is told the confidences of a frame, by camera, at the cameras' own sizes."""


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
    has_confidence: bool
    """Whether it says how sure it is."""
    scale: Scale = 'metric'

    def predictor(self, rig: Rig, flip: bool, hear: Listener = lambda _: None) -> Predictor:
        """Depth of a rig's images, at each camera's own size.

        `hear` is told the confidences of each frame, before its depths are returned, where the
        network knows them; with `flip` they are averaged as the depths are.
        """
        said: list[Any] = []

        def infer(images: UInt8[np.ndarray, 'n h w 3'], focal: Float[np.ndarray, ' n']) -> Any:
            found = self.infer(images, focal)
            said.append(found.confidence)
            return found.depth

        depths = surround_predictor(infer, rig, self.width, self.height, self.depth_kind, flip)

        def predict(frame: SurroundFrame) -> list[np.ndarray | None]:
            said.clear()
            found = depths(frame)
            if said[0] is not None:
                share = mirrored_share(self.width)
                fused = said[0] if len(said) == 1 else (
                    (1 - share) * said[0] + share * said[1][:, :, ::-1]
                )  # fmt: skip
                sizes = [(entry.camera.width, entry.camera.height) for entry in rig.cameras]
                hear([cv2.resize(*each) for each in zip(fused, sizes, strict=True)])
            return found

        return predict


def load_model(path: Path) -> LoadedModel:
    """Load model.onnx, its folder, or a training; EngineError or CheckpointError says why not."""
    if path.suffix in ('.onnx', '.yaml') or (path / 'model.onnx').is_file():
        engine = load_engine(path)
        manifest = engine.manifest
        return LoadedModel(
            engine.infer, manifest.width, manifest.height, manifest.depth_kind,
            manifest.max_depth_m, manifest.training, manifest.has_confidence,
        )  # fmt: skip
    trained = TrainedNetwork.load(path)
    data, state = trained.config.data, trained.state
    record = {name: state[name] for name in ('command', 'bags', 'step', 'steps', 'seconds')}
    record['scale'] = trained.scale
    return LoadedModel(
        lambda images, focal: DepthPrediction(*trained.depth_and_confidence(images, focal)),
        data.width, data.height, state['depth_kind'], state['max_depth_m'], record,
        trained.network.has_confidence, trained.scale,
    )  # fmt: skip
