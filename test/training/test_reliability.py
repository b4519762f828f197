# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Confidences whose truth is known: their deciles, and what calibration makes of them."""

import numpy as np
import pytest

from selfdepth_training.evaluate import FrameScores, _image_scores
from selfdepth_training.export import ExportError
from selfdepth_training.platt import PlattScaling, fitted, scaled
from selfdepth_training.protocols import EvaluationConfig
from selfdepth_training.reliability import (
    Reliability,
    calibration_error,
    logit,
    reliability_table,
    reliability_to_dict,
)
from selfdepth_training.truth import CameraTruth

COUNT = 200_000


def drawn(gain: float, offset: float) -> tuple[Reliability, np.ndarray, np.ndarray]:
    """Pixels that are right with probability sigmoid(gain * logit(confidence) + offset)."""
    rng = np.random.default_rng(0)
    said = rng.beta(4, 1.5, COUNT)
    right = rng.random(COUNT) < PlattScaling(gain, offset)(logit(said))
    true = rng.uniform(1, 50, COUNT)
    # Errors of 0.1, and of 0.4 where wrong.
    depth = true * np.where(right, 1.1, 1.4)
    found = Reliability(EvaluationConfig())
    for part in range(4):
        found.count(*(values[part::4] for values in (said, depth, true)))
    return found, said, right


def test_deciles_are_those_of_the_sorted_pixels():
    found, said, right = drawn(1.0, 0.0)
    order = np.argsort(said)
    expected = [(said[part].mean(), right[part].mean()) for part in np.array_split(order, 10)]
    deciles = found.deciles()
    assert np.allclose([(d.said, d.right) for d in deciles], expected, atol=2e-3)
    assert np.allclose(
        [d.abs_rel for d in deciles], [0.4 - 0.3 * r for _, r in expected], atol=2e-3
    )
    assert calibration_error(deciles) < 0.01


def test_who_is_always_as_sure_has_ten_equal_tenths():
    found = Reliability(EvaluationConfig())
    for said in (0.7, 1.0):
        found = Reliability(EvaluationConfig())
        found.count(np.full(1000, said), np.full(1000, 11.0), np.full(1000, 10.0))
        assert len({tuple(np.round(d, 9)) for d in found.deciles()}) == 1
        assert found.deciles()[4] == pytest.approx((said, 1.0, 0.1))


@pytest.mark.parametrize(('scale', 'factor'), [('metric', 1.0), ('relative', 4.0)])
def test_depths_are_clamped_to_the_bounds_as_in_the_table(scale, factor):
    """58 m for which 100 m are said are 60 m up to there: right, and off by 3 %."""
    config = EvaluationConfig()
    depth = np.array([[100.0, 0.2, 20.0]]) / factor
    truth = CameraTruth(np.arange(3), np.zeros(3, int), np.array([58.0, 1.1, 20.0]))
    score = _image_scores(depth, truth, config)._replace(scale=factor)
    found = Reliability(config, scale)
    found.hear([np.full((1, 3), 0.9)])
    found.watch(FrameScores(None, [depth], [truth], [score]))
    deciles = found.deciles()
    assert deciles[0].right == pytest.approx(1.0)
    assert deciles[0].abs_rel == pytest.approx((2 / 58 + 0.1 / 1.1) / 3)
    assert scale == 'relative' or deciles[0].abs_rel == pytest.approx(score.metric.abs_rel)


def test_nothing_counted_has_no_deciles():
    assert Reliability(EvaluationConfig()).deciles() == []


@pytest.mark.parametrize(('gain', 'offset'), [(0.4, -1.0), (1.0, 0.0), (2.5, 0.5)])
def test_the_fit_finds_how_right_is_meant_and_makes_it_true(gain, offset):
    found, _, _ = drawn(gain, offset)
    scaling = fitted(found)
    assert scaling == pytest.approx((gain, offset), abs=0.05)
    after = scaled(found, scaling).deciles()
    assert calibration_error(after) < 0.01
    assert [d.abs_rel for d in after] == [d.abs_rel for d in found.deciles()]


def test_who_was_never_wrong_is_nearly_but_not_wholly_sure():
    found = Reliability(EvaluationConfig())
    found.count(np.linspace(0.5, 0.9, 1000), np.full(1000, 10.0), np.full(1000, 10.0))
    scaling = fitted(found)
    assert np.isfinite(scaling).all()
    likely = scaling(np.zeros(1))[0]
    assert 0.5 < likely < 1


def test_a_sureness_of_being_wrong_is_refused():
    found, _, _ = drawn(-1.0, 0.0)
    with pytest.raises(ExportError, match='larger where depths are wrong'):
        fitted(found)


def test_table_and_json_say_the_same():
    found, _, _ = drawn(1.0, 0.0)
    deciles = found.deciles()
    lines = reliability_table(deciles).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ['said', 'right', 'abs_rel', 'off']
    assert [float(v) for v in lines[2].split()[1:]] == pytest.approx(
        [d['right'] for d in reliability_to_dict(deciles)['deciles']], abs=6e-4
    )
