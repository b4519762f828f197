# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Time that starts again, leaps, or is another one for each camera.

Every cloud that comes meanwhile is compared, to the bit, with what the pictures of its cameras
become, and has the stamp of a set that was sent (Stage.judge).
"""

import importlib.util

import pytest
from rosgraph_msgs.msg import Clock

from selfdepth_ros.nodes.to_ros import header

OK, WARN = b'\0', b'\1'
SIX = ('a', 'b', 'c', 'd', 'e', 'f')
SECOND = 10**9
FRAMES = 6
"""Of the bag that starts again: shorter than any time in which the node would give up on it."""
needs_message_filters = pytest.mark.skipif(
    importlib.util.find_spec('message_filters') is None, reason='message_filters is not installed'
)


class SimulatedTime:
    """/clock, as a bag that plays with --clock has it: the stamp of each set, just before it."""

    def __init__(self, listener, stage) -> None:
        self._publisher = listener.node.create_publisher(Clock, '/clock', 10)
        self._stage, self._step = stage, stage.step
        stage.step = self._tick

    def _tick(self) -> None:
        self._publisher.publish(Clock(clock=header(self._stage.stamp_ns, '').stamp))
        self._step()


@pytest.mark.parametrize(
    ('sync', 'simulated'),
    [
        ('surround', False),
        ('surround', True),
        pytest.param('message_filters', True, marks=needs_message_filters),
    ],
)
def test_a_bag_that_is_played_ten_times(surround, listener, stage, sync, simulated) -> None:
    node = surround(**stage.parameters, sync=sync, use_sim_time=str(simulated).lower())
    clock = SimulatedTime(listener, stage) if simulated else None
    last, start_ns = listener.diagnostics(), stage.stamp_ns
    end_ns = start_ns + FRAMES * SECOND // 10
    for _ in range(10):
        stage.stamp_ns, comes = start_ns, stage.comes(*SIX)
        stage.play_until(
            lambda comes=comes: comes() and stage.stamp_ns >= end_ns, f'clouds (clock: {clock})'
        )
    stage.play_until(lambda: last()[:2] == (OK, 'running'), 'nothing to complain of')
    assert not node.lines('ERROR')
    assert not node.lines('WARN')


def test_time_that_leaps_back_and_ahead(surround, listener, stage) -> None:
    node = surround(**stage.parameters)
    last = listener.diagnostics()
    stage.play_until(stage.comes(*SIX), 'a whole cloud')
    for leap_s in (3600, -3600, 1.7, -1.7, -0.4, 1e8, -1e8, -900):
        stage.stamp_ns += int(leap_s * SECOND)
        stage.play_until(stage.comes(*SIX), f'whole clouds {leap_s} s later')
    stage.play_until(lambda: last()[:2] == (OK, 'running'), 'nothing to complain of')
    assert not node.lines('ERROR')


@pytest.mark.parametrize('ahead_s', [-50, 50])
def test_the_clock_of_one_camera_is_wrong(surround, listener, stage, ahead_s) -> None:
    node = surround(**stage.parameters)
    last = listener.diagnostics()
    others = [name for name in SIX if name != 'd']
    stage.play_until(stage.comes(*SIX), 'a whole cloud')
    stage.ahead_ns['d'] = ahead_s * SECOND
    stage.play_until(stage.comes(*others), 'clouds of the others')
    stage.play_until(
        lambda: 'clouds without d' in last()[1] and 'images_stray' in last(5)[1],
        'd on /diagnostics',
    )
    assert last()[0] == last(5)[0] == WARN
    stage.play_until(lambda: int(last()[2].get('images_stray', 0)) > 0, 'what it loses')
    stage.ahead_ns.clear()
    stage.play_until(stage.comes(*SIX), 'whole clouds once it is right')
    stage.play_until(lambda: last()[:2] == (OK, 'running'), 'nothing to complain of')
    assert not node.lines('ERROR')


def test_the_clock_of_one_camera_is_a_little_ahead(surround, listener, stage) -> None:
    """By more than the stage's deadline, and less than another time line."""
    node = surround(**stage.parameters)
    last = listener.diagnostics()
    others = [name for name in SIX if name != 'd']
    stage.play_until(stage.comes(*SIX), 'a whole cloud')
    stage.ahead_ns['d'] = 1_500 * SECOND // 1_000
    stage.play_until(stage.comes(*others), 'clouds of the others')
    stage.play_until(
        lambda: 'clouds without d' in last()[1] and 'clock is ahead' in last(5)[1],
        'd on /diagnostics',
    )
    assert last()[0] == last(5)[0] == WARN
    stage.ahead_ns.clear()
    stage.play_until(stage.comes(*SIX), 'whole clouds once it is right')
    stage.play_until(lambda: last()[:2] == (OK, 'running'), 'nothing to complain of')
    assert not node.lines('ERROR')
