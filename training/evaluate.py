# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Predicted depth against a bag's depth truth or its LiDAR."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.rig import Rig
from selfdepth_training.metrics import DepthMetrics, ErrorSums, mean_metrics, pooled
from selfdepth_training.protocols import EvaluationConfig
from selfdepth_training.scale import Scale
from selfdepth_training.truth import CameraTruth, EvaluationError, frame_truths, truth_kind

# A rig's images in, z-depth in metres out, each at its camera's own size; None where none came.
Predictor = Callable[[SurroundFrame], list[Float[np.ndarray, 'h w'] | None]]

BAND_EDGES_M = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, math.inf)
"""Limits of the bands of true depth that errors are also told by."""


def counted(scale: Scale) -> Literal['metric', 'median_scaled']:
    """Which scores count for depths of a scale: of relative ones only the median-scaled."""
    return 'median_scaled' if scale == 'relative' else 'metric'


class ImageScores(NamedTuple):
    """One image against its truth."""

    metric: DepthMetrics
    median_scaled: DepthMetrics
    scale: float
    bands: tuple[ErrorSums, ...]
    """Metric errors by band of true depth."""


class FrameScores(NamedTuple):
    """A surround frame, what was predicted and is true, and the scores, by camera of the rig."""

    frame: SurroundFrame
    depths: list[Float[np.ndarray, 'h w'] | None]
    truths: list[CameraTruth | None]
    scores: list[ImageScores | None]
    """None where there is no prediction or no truth within the bounds."""


class CameraScores(NamedTuple):
    """Means over the images of one camera (or over the cameras)."""

    metric: DepthMetrics
    median_scaled: DepthMetrics
    scale: float
    """Median of truth over prediction: 1 when the scale is right."""
    images: int
    bands: tuple[ErrorSums, ...]
    """Metric errors of all pixels of all images, by band of true depth."""


@dataclass(frozen=True)
class Evaluation:
    """Scores by camera, and their mean over the cameras."""

    images: dict[str, tuple[ImageScores, ...]]
    """By camera, of those with any."""
    truth: str
    """'depth truth' or 'LiDAR'."""
    scale: Scale = 'metric'
    """Of what was predicted; of relative depths only the median-scaled scores are told."""
    topic: str | None = None
    """Of the LiDAR, where that is the truth."""

    @classmethod
    def together(cls, found: Sequence['Evaluation']) -> 'Evaluation':
        """Of several recordings: cameras of one name are one, each image counts alike."""
        names = dict.fromkeys(name for each in found for name in each.images)
        images = {
            name: tuple(itertools.chain(*(each.images.get(name, ()) for each in found)))
            for name in names
        }
        topics = dict.fromkeys(each.topic for each in found if each.topic)
        return replace(found[0], images=images, topic=', '.join(topics) or None)

    @cached_property
    def cameras(self) -> dict[str, CameraScores]:
        """Means over the images of each camera."""
        return {name: _camera_scores(rows) for name, rows in self.images.items()}

    @property
    def against(self) -> str:
        """The truth, and its topic where there is one."""
        return f'{self.truth} ({self.topic})' if self.topic else self.truth

    @property
    def mean(self) -> CameraScores:
        """Average over the cameras, each counting alike; bands are of all pixels together."""
        scores = list(self.cameras.values())
        return CameraScores(
            mean_metrics([score.metric for score in scores]),
            mean_metrics([score.median_scaled for score in scores]),
            float(np.mean([score.scale for score in scores])),
            sum(score.images for score in scores),
            _summed([score.bands for score in scores]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = {**self.cameras, 'mean': self.mean}
        return {
            'truth': self.truth,
            'truth_topic': self.topic,
            'scale': self.scale,
            'cameras': {name: self._row_to_dict(row) for name, row in rows.items()},
        }

    def _row_to_dict(self, row: CameraScores) -> dict[str, Any]:
        told = {title: getattr(row, title)._asdict() for title in self.titles}
        told |= {'scale': row.scale, 'images': row.images}
        return told if self.scale == 'relative' else told | {'bands': _bands_to_list(row.bands)}

    @property
    def titles(self) -> tuple[str, ...]:
        """Which scores are told: `counted` ones first."""
        return tuple(dict.fromkeys((counted(self.scale), 'median_scaled')))

    def table(self) -> str:
        """The scores as people read them."""
        return _table('camera', {**self.cameras, 'mean': self.mean}, self.titles)


def evaluate(
    predict: Predictor,
    reader: BagReader,
    rig: Rig,
    config: EvaluationConfig,
    progress: Callable[[Iterator], Iterator] = iter,
    watch: Callable[[FrameScores], None] = lambda _: None,
    scale: Scale = 'metric',
) -> Evaluation:
    """Compare predictions with the bag's depth truth where it has one, else with its LiDAR.

    `watch` is shown every frame as it is scored; `scale` is that of the predictions. Raises
    EvaluationError when the bag has neither, or depth truth of another shape than its images.
    """
    per_image: dict[str, list[ImageScores]] = {name: [] for name in rig.names}
    for frame, truths in progress(frame_truths(reader, rig, config)):
        depths = predict(frame)
        scores = [_image_scores(*pair, config) for pair in zip(depths, truths, strict=True)]
        for name, score in zip(rig.names, scores, strict=True):
            if score is not None:
                per_image[name].append(score)
        watch(FrameScores(frame, depths, truths, scores))
    images = {name: tuple(rows) for name, rows in per_image.items() if rows}
    if not images:
        raise EvaluationError(
            f'Found no truth in {reader.path} between {config.min_depth_m} and '
            f'{config.max_depth_m} m, expected depth images (/<camera>/depth_truth) or LiDAR '
            'clouds with a transform to the robot. Record with the LiDAR on.'
        )
    topic = None if reader.has_depth_truth else reader.topics.lidar
    return Evaluation(images, truth_kind(reader), scale, topic)


def table_by_bag(found: Mapping[str, Evaluation]) -> str:
    """The means of several recordings, by name, as people read them."""
    (titles,) = {each.titles for each in found.values()}
    return _table('bag', {name: each.mean for name, each in found.items()}, titles)


def _table(what: str, rows: Mapping[str, CameraScores], titles: Sequence[str]) -> str:
    heads = ('abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'd1', 'd2', 'd3', 'scale')
    width = max(20, *map(len, rows))
    lines = [f'{what:<{width}}' + ''.join(f'{head:>9}' for head in heads)]
    for title in titles:
        lines.append(f'-- {title.replace("_", "-")}')
        for name, row in rows.items():
            values = (*getattr(row, title), row.scale)
            lines.append(f'{name:<{width}}' + ''.join(f'{value:>9.4f}' for value in values))
    return '\n'.join(lines)


def _image_scores(
    depth: Float[np.ndarray, 'h w'] | None, truth: CameraTruth | None, config: EvaluationConfig
) -> ImageScores | None:
    if depth is None or truth is None:
        return None
    inside = (truth.z_depth_m > config.min_depth_m) & (truth.z_depth_m < config.max_depth_m)
    if not inside.any():
        return None
    true = truth.z_depth_m[inside]
    predicted = depth[truth.v[inside], truth.u[inside]]
    scale = float(np.median(true) / np.median(predicted))
    bands = _band_sums(predicted.clip(*config.bounds_m), true)
    return ImageScores(
        pooled(bands).metrics(),
        ErrorSums.of((predicted * scale).clip(*config.bounds_m), true).metrics(),
        scale,
        bands,
    )


def _band_sums(
    predicted: Float[np.ndarray, ' n'], true: Float[np.ndarray, ' n']
) -> tuple[ErrorSums, ...]:
    band = np.searchsorted(BAND_EDGES_M, true, side='right') - 1
    each = (band == index for index in range(len(BAND_EDGES_M) - 1))
    return tuple(ErrorSums.of(predicted[inside], true[inside]) for inside in each)


def _summed(rows: list[tuple[ErrorSums, ...]]) -> tuple[ErrorSums, ...]:
    """Sums of several images or cameras, band by band."""
    return tuple(pooled(bands) for bands in zip(*rows, strict=True))


def _bands_to_list(bands: tuple[ErrorSums, ...]) -> list[dict[str, Any]]:
    """Bands that have pixels, as plain values; the last has no upper limit."""
    return [
        {
            'from_m': low,
            'to_m': None if math.isinf(high) else high,
            'pixels': int(sums.count),
            'bias': sums.bias,
            **sums.metrics()._asdict(),
        }
        for low, high, sums in zip(BAND_EDGES_M, BAND_EDGES_M[1:], bands, strict=False)
        if sums.count
    ]


def _camera_scores(rows: Sequence[ImageScores]) -> CameraScores:
    return CameraScores(
        mean_metrics([row.metric for row in rows]),
        mean_metrics([row.median_scaled for row in rows]),
        float(np.median([row.scale for row in rows])),
        len(rows),
        _summed([row.bands for row in rows]),
    )
