# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Odometries whose errors are known drift by just these."""

import numpy as np
import pytest

from selfdepth_ros.clouds.drift import drift
from selfdepth_ros.clouds.errors import CloudError
from selfdepth_ros.core.se3 import SE3

STEPS = np.arange(60)[:, None]


def path(*twist: float) -> np.ndarray:
    """Poses of a body that moves by one twist each step."""
    return SE3.exp(STEPS * np.array(twist)).matrix


def test_the_truth_does_not_drift_whatever_its_fixed_frame() -> None:
    true = path(1.0, 0, 0, 0, 0, 0.03)
    elsewhere = SE3.exp(np.array([5.0, -3, 1, 0.2, 0.1, 2])).matrix @ true
    found = drift(true, elsewhere, 10.0)
    assert found.percent == pytest.approx(0, abs=1e-9)
    assert found.deg_per_m == pytest.approx(0, abs=1e-6)


def test_an_odometry_that_is_two_percent_long() -> None:
    found = drift(path(1.0, 0, 0, 0, 0, 0), path(1.02, 0, 0, 0, 0, 0), 10.0)
    assert found.percent == pytest.approx(2)
    assert found.stretches == 50


def test_an_odometry_that_turns_too_much() -> None:
    turn = np.radians(0.1)
    found = drift(path(1.0, 0, 0, 0, 0, 0), path(1.0, 0, 0, 0, 0, turn), 10.0)
    assert found.deg_per_m == pytest.approx(0.1)


def test_one_that_says_nothing_moves_is_wrong_by_all_of_it() -> None:
    found = drift(path(1.0, 0, 0, 0, 0, 0), np.tile(np.eye(4), (60, 1, 1)), 10.0)
    assert found.percent == pytest.approx(100)


def test_a_path_shorter_than_a_stretch_is_refused() -> None:
    with pytest.raises(CloudError, match='59.0 m long'):
        drift(path(1.0, 0, 0, 0, 0, 0), path(1.0, 0, 0, 0, 0, 0), 60.0)
