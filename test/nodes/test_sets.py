# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The queue between callbacks and worker: the newest set wins, nothing ends the worker."""

import threading
from collections import deque

import pytest

from selfdepth_ros.core.sync import SurroundSync, SyncStats
from selfdepth_ros.nodes.monitor import Monitor
from selfdepth_ros.nodes.sets import SetQueue, Worker

MS = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> SetQueue:
    return SetQueue(SurroundSync(('a', 'b'), 10 * MS, 50 * MS), clock)


def push_pair(queue: SetQueue, stamp_ns: int) -> None:
    queue.push('a', stamp_ns, f'a{stamp_ns}')
    queue.push('b', stamp_ns, f'b{stamp_ns}')


def test_the_newest_set_wins_and_the_others_are_counted(queue: SetQueue) -> None:
    for stamp_ns in (0, 100 * MS, 200 * MS):
        push_pair(queue, stamp_ns)
    assert queue.take().payloads == (f'a{200 * MS}', f'b{200 * MS}')
    assert queue.dropped == 2
    push_pair(queue, 300 * MS)
    assert queue.take().stamp_ns == 300 * MS
    assert queue.dropped == 2


def test_a_set_that_is_not_completed_leaves_at_its_deadline(queue: SetQueue, clock: Clock) -> None:
    queue.push('a', 0, 'picture')
    clock.now_ns = 50 * MS
    ready = queue.take()
    assert ready.payloads == ('picture', None)
    assert ready.missing == ('b',)


def test_a_waiting_worker_wakes_for_a_deadline_without_another_image() -> None:
    queue = SetQueue(SurroundSync(('a', 'b'), 10 * MS, 30 * MS))  # the steady clock itself
    taken: list = []
    thread = threading.Thread(target=lambda: taken.append(queue.take()))
    thread.start()
    queue.push('a', 0, 'picture')
    thread.join(30)
    assert [ready.missing for ready in taken] == [('b',)]


def test_closing_lets_a_waiting_worker_go(queue: SetQueue) -> None:
    taken: list = []
    thread = threading.Thread(target=lambda: taken.append(queue.take()))
    thread.start()
    queue.close()
    thread.join(30)
    assert taken == [None]


def test_an_exception_is_handed_over_and_the_next_set_is_computed(queue: SetQueue) -> None:
    computed, failed, seen = [], deque(), threading.Semaphore(0)

    def compute(ready) -> None:
        computed.append(ready.stamp_ns)
        if len(computed) == 1:
            raise ZeroDivisionError('by the first set')
        seen.release()

    def fail(error: Exception) -> None:
        failed.append(error)
        seen.release()

    worker = Worker(queue, compute, fail)
    for stamp_ns in (0, 100 * MS):
        push_pair(queue, stamp_ns)
        assert seen.acquire(timeout=30)
    worker.close()
    assert computed == [0, 100 * MS]
    assert [str(error) for error in failed] == ['by the first set']


def test_what_a_faster_camera_has_too_many_is_told() -> None:
    figures = Monitor(('a', 'b')).values(0, SyncStats(between=7, late=2))
    assert (figures['images_between'], figures['images_late']) == ('7', '2')
