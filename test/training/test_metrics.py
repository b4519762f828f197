# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Metrics against numbers computed by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdepth_training.metrics import (
    DepthMetrics,
    ErrorSums,
    mean_metrics,
    pooled,
)

PERFECT = DepthMetrics(0, 0, 0, 0, 1, 1, 1)


def depth_metrics(predicted_m: np.ndarray, true_m: np.ndarray) -> DepthMetrics:
    return ErrorSums.of(predicted_m, true_m).metrics()


depths = st.lists(st.floats(1, 60), min_size=1, max_size=20).map(np.array)


def test_by_hand():
    """Errors +1, -2 and +4 m; ratios 1.1, 1.25 and 2: delta counts what is strictly below."""
    found = depth_metrics(np.array([11.0, 8.0, 8.0]), np.array([10.0, 10.0, 4.0]))
    logs = np.log([1.1, 0.8, 2.0])
    expected = DepthMetrics(
        abs_rel=(0.1 + 0.2 + 1.0) / 3,
        sq_rel=(1 / 10 + 4 / 10 + 16 / 4) / 3,
        rmse=np.sqrt((1 + 4 + 16) / 3),
        rmse_log=np.sqrt(np.mean(logs**2)),
        delta1=1 / 3,
        delta2=2 / 3,
        delta3=2 / 3,
    )
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ('name', 'predicted_m', 'true_m', 'expected'),
    [
        ('abs_rel', [9.0, 6.0], [10.0, 4.0], 0.3),  # (.1 + .5) / 2
        ('sq_rel', [8.0, 6.0], [10.0, 4.0], 0.7),  # (4/10 + 4/4) / 2
        ('rmse', [13.0, 6.0], [10.0, 10.0], 12.5**0.5),  # (9 + 16) / 2
        ('rmse_log', [np.e, 1.0], [1.0, np.e**3], 5**0.5),  # logs 1 and -3: (1 + 9) / 2
        ('delta1', [12.0, 12.5, 8.1, 8.0], [10.0] * 4, 0.5),  # ratios 1.2, 1.25, 1.235, 1.25
        ('delta2', [15.0, 16.0, 6.5, 6.4], [10.0] * 4, 0.5),  # 1.5, 1.6, 1.538, 1.5625
        ('delta3', [19.0, 20.0, 5.2, 5.0], [10.0] * 4, 0.5),  # 1.9, 2, 1.923, 2; 1.25^3 = 1.953
    ],
)
def test_each_metric_by_hand(name, predicted_m, true_m, expected):
    found = depth_metrics(np.array(predicted_m), np.array(true_m))
    assert getattr(found, name) == pytest.approx(expected)


def test_pooling_is_measuring_all_pixels_at_once():
    rng = np.random.default_rng(3)
    true = rng.uniform(1, 60, 90)
    predicted = true * rng.uniform(0.6, 1.6, 90)
    parts = [ErrorSums.of(predicted[i : i + 30], true[i : i + 30]) for i in (0, 30, 60)]
    assert pooled(parts).metrics() == pytest.approx(depth_metrics(predicted, true))
    assert pooled(parts).bias == pytest.approx(np.mean(predicted / true - 1))
    assert ErrorSums.of(np.empty(0), np.empty(0)) == ErrorSums()


def test_float32_is_summed_in_float64():
    true = np.full(200_000, 17.3, np.float32)
    found = depth_metrics(true * np.float32(1.1), true)
    assert found.abs_rel == pytest.approx(0.1, rel=1e-6)
    assert found.rmse == pytest.approx(1.73, rel=1e-6)


@given(depths)
def test_the_truth_itself_is_perfect(true):
    assert depth_metrics(true, true) == PERFECT


@given(depths, st.floats(0.5, 2))
def test_relative_errors_do_not_depend_on_the_unit(true, factor):
    metres = depth_metrics(true * 1.2, true)
    other = depth_metrics(true * factor * 1.2, true * factor)
    for name in ('abs_rel', 'rmse_log', 'delta1', 'delta2', 'delta3'):
        assert getattr(metres, name) == pytest.approx(getattr(other, name))
    assert other.rmse == pytest.approx(metres.rmse * factor)


def test_a_mean_counts_every_image_alike():
    a, b = (DepthMetrics(*(float(k * n) for k in range(7))) for n in (1, 3))
    assert mean_metrics([a, b]) == DepthMetrics(*(2.0 * k for k in range(7)))
