# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Cameras of different rates: sets at the rate of the slower majority, with all that fits."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdepth_ros.core.sync import SetReady, SurroundSync
from selfdepth_ros.core.sync_rates import Rates

MS = 1_000_000
SECOND = 1_000 * MS
SLOW = 100 * MS
CAMERAS = ('front', 'left', 'back', 'right')
OTHERS = CAMERAS[1:]


@dataclass(frozen=True)
class Shot:
    camera: str
    stamp_ns: int
    arrival_ns: int


def film(camera: str, rate_hz: float, until_ns: int, phase_ns=0, latency_ns=10 * MS, since_ns=0):
    """The images of one camera, evenly spaced."""
    count = int((until_ns - phase_ns) * rate_hz / SECOND) + 1
    stamps = [phase_ns + round(n * SECOND / rate_hz) for n in range(count)]
    return [Shot(camera, stamp, stamp + latency_ns) for stamp in stamps if stamp >= since_ns]


def rig(front_hz: float, until_ns: int, **front) -> list[Shot]:
    """One camera of another rate, three of 10 Hz."""
    others = [shot for name in OTHERS for shot in film(name, 10, until_ns)]
    return film('front', front_hz, until_ns, **front) + others


def play(shots: list[Shot], machine: SurroundSync) -> list[tuple[int, SetReady]]:
    """Sets, each with the arrival time at which it left; the machine's books are checked."""
    ready = []
    for shot in sorted(shots, key=lambda shot: shot.arrival_ns):
        while (deadline := machine.next_deadline_ns) and deadline < shot.arrival_ns:
            ready += [(deadline, item) for item in machine.expire(deadline)]
        pushed = machine.push(shot.camera, shot.stamp_ns, shot.arrival_ns)
        ready += [(shot.arrival_ns, item) for item in pushed]
        assert machine.next_deadline_ns is None or machine.next_deadline_ns > shot.arrival_ns
        stats = machine.stats
        gone = stats.matched + stats.duplicate + stats.late + stats.stray + stats.between
        assert stats.pushed == gone + machine.pending
    return ready


def sync(tolerance_ms: int = 40, absent_after: int | None = 5) -> SurroundSync:
    return SurroundSync(CAMERAS, tolerance_ms * MS, 60 * MS, absent_after=absent_after)


def at_tick(ready: list[tuple[int, SetReady]], tick_ns: int) -> list[tuple[int, SetReady]]:
    """The sets whose stamps are nearest to this tick of the slow cameras."""
    return [item for item in ready if abs(item[1].stamp_ns - tick_ns) < SLOW // 2]


milliseconds = st.floats(0, 20).map(lambda ms: round(ms * MS))


@settings(max_examples=60)
@given(st.data())
def test_every_slow_tick_gives_one_set_with_the_nearest_image_of_a_faster_camera(data):
    rate_hz = data.draw(st.sampled_from([15, 20, 30, 60]))
    tolerance_ms = data.draw(st.sampled_from([12, 40]))
    phase_ns = data.draw(st.integers(0, int(SECOND / rate_hz)))
    staggers = data.draw(st.lists(st.integers(0, 6 * MS), min_size=3, max_size=3))
    latencies = data.draw(st.lists(milliseconds, min_size=4, max_size=4))
    front = film('front', rate_hz, 3 * SECOND, phase_ns, latencies[0])
    others = [
        shot
        for name, stagger, latency in zip(OTHERS, staggers, latencies[1:], strict=True)
        for shot in film(name, 10, 3 * SECOND, stagger, latency)
    ]
    ready = play(front + others, sync(tolerance_ms))
    for n in range(10, 29):
        ((_, item),) = at_tick(ready, n * SLOW + 3 * MS)
        assert set(item.missing) <= {'front'}
        first, last = n * SLOW + min(staggers), n * SLOW + max(staggers)
        off = {shot.stamp_ns: abs(shot.stamp_ns - (first + last) / 2) for shot in front}
        best = min(off, key=off.__getitem__)
        fits = max(last, best) - min(first, best) <= tolerance_ms * MS
        chosen = item.members[0]
        assert (chosen is not None) == fits
        assert chosen is None or off[chosen] <= off[best] + 100  # ns: stamps are rounded


# An image that is 40 ms early leaves the others less than 20 of the 60 ms until the deadline.
in_time = st.floats(0, 19).map(lambda ms: round(ms * MS))


@settings(max_examples=40)
@given(st.integers(0, SECOND), st.lists(in_time, min_size=4, max_size=4))
def test_a_camera_of_1_hz_joins_where_it_fits_and_delays_no_other_set(phase_ns, latencies):
    shots = film('front', 1, 11 * SECOND, phase_ns, latencies[0])
    for name, latency in zip(OTHERS, latencies[1:], strict=True):
        shots += film(name, 10, 11 * SECOND, 0, latency)
    ready = play(shots, sync())
    images = {shot.stamp_ns for shot in shots if shot.camera == 'front'}
    for n in range(70, 109):  # its sixth image, which tells its rate, may be of 6 s
        tick_ns = n * SLOW
        near = [stamp for stamp in images if abs(stamp - tick_ns) <= 40 * MS]
        sets = [item for item in ready if item[1].members[1] == tick_ns]
        ((left_ns, item),) = sets
        assert item.members == (near[0] if near else None, tick_ns, tick_ns, tick_ns)
        if not [stamp for stamp in images if abs(stamp - tick_ns) <= 50 * MS]:
            assert left_ns == tick_ns + max(latencies[1:])


@pytest.mark.parametrize('rate_hz', [15, 20, 30])
@pytest.mark.parametrize('latency_ms', [5, 10, 20])
def test_no_set_lacks_most_cameras_whatever_comes_first(rate_hz: int, latency_ms: int):
    machine = sync()
    ready = play(rig(rate_hz, 3 * SECOND, latency_ns=latency_ms * MS), machine)
    settled = [item for _, item in ready if item.stamp_ns >= SECOND]
    assert [item.stamp_ns for item in settled] == [n * SLOW for n in range(10, 10 + len(settled))]
    assert all(item.complete for item in settled)
    assert len(settled) >= 20
    assert machine.stats.between >= 2 * (rate_hz - 10) - 2
    assert machine.stats.late == 0


@pytest.mark.parametrize('rate_hz', [30, 60])
def test_a_fast_camera_goes_on_alone_when_the_others_die(rate_hz: int):
    shots = [s for s in rig(rate_hz, 4 * SECOND) if s.camera == 'front' or s.stamp_ns < 2 * SECOND]
    ready = play(shots, sync())
    alone = [item for _, item in ready if item.stamp_ns > 2.7 * SECOND]
    assert len(alone) >= rate_hz
    assert all(item.missing == OTHERS for item in alone)


def test_a_fast_camera_that_dies_costs_only_its_sector():
    shots = [s for s in rig(30, 4 * SECOND) if s.camera != 'front' or s.stamp_ns < 2 * SECOND]
    ready = play(shots, sync())
    late = [(left, item) for left, item in ready if item.stamp_ns > 2.7 * SECOND]
    assert len(late) >= 12
    assert all(item.missing == ('front',) for _, item in late)
    assert all(left == item.stamp_ns + 10 * MS for left, item in late)


def test_a_fast_camera_that_is_always_late_is_told_and_does_not_delay_the_others():
    machine = sync()
    ready = play(rig(30, 5 * SECOND, latency_ns=210 * MS), machine)
    late = [(left, item) for left, item in ready if item.stamp_ns > 2 * SECOND]
    assert len(late) >= 25
    assert all(item.missing == ('front',) for _, item in late)
    assert all(left == item.stamp_ns + 10 * MS for left, item in late)
    assert machine.stats.late > 50


def test_a_slow_camera_is_absent_after_so_many_of_its_own_periods():
    shots = [
        shot
        for shot in rig(1, 30 * SECOND, latency_ns=20 * MS)
        if shot.camera != 'front' or not 10 * SECOND < shot.stamp_ns < 20 * SECOND
    ]
    ready = play(shots, sync())
    waits = [item.stamp_ns for left, item in ready if left > item.stamp_ns + 20 * MS]
    assert [stamp for stamp in waits if stamp > 8 * SECOND] == [n * SECOND for n in range(11, 16)]
    whole = [item.stamp_ns for _, item in ready if item.complete and item.stamp_ns > 10 * SECOND]
    assert whole == [n * SECOND for n in range(21, 31)]


def test_rates_outlast_a_bag_that_starts_again():
    start_ns = 100 * SECOND
    bag = [Shot(s.camera, s.stamp_ns + start_ns, s.arrival_ns) for s in rig(30, 2 * SECOND)]
    again = [Shot(s.camera, s.stamp_ns, s.arrival_ns + 3 * SECOND) for s in bag]
    ready = play(bag + again, sync())
    second = [item for left, item in ready if left > 3 * SECOND]
    assert len(second) >= 20
    assert all(item.complete for item in second)


@pytest.mark.parametrize('lost', [0.0, 0.1])
def test_jitter_and_lost_images_do_not_part_cameras_of_one_rate(lost: float):
    source, rates = random.Random(3), Rates(4, 40 * MS)
    for n in range(5000):
        for camera in range(4):
            if source.random() >= lost:
                rates.heard(camera, n * SLOW + source.randrange(25 * MS))
        assert not any(rates.is_fast(i) or rates.is_slow(i) for i in range(4))


@pytest.mark.parametrize('first', range(3))
def test_steps_of_which_a_third_are_of_half_do_not_part_cameras_of_one_rate(first: int):
    """nuScenes: twelve images a second, 50, 100 and 100 ms apart; sets are 43 ms wide."""
    steps, begins = (50, 100, 100), [0]
    for number in range(30):
        begins.append(begins[-1] + steps[(first + number) % 3] * MS)
    fired_ms = (0.0, 7.6, 15.5, 23.0, 32.7, 42.6)
    machine = SurroundSync([str(camera) for camera in range(6)], 45 * MS, SECOND)
    ready = []
    for begin in begins:
        for camera, ms in enumerate(fired_ms):
            stamp = begin + round(ms * MS)
            ready += machine.push(str(camera), stamp, stamp)
    ready += machine.flush()
    assert len(ready) == len(begins)
    assert all(item.complete for item in ready)
