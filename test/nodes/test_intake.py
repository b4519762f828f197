# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stamps that are late by a known time: what becomes of them, and what the node says of them."""

import pytest
from builtin_interfaces.msg import Time

from selfdepth_ros.nodes.intake import correct_stamp, late_for_their_sets
from selfdepth_ros.nodes.parameters import SurroundDepthConfig

MS = 1_000_000


@pytest.mark.parametrize(
    ('given', 'offset_ms', 'corrected'),
    [
        ((100, 0), 80, (99, 920 * MS)),
        ((100, 950 * MS), -80, (101, 30 * MS)),
        ((0, 81 * MS), 80, (0, MS)),
        ((0, 80 * MS), 80, (0, 80 * MS)),
        ((0, 10 * MS), 80, (0, 10 * MS)),
        ((0, 0), 80, (0, 0)),
        ((0, 0), -80, (0, 0)),
    ],
)
def test_stamps_are_corrected_where_there_is_something_to_correct(given, offset_ms, corrected):
    stamp = Time(sec=given[0], nanosec=given[1])
    correct_stamp(stamp, offset_ms * MS)
    assert (stamp.sec, stamp.nanosec) == corrected


@pytest.mark.parametrize(
    ('offsets_ms', 'how', 'deadline_ms'),
    [
        ((0, 80, 0), {}, 140),
        ((20, 80, 20), {}, 120),
        ((0, 80, 0), {'deadline_ms': 80.0}, 160),
        ((0, 80, 0), {'deadline_ms': 81.0}, None),
        ((0, 59, 0), {}, None),
        ((80, 80, 80), {}, None),
        ((0, -80, 0), {}, None),
        ((0, 80, 0), {'sync': 'message_filters'}, None),
    ],
)
def test_a_deadline_that_a_late_camera_misses_is_told(offsets_ms, how, deadline_ms):
    offsets_ns = {name: value * MS for name, value in zip('abc', offsets_ms, strict=True)}
    told = late_for_their_sets(SurroundDepthConfig(**how), offsets_ns)
    if deadline_ms is None:
        assert told is None
    else:
        assert 'images of b' in told
        assert told.endswith(f'set deadline_ms to {deadline_ms}')
