# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Scores on held-out bags that `selfdepth evaluate` does not tell: median-scaled ones by distance,
and how the scale drifts along a drive."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from learning_plan import BANDS_M

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.rig import Rig
from selfdepth_training.evaluate import (
    CameraScores,
    Evaluation,
    FrameScores,
    ImageScores,
    Predictor,
    evaluate,
)
from selfdepth_training.metrics import DepthMetrics, ErrorSums, mean_metrics, pooled
from selfdepth_training.protocols import EvaluationConfig
from selfdepth_training.scale import Scale
from selfdepth_training.truth import CameraTruth

KINDS = 'metric', 'median_scaled'
PredictorOf = Callable[[Rig], Predictor]
Watch = Callable[[FrameScores], None]


def score(
    predictor_of: PredictorOf,
    bags: list[Path],
    config: EvaluationConfig,
    scale: Scale = 'metric',
    watch: Watch = lambda _: None,
) -> dict[str, Any]:
    """Means over the bags, each counting alike, as plain values; bands are of all their pixels.

    `watch` sees every frame.
    """
    tallies, evaluations = [], []
    for bag in bags:
        reader, tally = BagReader(bag), Tally(config)
        rig = reader.rig()

        def seen(frame: FrameScores, tally: 'Tally' = tally) -> None:
            tally.add(frame)
            watch(frame)

        found = evaluate(predictor_of(rig), reader, rig, config, watch=seen, scale=scale)
        evaluations.append(found)
        tallies.append(tally)
    return {
        'mean': _told([each.mean for each in evaluations]),
        'cameras': {
            name: _told([each.cameras[name] for each in evaluations if name in each.cameras])
            for name in _camera_names(evaluations)
        },
        'bands': _bands(tallies),
        'drift': [tally.drift() for tally in tallies],
    }


def _camera_names(evaluations: list[Evaluation]) -> dict[str, None]:
    return dict.fromkeys(name for each in evaluations for name in each.cameras)


def _told(rows: list[CameraScores]) -> dict[str, dict[str, float]]:
    means: dict[str, DepthMetrics] = {
        kind: mean_metrics([getattr(row, kind) for row in rows]) for kind in KINDS
    }
    return {kind: metrics._asdict() for kind, metrics in means.items()}


class Tally:
    """Errors by distance, as predicted and median-scaled image by image; the scale by frame."""

    def __init__(self, config: EvaluationConfig) -> None:
        self._config = config
        self.sums = {kind: [ErrorSums()] * (len(BANDS_M) - 1) for kind in KINDS}
        self.stamps_ns: list[int] = []
        self.scales: list[float] = []

    def add(self, frame: FrameScores) -> None:
        """Count one surround frame."""
        known = [found.scale for found in frame.scores if found is not None]
        if known:
            self.stamps_ns.append(frame.frame.stamp_ns)
            self.scales.append(float(np.median(known)))
        for depth, truth, found in zip(frame.depths, frame.truths, frame.scores, strict=True):
            if depth is not None and truth is not None and found is not None:
                self._add_image(depth, truth, found)

    def _add_image(self, depth: np.ndarray, truth: CameraTruth, found: ImageScores) -> None:
        true, said = truth.z_depth_m, depth[truth.v, truth.u]
        bounds = max(self._config.min_depth_m, 1e-3), self._config.max_depth_m
        for kind, factor in zip(KINDS, (1.0, found.scale), strict=True):
            predicted = (said * factor).clip(*bounds)
            for index, (low, high) in enumerate(zip(BANDS_M, BANDS_M[1:], strict=False)):
                inside = (true > low) & (true <= high)
                found_sums = ErrorSums.of(predicted[inside], true[inside])
                self.sums[kind][index] = pooled([self.sums[kind][index], found_sums])

    def drift(self) -> dict[str, float]:
        """Spread and trend of the frames' scales (truth by depth), as shares of their mean."""
        scales = np.array(self.scales)
        seconds = (np.array(self.stamps_ns) - self.stamps_ns[0]) / 1e9
        relative = scales / scales.mean()
        trend = np.polyfit(seconds, relative, 1)[0] if len(scales) > 2 else float('nan')
        return {
            'scale': float(scales.mean()), 'std': float(relative.std()),
            'trend_per_s': float(trend), 'frames': len(scales),
        }  # fmt: skip


def _bands(tallies: list[Tally]) -> list[dict[str, Any]]:
    rows = []
    for index, (low, high) in enumerate(zip(BANDS_M, BANDS_M[1:], strict=False)):
        row: dict[str, Any] = {'from_m': low, 'to_m': high}
        for kind in KINDS:
            sums = pooled([tally.sums[kind][index] for tally in tallies])
            row[kind] = sums.metrics()._asdict() if sums.count else None
        rows.append(row)
    return rows
