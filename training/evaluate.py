# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Predicted depth against a bag's depth truth or its LiDAR."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.config import knob
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.rig import Rig
from selfdepth_training.metrics import DepthMetrics, depth_metrics, mean_metrics
from selfdepth_training.truth import CameraTruth, frame_truths, truth_kind

# A rig's images in, z-depth in metres out, each at its camera's own size; None where none came.
Predictor = Callable[[SurroundFrame], list[Float[np.ndarray, 'h w'] | None]]


class EvaluationError(SelfdepthError):
    """A bag that holds nothing to evaluate against."""


@dataclass(frozen=True)
class EvaluationConfig:
    """The protocol."""

    min_depth_m: float = knob(1.0, unit='m', low=0.0, high=100.0)
    """Nearer truth is left out."""
    max_depth_m: float = knob(60.0, unit='m', low=1.0, high=1000.0)
    """Farther truth is left out; predictions are clamped to these bounds."""
    every: int = knob(1, unit='frames', low=1, high=1000)
    """Every n-th surround frame is evaluated."""


class CameraScores(NamedTuple):
    """Means over the images of one camera (or over the cameras)."""

    metric: DepthMetrics
    median_scaled: DepthMetrics
    scale: float
    """Median of truth over prediction: 1 when the scale is right."""
    images: int


@dataclass(frozen=True)
class Evaluation:
    """Scores by camera, and their mean over the cameras."""

    cameras: dict[str, CameraScores]
    truth: str
    """'depth truth' or 'LiDAR'."""

    @property
    def mean(self) -> CameraScores:
        """Average over the cameras, each counting alike."""
        scores = list(self.cameras.values())
        return CameraScores(
            mean_metrics([score.metric for score in scores]),
            mean_metrics([score.median_scaled for score in scores]),
            float(np.mean([score.scale for score in scores])),
            sum(score.images for score in scores),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = {**self.cameras, 'mean': self.mean}
        return {
            'truth': self.truth,
            'cameras': {
                name: {
                    'metric': row.metric._asdict(),
                    'median_scaled': row.median_scaled._asdict(),
                    'scale': row.scale,
                    'images': row.images,
                }
                for name, row in rows.items()
            },
        }

    def table(self) -> str:
        """The scores as people read them."""
        heads = ('camera', 'abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'd1', 'd2', 'd3', 'scale')
        lines = [('{:<20}' + '{:>9}' * 8).format(*heads)]
        for title in ('metric', 'median_scaled'):
            lines.append(f'-- {title.replace("_", "-")}')
            for name, row in {**self.cameras, 'mean': self.mean}.items():
                values = (*getattr(row, title), row.scale)
                lines.append(f'{name:<20}' + ''.join(f'{value:>9.4f}' for value in values))
        return '\n'.join(lines)


def evaluate(
    predict: Predictor,
    reader: BagReader,
    rig: Rig,
    config: EvaluationConfig,
    progress: Callable[[Iterator], Iterator] = iter,
) -> Evaluation:
    """Compare predictions with the bag's depth truth where it has one, else with its LiDAR.

    Raises EvaluationError when the bag has neither.
    """
    per_image: dict[str, list[tuple[DepthMetrics, DepthMetrics, float]]] = {
        name: [] for name in rig.names
    }
    for frame, truths in progress(frame_truths(reader, rig, config.every)):
        for name, depth, truth in zip(rig.names, predict(frame), truths, strict=True):
            if depth is None or truth is None:
                continue
            scores = _image_scores(depth, truth, config)
            if scores is not None:
                per_image[name].append(scores)
    cameras = {name: _camera_scores(rows) for name, rows in per_image.items() if rows}
    if not cameras:
        raise EvaluationError(
            f'Found no truth in {reader.path} between {config.min_depth_m} and '
            f'{config.max_depth_m} m, expected depth images (/<camera>/depth_truth) or LiDAR '
            'clouds with a transform to the robot. Record with the LiDAR on.'
        )
    return Evaluation(cameras, truth_kind(reader))


def _image_scores(
    depth: Float[np.ndarray, 'h w'], truth: CameraTruth, config: EvaluationConfig
) -> tuple[DepthMetrics, DepthMetrics, float] | None:
    inside = (truth.z_depth_m > config.min_depth_m) & (truth.z_depth_m < config.max_depth_m)
    if not inside.any():
        return None
    true = truth.z_depth_m[inside]
    predicted = depth[truth.v[inside], truth.u[inside]]
    scale = float(np.median(true) / np.median(predicted))
    bounds = config.min_depth_m, config.max_depth_m
    return (
        depth_metrics(predicted.clip(*bounds), true),
        depth_metrics((predicted * scale).clip(*bounds), true),
        scale,
    )


def _camera_scores(rows: list[tuple[DepthMetrics, DepthMetrics, float]]) -> CameraScores:
    metric, scaled, scales = zip(*rows, strict=True)
    return CameraScores(
        mean_metrics(list(metric)), mean_metrics(list(scaled)), float(np.median(scales)), len(rows)
    )
