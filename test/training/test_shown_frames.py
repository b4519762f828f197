# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which frames of a drive a report shows, against a choice from all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_training.evaluate import FrameScores, ImageScores
from selfdepth_training.metrics import ErrorSums
from selfdepth_training.report.shown import APART_NS, ShownFrames


def scored(stamp_ns: int, error: float) -> FrameScores:
    metric = ErrorSums(1, error, error, 1, 1, 1, 0, 0, 0).metrics()
    scores = [ImageScores(metric, metric, 1.0, ()), None]
    return FrameScores(SurroundFrame(stamp_ns, (None, None), (None, None)), [], [], scores)


def shown_of(errors, most: int, period_ns: int) -> ShownFrames:
    shown = ShownFrames(most)
    for index, error in enumerate(errors):
        shown.watch(scored(index * period_ns, error))
    return shown


def chosen_from_all(errors, most: int, period_ns: int) -> list[int]:
    """Which frames are the worst, at least a second apart, when all are there to choose from."""
    chosen: list[int] = []
    for index in np.argsort(np.negative(errors), kind='stable').tolist():
        if all(abs(index - other) * period_ns >= APART_NS for other in chosen):
            chosen.append(index)
    return chosen[:most]


@given(
    st.lists(st.floats(0.01, 2), min_size=1, max_size=60, unique=True),
    st.integers(1, 5),
    st.integers(50_000_000, 1_500_000_000),
)
def test_the_worst_frames_shown_are_the_worst_and_apart(errors, most, period_ns):
    shown = shown_of(errors, most, period_ns)
    worst, wanted = shown.worst, chosen_from_all(errors, most, period_ns)
    kept = [frame.abs_rel for frame in worst]
    assert shown.abs_rel == pytest.approx(errors)
    assert kept == sorted(kept, reverse=True)
    assert len(kept) <= most
    assert all(np.diff(sorted(frame.stamp_ns for frame in worst)) >= APART_NS)
    assert worst[0].stamp_ns == wanted[0] * period_ns
    if period_ns >= APART_NS:  # no frame shares its second with another
        assert [frame.stamp_ns for frame in worst] == [index * period_ns for index in wanted]
    # No frame that deserves to be seen is far from one that is.
    least = kept[-1] if len(kept) == most else 0.0
    for index, error in enumerate(shown.abs_rel):
        assert error <= least or any(
            frame.abs_rel >= error and abs(frame.stamp_ns - index * period_ns) < 2 * APART_NS
            for frame in worst
        )


@pytest.mark.parametrize('most', [1, 4, 12])
@pytest.mark.parametrize('errors', [np.linspace(0.05, 0.5, 300), np.linspace(0.5, 0.05, 300)])
def test_an_error_that_rises_or_falls_along_the_drive_shows_as_many_as_asked(errors, most):
    worst = shown_of(errors, most, APART_NS // 10).worst
    wanted = chosen_from_all(errors, most, APART_NS // 10)
    assert [frame.stamp_ns * 10 // APART_NS for frame in worst] == wanted
    assert len(worst) == most


def in_order(name: str) -> np.ndarray:
    """Errors of 1000 frames, all different."""
    rising, drawn = np.linspace(0.05, 0.5, 1000), np.random.default_rng(1)
    return {
        'rising': rising,
        'falling': rising[::-1],
        'random': drawn.permutation(rising),
        'there and back': np.concatenate((rising[::2], rising[1::2][::-1])),
        'outwards': rising[np.argsort(np.abs(rising - 0.275))],
        'inwards': rising[np.argsort(-np.abs(rising - 0.275))],
    }[name]


@pytest.mark.parametrize(
    'name', ['rising', 'falling', 'random', 'there and back', 'outwards', 'inwards']
)
def test_the_typical_frame_is_from_the_middle_in_any_order(name):
    errors = in_order(name)
    typical = shown_of(errors, 1, APART_NS // 10).typical
    assert 0.38 < (errors < typical.abs_rel - 1e-9).mean() < 0.62


@given(st.lists(st.floats(0.01, 2), min_size=1, max_size=60), st.integers(1, 12))
def test_few_whole_frames_are_kept_and_the_typical_one_is_from_the_middle(errors, most):
    shown = shown_of(errors, most, APART_NS // 3)
    whole = [*shown._worst_by_second.values(), *(frame for _, frame in shown._spread)]
    assert len(whole) <= 3 * most + 6
    # As many below it as above, give or take one and a ninth: frames alike may stand for another.
    below = sum(error < shown.typical.abs_rel for error in shown.abs_rel)
    above = sum(error > shown.typical.abs_rel for error in shown.abs_rel)
    assert max(below, above) <= (len(errors) - 1) / 2 + (len(errors) + 1) / 9 + 0.5


def test_relative_depths_are_judged_by_what_is_median_scaled():
    shown = ShownFrames(1, 'relative')
    for stamp_ns, error, scaled in ((0, 0.9, 0.1), (2 * APART_NS, 0.2, 0.3)):
        frame = scored(stamp_ns, error)
        score = frame.scores[0]._replace(median_scaled=scored(0, scaled).scores[0].metric)
        shown.watch(frame._replace(scores=[score, None]))
    assert shown.abs_rel == pytest.approx([0.1, 0.3])
    assert [frame.stamp_ns for frame in shown.worst] == [2 * APART_NS]


def test_frames_without_scores_are_not_shown():
    shown = ShownFrames(3)
    shown.watch(FrameScores(SurroundFrame(5, (None,), (None,)), [None], [None], [None]))
    assert (shown.worst, shown.typical, shown.abs_rel) == ([], None, [])
