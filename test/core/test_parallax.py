# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which frames of a drive have neighbours in time, of fast robots and of slow ones."""

import re

import numpy as np
import pytest

from selfdepth_ros.core.parallax import MeasuredMotion, ParallaxLimits, triplets, why_none

LIMITS = ParallaxLimits(least_m=0.25, most_m=1.8, max_offset=3, max_seconds=2.0)


def drive(speeds_m_s, rate_hz: float):
    """Stamps and positions of a robot with these speeds from frame to frame."""
    stamps_ns = np.arange(len(speeds_m_s)) * round(1e9 / rate_hz)
    position = np.zeros((len(speeds_m_s), 3))
    position[:, 1] = np.cumsum(speeds_m_s) / rate_hz
    return stamps_ns, position


def found_in(stamps_ns, position, limits=LIMITS, present=None, usable=None):
    present = np.ones((len(position), 1), bool) if present is None else present
    usable = present.any(1) if usable is None else usable
    motion = MeasuredMotion(position, limits.least_m, limits.most_m)
    found = triplets(usable, present, stamps_ns, motion, limits)
    return {now: (before.tolist(), after.tolist()) for now, (before, after) in found.items()}


def among_the_nearest(position, limits):
    """The rule of all drives but slow ones: of the frames before and after those that moved."""
    found = {}
    for now in range(len(position)):
        away_m = np.linalg.norm(position - position[now], axis=1)
        moved = (limits.least_m <= away_m) & (away_m <= limits.most_m)
        first = max(0, now - limits.max_offset)
        before = first + np.flatnonzero(moved[first:now])
        after = now + 1 + np.flatnonzero(moved[now + 1 : now + 1 + limits.max_offset])
        if len(before) and len(after):
            found[now] = before.tolist(), after.tolist()
    return found


@pytest.mark.parametrize('offset', [1, 3, 12])
def test_a_drive_that_is_fast_enough_keeps_to_the_nearest_frames(offset):
    """Halts, slow moments and ends included: what is learned from stays the same."""
    limits = LIMITS._replace(max_offset=offset)
    rng = np.random.default_rng(offset)
    for _ in range(20):
        speeds = rng.uniform(3, 8) * np.ones(90)
        halt = rng.integers(5, 60)
        speeds[halt : halt + rng.integers(1, 20)] = 0
        speeds[-10:] *= rng.uniform(0, 0.2)
        stamps_ns, position = drive(speeds, 10)
        position += rng.normal(0, 0.01, position.shape)
        expected = among_the_nearest(position, limits)
        assert found_in(stamps_ns, position, limits) == expected
        assert len(expected) > 45


@pytest.mark.parametrize(('speed', 'rate', 'step'), [(0.51, 30, 15), (0.3, 10, 9), (0.13, 10, 20)])
def test_a_slow_robot_is_looked_at_in_steps_that_suit_its_pace(speed, rate, step):
    stamps_ns, position = drive(np.full(100, speed), rate)
    frames = sorted(found_in(stamps_ns, position))
    assert frames == list(range(step, 100 - step))
    found = found_in(stamps_ns, position)[50]
    steps = [step * k for k in (1, 2, 3) if step * k / rate <= LIMITS.max_seconds]
    assert found == ([50 - s for s in reversed(steps)], [50 + s for s in steps])
    nearest = found_in(stamps_ns, position, LIMITS._replace(max_offset=1))[50]
    assert nearest == ([50 - step], [50 + step])


def test_across_a_halt_that_lasts_there_are_no_neighbours():
    """A robot of .3 m/s that waits for 6 s: who passes meanwhile is elsewhere then."""
    speeds = np.full(160, 0.3)
    speeds[50:110] = 0
    stamps_ns, position = drive(speeds, 10)
    found = found_in(stamps_ns, position)
    assert len(found) > 40
    pairs = [(b, now) for now, (before, _) in found.items() for b in before]
    pairs += [(now, a) for now, (_, after) in found.items() for a in after]
    assert all(stamps_ns[b] - stamps_ns[a] <= 2e9 for a, b in pairs)
    assert not set(range(62, 98)) & set(found)


def test_neighbours_in_time_have_the_cameras_of_the_frame() -> None:
    """Cameras that run freely: sets of one half and of the other take turns. Offsets count the
    sets of one kind; a set of both halves is a neighbour of either, an empty one of none."""
    present = np.zeros((9, 4), bool)
    present[::2, :2] = present[1::2, 2:] = present[4] = True
    present[8] = False
    for speed, rate in ((3, 10), (0.3, 1)):
        stamps_ns, position = drive(np.full(9, speed), rate)
        position += 1e-6 * np.arange(9)[:, None]
        found = found_in(stamps_ns, position, LIMITS._replace(max_offset=1), present)
        assert found == {2: ([0], [4]), 3: ([1], [4]), 4: ([3], [5]), 5: ([4], [7])}


def test_frames_are_usable_with_parallax_on_both_sides() -> None:
    position = np.zeros((6, 3))
    position[:, 0] = [0, 0.5, 1.0, 1.0, 1.0, 5.0]
    stamps_ns, limits = np.arange(6) * 100_000_000, LIMITS._replace(max_offset=1, max_seconds=0.1)
    assert found_in(stamps_ns, position, limits) == {1: ([0], [2])}
    assert found_in(stamps_ns, position, usable=np.arange(6) != 1) == {}


@pytest.mark.parametrize(
    ('speed', 'rate', 'told'),
    [
        (0.08, 10, r'0\.16 m in 2 s are too slow: drive faster, or --set data\.max_seconds=(\d+)'),
        (25.0, 10, r'2\.5 m from one frame .* too far: .* or --set data\.max_motion_m=(\d+)'),
        (0.04, 10, 'the robot stands: drive'),
    ],
)
def test_why_there_is_no_neighbour(speed, rate, told):
    stamps_ns, position = drive(np.full(90, speed), rate)
    assert found_in(stamps_ns, position) == {}
    text = re.fullmatch(told, why_none(stamps_ns, position, LIMITS))
    assert text
    if text.groups():
        value = float(text[1])
        slow = LIMITS._replace(max_seconds=value)
        other = slow if speed < 1 else LIMITS._replace(most_m=value)
        assert len(found_in(stamps_ns, position, other)) > 10


def test_a_drive_of_some_frames_is_too_short():
    stamps_ns, position = drive(np.full(8, 0.5), 30)
    assert 'too short' in why_none(stamps_ns, position, LIMITS)
    assert why_none(stamps_ns[:2], position[:2], LIMITS) == '2 frames are too few: drive on'
