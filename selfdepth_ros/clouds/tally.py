# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Distances by range band, counted as they come: memory does not grow with their number."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

_STEPS = 2000
"""Medians are exact to this part of the cap."""


class DistanceTally:
    """Counts distances by the band of range that their points lie in; the last row is all bands.

    Distances above `cap_m` count as that, so that what has no neighbour at all costs something
    finite. Points outside the bands do not count.
    """

    def __init__(
        self, edges_m: Sequence[float], thresholds_m: Sequence[float], cap_m: float
    ) -> None:
        self._edges, self._cap_m = np.asarray(edges_m, float), cap_m
        self._thresholds = tuple(thresholds_m)
        bands = len(edges_m) - 1
        self._counts = np.zeros((bands, _STEPS + 1), np.int64)
        self._sums = np.zeros(bands)
        self._within = np.zeros((bands, len(self._thresholds)), np.int64)

    def add(self, distance_m: Float[np.ndarray, ' n'], range_m: Float[np.ndarray, ' n']) -> None:
        """Take in distances of points that are so far from the body."""
        band = np.searchsorted(self._edges, range_m, side='right') - 1
        inside = (band >= 0) & (band < len(self._sums))
        band, distance = band[inside], np.minimum(distance_m[inside], self._cap_m)
        bands = len(self._sums)
        step = (distance * (_STEPS / self._cap_m)).astype(np.intp)
        flat = np.bincount(band * (_STEPS + 1) + step, minlength=self._counts.size)
        self._counts += flat.reshape(self._counts.shape)
        self._sums += np.bincount(band, weights=distance, minlength=bands)
        for index, threshold in enumerate(self._thresholds):
            self._within[:, index] += np.bincount(band[distance <= threshold], minlength=bands)

    @property
    def count(self) -> Any:
        """Distances in each band, and in all."""
        return _with_all(self._counts.sum(axis=1))

    @property
    def mean_m(self) -> Any:
        """Mean of each band and of all; NaN where there is none."""
        return _share(_with_all(self._sums), self.count)

    @property
    def median_m(self) -> Any:
        """Median of each band and of all, to half a step; NaN where there is none."""
        counts = _with_all(self._counts)
        total = counts.sum(axis=1)
        step = (np.cumsum(counts, axis=1) * 2 < total[:, None]).sum(axis=1)
        return np.where(total > 0, (step + 0.5) * self._cap_m / _STEPS, np.nan)

    @property
    def within(self) -> Any:
        """(bands and all, thresholds): share of distances up to each threshold."""
        return _share(_with_all(self._within), self.count[:, None])


def _with_all(rows: Any) -> Any:
    """Rows of bands, and their sum below."""
    return np.concatenate([rows, rows.sum(axis=0, keepdims=True)])


def _share(part: Any, whole: Any) -> Any:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
