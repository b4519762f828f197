# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Laws of the synchronizer, for any interleaving, and its answers to the troubles robots have."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from selfdepth_ros.core.sync import MAX_PENDING, SetReady, SurroundSync

MS = 1_000_000
SECOND = 1_000 * MS
PERIOD = 100 * MS
CAMERAS = ('front', 'left', 'back', 'right')


@dataclass(frozen=True)
class Shot:
    camera: str
    stamp_ns: int
    arrival_ns: int


def rounds(count: int, cameras=CAMERAS, start_ns: int = 0, apart_ns: int = 3 * MS) -> list[Shot]:
    """`count` rounds in which the cameras fire a few ms apart and arrive 10 ms later."""
    return [
        Shot(name, start_ns + n * PERIOD + i * apart_ns, n * PERIOD + i * apart_ns + 10 * MS)
        for n in range(count)
        for i, name in enumerate(cameras)
    ]


def sync(
    cameras=CAMERAS, tolerance_ms: int = 40, deadline_ms: int = 60, **options
) -> SurroundSync:
    return SurroundSync(cameras, tolerance_ms * MS, deadline_ms * MS, **options)


def play(machine: SurroundSync, shots: list[Shot]) -> list[SetReady]:
    return [
        ready
        for shot in shots
        for ready in machine.push(shot.camera, shot.stamp_ns, shot.arrival_ns, payload=shot)
    ]


def check_books(machine: SurroundSync) -> None:
    stats = machine.stats
    gone = stats.matched + stats.duplicate + stats.late + stats.stray
    assert stats.pushed == gone + machine.pending


# -- laws --

shots_anyhow = st.lists(
    st.builds(
        lambda camera, stamp, arrival: (camera, stamp, arrival),
        st.sampled_from(CAMERAS),
        st.integers(0, 600 * MS) | st.integers(0, 40).map(lambda n: n * 20 * MS),
        st.integers(0, 30 * MS),
    ),
    max_size=60,
)


def arrange(drawn: list[tuple[str, int, int]]) -> list[Shot]:
    arrivals = itertools.accumulate(step for _, _, step in drawn)
    return [Shot(c, s, a) for (c, s, _), a in zip(drawn, arrivals, strict=True)]


@given(shots_anyhow, st.sampled_from([None, 2]))
def test_any_interleaving_keeps_the_laws(drawn, absent_after):
    one_time_line = {'jump_back_ns': SECOND}
    machine = sync(tolerance_ms=50, absent_after=absent_after, **one_time_line)
    ready = play(machine, arrange(drawn))
    check_books(machine)
    ready += machine.flush()
    assert machine.pending == 0
    check_books(machine)
    images = [shot for item in ready for shot in item.payloads if shot is not None]
    assert len(images) == len({(shot.camera, shot.stamp_ns) for shot in images})
    stamps = [item.stamp_ns for item in ready]
    assert all(a < b for a, b in itertools.pairwise(stamps))
    for item in ready:
        members = [stamp for stamp in item.members if stamp is not None]
        assert members
        assert max(members) - min(members) <= 50 * MS
        assert item.complete == (len(members) == len(CAMERAS))
    for camera in range(len(CAMERAS)):
        own = [item.members[camera] for item in ready if item.members[camera] is not None]
        assert all(a < b for a, b in itertools.pairwise(own))


@given(shots_anyhow)
def test_payloads_come_back_with_their_own_stamps(drawn):
    machine = sync()
    for item in play(machine, arrange(drawn)) + machine.flush():
        for name, stamp, shot in zip(CAMERAS, item.members, item.payloads, strict=True):
            assert (stamp is None) == (shot is None) == (name in item.missing)
            assert shot is None or (shot.camera, shot.stamp_ns) == (name, stamp)


@given(st.data())
def test_healthy_cameras_give_complete_sets_in_any_order_of_arrival(data):
    """Jitter below the tolerance, arrivals shuffled within a round: nothing is lost or mixed."""
    count, machine, ready = 6, sync(), []
    for n in range(count):
        order = data.draw(st.permutations(CAMERAS))
        jitter = data.draw(st.lists(st.integers(0, 30), min_size=4, max_size=4))
        for i, name in enumerate(order):
            stamp = n * PERIOD + jitter[i] * MS
            ready += machine.push(name, stamp, n * PERIOD + 40 * MS + i * MS, n)
    assert [item.payloads for item in ready] == [(n,) * 4 for n in range(count)]
    assert machine.stats.complete_sets == count


@given(shots_anyhow)
@example(
    [('front', 0, 0), ('front', SECOND, 0), ('left', SECOND, 0), ('left', 0, 0)]
    + [('front', 0, 30 * MS), ('front', 1, 15 * MS)]
)
def test_nothing_waits_beyond_its_deadline(drawn):
    machine, arrived = sync(deadline_ms=45), {}
    for shot in arrange(drawn):
        arrived[shot] = shot.arrival_ns
        machine.push(shot.camera, shot.stamp_ns, shot.arrival_ns, payload=shot)
        deadline = machine.next_deadline_ns
        assert deadline is None or deadline > shot.arrival_ns
        if deadline is not None:
            assert deadline <= shot.arrival_ns + 45 * MS
            assert not machine.expire(shot.arrival_ns)


# -- one time line --


def test_a_complete_set_leaves_with_its_last_image():
    machine, shots = sync(), rounds(1)
    assert play(machine, shots[:-1]) == []
    (ready,) = play(machine, shots[-1:])
    assert ready.complete
    assert ready.stamp_ns == 0
    assert ready.members == (0, 3 * MS, 6 * MS, 9 * MS)


def test_a_dead_camera_costs_the_others_one_deadline_and_no_more():
    machine = sync()
    alive = [shot for shot in rounds(5) if shot.camera != 'back']
    ready = play(machine, alive)
    assert [item.missing for item in ready] == [('back',)] * 4
    assert machine.next_deadline_ns == alive[-3].arrival_ns + 60 * MS
    assert len(machine.expire(machine.next_deadline_ns)) == 1


def test_a_camera_known_to_be_absent_is_not_waited_for_until_it_returns():
    machine = sync(absent_after=2)
    alive = [shot for shot in rounds(10) if shot.camera != 'right']
    play(machine, alive[:9])  # three rounds without `right`
    at_once = play(machine, alive[9:12])
    assert [item.missing for item in at_once] == [('right',)]
    play(machine, [Shot('right', 3 * PERIOD + 9 * MS, 3 * PERIOD + 19 * MS)])  # too late, but back
    assert machine.stats.late == 1
    assert play(machine, alive[12:15]) == []
    (ready,) = play(machine, [Shot('right', 4 * PERIOD + 9 * MS, 4 * PERIOD + 30 * MS)])
    assert ready.complete


@pytest.mark.parametrize('delay_ms', [50, 100, 200, 350])
def test_a_camera_that_is_always_late_does_not_delay_the_others(delay_ms: int):
    """Once it counts as absent; one that is late by less than the deadline has its place."""
    machine = sync(absent_after=5)
    shots = [
        Shot(s.camera, s.stamp_ns, s.arrival_ns + (s.camera == 'back') * delay_ms * MS)
        for s in rounds(40)
    ]
    in_time = delay_ms <= 60
    for shot in sorted(shots, key=lambda shot: shot.arrival_ns):
        machine.expire(shot.arrival_ns)
        out = play(machine, [shot])
        if shot.stamp_ns > 20 * PERIOD and shot.camera == ('back' if in_time else 'right'):
            assert [item.missing for item in out] == [() if in_time else ('back',)]
    check_books(machine)


def test_a_dropped_frame_does_not_wait_for_the_deadline_when_its_camera_went_on():
    shots = [shot for shot in rounds(2) if shot.camera != 'left' or shot.stamp_ns > PERIOD]
    ready = play(sync(deadline_ms=10_000), shots)
    assert [item.missing for item in ready] == [('left',), ()]


def test_duplicates_and_late_images_are_counted_and_ignored():
    machine, shots = sync(), rounds(1)
    play(machine, [shots[0], shots[0], *shots[1:3]])
    assert machine.stats.duplicate == 1
    (ready,) = machine.expire(shots[0].arrival_ns + 60 * MS)
    assert ready.missing == ('right',)
    assert play(machine, shots[3:]) == []
    assert machine.stats.late == 1
    assert machine.pending == 0


def test_memory_is_bounded_without_deadlines():
    machine = SurroundSync(CAMERAS, 40 * MS, 10**15)
    ready = play(machine, [shot for shot in rounds(500) if shot.camera == 'front'])
    assert machine.pending == MAX_PENDING
    assert len(ready) == 500 - MAX_PENDING


# -- several time lines --


shots_with_jumps = st.lists(
    st.tuples(
        st.sampled_from(CAMERAS),
        st.sampled_from([0, 5, 90]).flatmap(
            lambda start: st.integers(start * SECOND, start * SECOND + 400 * MS)
        ),
        st.integers(0, 30 * MS) | st.just(3 * SECOND),
    ),
    max_size=60,
)


@given(shots_with_jumps)
def test_no_jump_of_time_mixes_or_loses_images(drawn):
    """Whatever the clocks do: the books balance, and a set never spans more than the tolerance."""
    machine, ready = sync(), []
    for number, shot in enumerate(arrange(drawn)):
        ready += machine.push(shot.camera, shot.stamp_ns, shot.arrival_ns, number)
        check_books(machine)
    ready += machine.flush()
    check_books(machine)
    assert machine.pending == 0
    out = [number for item in ready for number in item.payloads if number is not None]
    assert len(out) == len(set(out)) == machine.stats.matched
    for item in ready:
        members = [stamp for stamp in item.members if stamp is not None]
        assert max(members) - min(members) <= 40 * MS


def later(shots: list[Shot], arrival_ns: int) -> list[Shot]:
    return [Shot(s.camera, s.stamp_ns, s.arrival_ns + arrival_ns) for s in shots]


def test_a_bag_that_starts_again_loses_nothing():
    machine, start = sync(), 100 * SECOND
    first = rounds(30, start_ns=start)
    again = later(rounds(30, start_ns=start - 50 * SECOND), 30 * PERIOD)
    ready = play(machine, first + again)
    assert len(ready) == 60
    assert all(item.complete for item in ready)
    assert machine.stats.jumps_back == 1
    assert machine.stats.stray == 0


@pytest.mark.parametrize('frames', [6, 15])
def test_a_short_bag_that_is_played_ten_times_loses_nothing(frames: int):
    machine, bag = sync(), rounds(frames, start_ns=100 * SECOND)
    ready = [item for n in range(10) for item in play(machine, later(bag, n * frames * PERIOD))]
    assert len(ready) == 10 * frames
    assert all(item.complete for item in ready)
    assert machine.stats.jumps_back == 9
    assert machine.stats.stray == machine.stats.late == 0


def test_stragglers_of_the_old_time_line_are_let_go():
    machine = sync()
    old, new = rounds(30, start_ns=50 * SECOND), later(rounds(30), 30 * PERIOD)
    mixed = old[:-2] + new[:4] + [Shot(s.camera, s.stamp_ns, new[3].arrival_ns) for s in old[-2:]]
    ready = play(machine, mixed + new[4:])
    assert sum(item.complete for item in ready) == 29 + 30
    assert machine.stats.jumps_back == 1
    machine.flush()
    assert machine.stats.stray == 2
    check_books(machine)


@pytest.mark.parametrize('offset_s', [-100, 100])
@pytest.mark.parametrize('which', [0, 3])
def test_a_camera_with_a_wrong_clock_loses_only_its_own_images(offset_s: int, which: int):
    machine, wrong = sync(absent_after=3), CAMERAS[which]
    start = 1000 * SECOND
    shots = [
        Shot(s.camera, s.stamp_ns + (s.camera == wrong) * offset_s * SECOND, s.arrival_ns)
        for s in rounds(40, start_ns=start)
    ]
    ready = play(machine, shots)
    others = [item for item in ready if item.missing == (wrong,)]
    assert len(others) >= 38
    assert machine.stats.jumps_back + machine.stats.jumps_ahead <= 1
    check_books(machine)


def test_a_pause_of_all_cameras_is_no_loss_and_no_delay():
    machine = sync()
    play(machine, rounds(3))
    resumed = later(rounds(2, start_ns=60 * SECOND), 60 * SECOND)
    ready = play(machine, resumed)
    assert [item.complete for item in ready] == [True, True]
    assert machine.stats.jumps_ahead == 1


def test_a_rig_of_one_camera_needs_no_partner():
    machine = sync(cameras=('only',))
    stamps = [5 * SECOND, 6 * SECOND, 0, PERIOD]
    ready = [item for n, s in enumerate(stamps) for item in machine.push('only', s, n * PERIOD)]
    assert [item.stamp_ns for item in ready] == stamps


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (((), MS, MS), 'at least|or more'),
        ((('a', 'a'), MS, MS), 'none twice'),
        ((('a',), -1, MS), 'not negative'),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        SurroundSync(*arguments)
