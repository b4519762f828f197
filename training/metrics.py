# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth metrics of the field (Eigen et al., "Depth map prediction from a single image", 2014)."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class DepthMetrics(NamedTuple):
    """Errors of predicted against true depths; lower is better but for the deltas."""

    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log: float
    delta1: float
    delta2: float
    delta3: float


def depth_metrics(
    predicted_m: Float[np.ndarray, ' n'], true_m: Float[np.ndarray, ' n']
) -> DepthMetrics:
    """Return the metrics over n positive depths in metres; n must not be zero."""
    predicted, true = predicted_m.astype(np.float64), true_m.astype(np.float64)
    error = predicted - true
    ratio = np.maximum(predicted / true, true / predicted)
    return DepthMetrics(
        abs_rel=float(np.mean(np.abs(error) / true)),
        sq_rel=float(np.mean(error**2 / true)),
        rmse=float(np.sqrt(np.mean(error**2))),
        rmse_log=float(np.sqrt(np.mean((np.log(predicted) - np.log(true)) ** 2))),
        delta1=float(np.mean(ratio < 1.25)),
        delta2=float(np.mean(ratio < 1.25**2)),
        delta3=float(np.mean(ratio < 1.25**3)),
    )


def mean_metrics(metrics: list[DepthMetrics]) -> DepthMetrics:
    """Average of each metric, every image or camera counting alike."""
    return DepthMetrics(*(float(value) for value in np.mean(np.asarray(metrics), axis=0)))
