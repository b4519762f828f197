# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth metrics of the field (Eigen et al., "Depth map prediction from a single image", 2014)."""

from collections.abc import Sequence
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


class ErrorSums(NamedTuple):
    """Sums over pixels, from which the metrics of any union of sets of pixels follow."""

    count: float = 0.0
    relative: float = 0.0
    signed_relative: float = 0.0
    squared_relative: float = 0.0
    squared: float = 0.0
    squared_log: float = 0.0
    within1: float = 0.0
    within2: float = 0.0
    within3: float = 0.0

    @classmethod
    def of(
        cls, predicted_m: Float[np.ndarray, ' n'], true_m: Float[np.ndarray, ' n']
    ) -> 'ErrorSums':
        """Sums over n positive depths in metres."""
        predicted, true = predicted_m.astype(np.float64), true_m.astype(np.float64)
        error = predicted - true
        ratio = np.maximum(predicted / true, true / predicted)
        terms = (
            np.ones_like(true), np.abs(error) / true, error / true, error**2 / true, error**2,
            (np.log(predicted) - np.log(true)) ** 2,
            ratio < 1.25, ratio < 1.25**2, ratio < 1.25**3,
        )  # fmt: skip
        return cls(*(float(term.sum()) for term in terms))

    @property
    def bias(self) -> float:
        """Mean signed relative error: above 0 where too far; `count` must not be 0."""
        return self.signed_relative / self.count

    def metrics(self) -> DepthMetrics:
        """The metrics; `count` must not be 0."""
        n = self.count
        return DepthMetrics(
            abs_rel=self.relative / n,
            sq_rel=self.squared_relative / n,
            rmse=(self.squared / n) ** 0.5,
            rmse_log=(self.squared_log / n) ** 0.5,
            delta1=self.within1 / n,
            delta2=self.within2 / n,
            delta3=self.within3 / n,
        )


def pooled(sums: Sequence[ErrorSums]) -> ErrorSums:
    """Sums over all of several sets of pixels."""
    return ErrorSums(*np.sum(sums, axis=0).tolist())


def mean_metrics(metrics: list[DepthMetrics]) -> DepthMetrics:
    """Average of each metric, every image or camera counting alike."""
    return DepthMetrics(*(float(value) for value in np.mean(np.asarray(metrics), axis=0)))
