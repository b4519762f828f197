# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Clocks that are ahead by less than another time line silence no other camera."""

from __future__ import annotations

import pytest

from selfdepth_ros.core.sync import SetReady, SurroundSync

MS = 1_000_000
SECOND = 1_000 * MS
CAMERAS = ('a', 'b', 'c', 'd', 'e', 'f')
START = 1_000 * SECOND
LENGTH = 6 * SECOND
AHEAD_S = [0.06, 0.15, 0.5, 1.5]
Shot = tuple[int, str, int]
"""Arrival, camera, stamp."""


def film(rate_hz: int, ahead: dict[str, float], since: dict[str, float] | None = None) -> list:
    """Six cameras that fire 1 ms apart; images come 10 ms later, in order of arrival."""
    shots: list[Shot] = []
    for n in range(LENGTH * rate_hz // SECOND):
        for i, name in enumerate(CAMERAS):
            fired = n * SECOND // rate_hz + i * MS
            if fired >= (since or {}).get(name, 0) * SECOND:
                stamp = START + fired + round(ahead.get(name, 0) * SECOND)
                shots.append((fired + 10 * MS, name, stamp))
    return sorted(shots)


def play(machine: SurroundSync, shots: list[Shot]) -> list[tuple[int, SetReady]]:
    """Sets, each with the arrival time at which it left; the machine's books are checked."""
    ready = []
    for arrival, name, stamp in shots:
        while (deadline := machine.next_deadline_ns) is not None and deadline < arrival:
            ready += [(deadline, item) for item in machine.expire(deadline)]
        ready += [(arrival, item) for item in machine.push(name, stamp, arrival)]
        stats = machine.stats
        gone = stats.matched + stats.duplicate + stats.late + stats.stray + stats.between
        assert stats.pushed == gone + machine.pending
    return ready


def sync(tolerance_ms: int = 40) -> SurroundSync:
    return SurroundSync(CAMERAS, tolerance_ms * MS, 60 * MS, absent_after=5)


def settled(ready: list[tuple[int, SetReady]], after_s: float = 2.0) -> list[SetReady]:
    return [item for left, item in ready if left > after_s * SECOND]


@pytest.mark.parametrize(('rate_hz', 'tolerance_ms'), [(10, 40), (30, 15), (30, 40)])
@pytest.mark.parametrize('ahead_s', AHEAD_S)
@pytest.mark.parametrize('who', ['a', 'f'])
def test_one_camera_ahead_loses_only_its_own_images(rate_hz, tolerance_ms, ahead_s, who):
    machine = sync(tolerance_ms)
    sets = settled(play(machine, film(rate_hz, {who: ahead_s})))
    others = [item for item in sets if {*CAMERAS} - {*item.missing} >= {*CAMERAS} - {who}]
    assert len(others) >= 3.9 * rate_hz
    if ahead_s * SECOND > 60 * MS:  # else its sets fit between those of the others, as by phase
        assert len(sets) - len(others) <= 1
    assert machine.stats.late <= 5 * (ahead_s + 0.1) * rate_hz  # until all were heard
    assert machine.leads_ns(LENGTH)[who] == pytest.approx(ahead_s * SECOND)


@pytest.mark.parametrize(('rate_hz', 'tolerance_ms'), [(10, 40), (30, 15), (30, 40)])
@pytest.mark.parametrize('ahead_s', AHEAD_S)
@pytest.mark.parametrize('who', ['abc', 'def'])
def test_three_of_six_ahead_silence_nobody(rate_hz, tolerance_ms, ahead_s, who):
    """Nobody knows who is right: all images leave, by their stamps, in time of the later clock."""
    machine = sync(tolerance_ms)
    ready = play(machine, film(rate_hz, dict.fromkeys(who, ahead_s)))
    sets = settled(ready, 3)
    for camera, name in enumerate(CAMERAS):
        own = [item for item in sets if item.members[camera] is not None]
        assert len(own) >= 2.8 * rate_hz, name
    waited = [
        left - max(10 * MS, item.stamp_ns - START + 10 * MS)
        for left, item in ready
        if left > 3 * SECOND
    ]
    assert max(waited) <= 100 * MS  # after the later clock's images of that stamp
    leads = machine.leads_ns(LENGTH)
    assert all(leads[n] == pytest.approx((n in who) * ahead_s * SECOND) for n in CAMERAS)


@pytest.mark.parametrize(('rate_hz', 'tolerance_ms'), [(10, 40), (30, 15), (30, 40)])
@pytest.mark.parametrize('ahead_s', AHEAD_S)
def test_a_single_stray_stamp_costs_a_few_images_of_its_camera(rate_hz, tolerance_ms, ahead_s):
    shots = film(rate_hz, {})
    number = next(i for i, s in enumerate(shots) if s[0] > 3 * SECOND and s[1] == 'a')
    arrival, name, stamp = shots[number]
    shots[number] = (arrival, name, stamp + round(ahead_s * SECOND))
    machine = sync(tolerance_ms)
    sets = settled(play(machine, shots))
    assert len(sets) >= 3.9 * rate_hz
    broken = [item for item in sets if not item.complete]
    assert all(item.missing in (('a',), CAMERAS[1:]) for item in broken)
    assert 1 <= len(broken) <= 4


@pytest.mark.parametrize('ahead_s', AHEAD_S)
def test_a_camera_ahead_that_was_alone_first_gives_way_to_the_others(ahead_s):
    since = dict.fromkeys(CAMERAS[1:], 2.0)
    machine = sync()
    ready = play(machine, film(10, {'a': ahead_s}, since))
    alone = [item for left, item in ready if left < 2 * SECOND]
    assert len(alone) >= 18
    sets = settled(ready, 2.2 + ahead_s)
    assert sum({*item.missing} <= {'a'} for item in sets) >= 10 * (3.6 - ahead_s)


def test_a_camera_ahead_goes_on_alone_when_the_others_die():
    shots = [s for s in film(10, {'a': 0.15}) if s[1] == 'a' or s[0] < 3 * SECOND]
    sets = settled(play(sync(), shots), 3.7)
    assert len(sets) >= 20


@pytest.mark.parametrize('slow_hz', [5, 30])
def test_a_camera_of_another_rate_that_is_ahead_silences_nobody(slow_hz):
    others = [shot for shot in film(10, {}) if shot[1] != 'a']
    own = [
        (n * SECOND // slow_hz + 10 * MS, 'a', START + n * SECOND // slow_hz + 700 * MS)
        for n in range(6 * slow_hz)
    ]
    sets = settled(play(sync(), sorted(others + own)))
    assert sum({*item.missing} <= {'a'} for item in sets) >= 39


def test_images_that_come_in_a_burst_after_a_stall_are_not_taken_for_ahead():
    shots = [(max(s[0], 3400 * MS) if s[0] > 3 * SECOND else s[0], *s[1:]) for s in film(10, {})]
    machine = sync()
    by_camera = sorted(shots)  # of one arrival: all of a, all of b ...
    sets = settled(play(machine, by_camera))
    assert all(item.complete for item in sets)
    assert machine.stats.stray == 0


def test_cameras_that_fire_apart_keep_their_own_sets():
    """5 Hz, half of them 50 ms later than the others, which is beyond the tolerance."""
    shots = []
    for n in range(30):
        for i, name in enumerate(CAMERAS):
            fired = n * 200 * MS + (i >= 3) * 50 * MS
            shots.append((fired + (10 if i < 3 else 5) * MS, name, START + fired))
    sets = settled(play(sync(), sorted(shots)))
    assert len(sets) >= 38
    assert all(len(item.missing) == 3 for item in sets)
