# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What /diagnostics says of cameras and engine; how a failed start ends."""

import sys
import threading
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import PointCloud2

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.manifest import file_sha256
from selfdepth_ros.core.sync import SurroundSync, SyncStats
from selfdepth_ros.nodes.diagnostics import Ahead, camera_statuses
from selfdepth_ros.nodes.intake import SILENT_AFTER_S, Arrivals
from selfdepth_ros.nodes.monitor import Monitor, Record
from selfdepth_ros.nodes.sets import SetQueue
from selfdepth_ros.nodes.transitions import transition

NODE = '/surround_depth'


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_rate_of_a_camera_is_that_of_its_last_images_and_falls_when_none_come() -> None:
    clock = Clock()
    arrivals = Arrivals('a/image_raw', clock)
    assert (arrivals.count, arrivals.rate_hz, arrivals.silent) == (0, 0.0, False)
    for _ in range(120):
        arrivals.add()
        clock.now_s += 0.1
    assert arrivals.count == 120
    assert arrivals.rate_hz == pytest.approx(10)
    clock.now_s += 0.9
    assert arrivals.rate_hz == pytest.approx(1)
    assert arrivals.silence_s == pytest.approx(1)


def test_a_camera_that_never_came_is_silent_after_a_while() -> None:
    clock = Clock()
    arrivals = Arrivals('a/image_raw', clock)
    clock.now_s += SILENT_AFTER_S * 1.01
    assert arrivals.silent
    arrivals.add()
    assert not arrivals.silent


def record(*missing: str, done_s: float = 0.0) -> Record:
    return Record(done_s, 0.1, {'infer': 0.05}, missing, 10)


def test_the_rate_of_clouds_falls_while_none_come_and_is_not_measured_over_pauses(monkeypatch):
    clock, monitor = Clock(), Monitor(('a',))
    monkeypatch.setattr('selfdepth_ros.nodes.monitor.time.monotonic', clock)
    began_s = clock()

    def rate_hz(now_s: float) -> float:
        clock.now_s = now_s
        return float(monitor.values(0, SyncStats())['rate_hz'])

    for tenth in range(11):
        monitor.add(record(done_s=began_s + tenth / 10))
    assert rate_hz(began_s + 1.05) == pytest.approx(10)
    assert rate_hz(began_s + 6) == pytest.approx(0.2)
    for tenth in range(3):  # after ten minutes without an active node
        monitor.add(record(done_s=began_s + 600 + tenth / 10))
    assert rate_hz(began_s + 600.25) == pytest.approx(10)


def test_each_camera_has_a_status_of_its_own() -> None:
    clock, monitor = Clock(), Monitor(('a', 'late', 'dead'))
    arrivals = {name: Arrivals(f'{name}/image_raw', clock) for name in monitor.cameras}
    clock.now_s += 2 * SILENT_AFTER_S
    for name in ('a', 'late'):
        arrivals[name].add()
    for missing in (('dead',), ('late', 'dead')):
        monitor.add(record(*missing))
    found = {item.hardware_id: item for item in camera_statuses('/n', arrivals, monitor)}
    assert [item.name for item in found.values()] == ['/n: a', '/n: late', '/n: dead']
    levels = {name: item.level for name, item in found.items()}
    expected = (DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR)
    assert levels == dict(zip(monitor.cameras, expected, strict=True))
    without = {name: values(item)['clouds_without'] for name, item in found.items()}
    assert without == {'a': '0 of 2', 'late': '1 of 2', 'dead': '2 of 2'}
    assert 'dead/image_raw' in found['dead'].message


@pytest.mark.parametrize('who', ['a', 'ab'])
def test_a_camera_whose_clock_is_ahead_is_told_by_how_much(who: str) -> None:
    clock, monitor, ms = Clock(), Monitor(tuple('abcd')), 10**6
    queue = SetQueue(SurroundSync('abcd', 40 * ms, 60 * ms), lambda: int(clock() * 1e9))
    arrivals = {name: Arrivals(f'{name}/image_raw', clock) for name in 'abcd'}
    for _ in range(20):
        clock.now_s += 0.1
        for name in 'abcd':
            arrivals[name].add()
            queue.push(name, int(clock() * 1e9) + (name in who) * 150 * ms, name)
    ahead = Ahead(queue.leads_ns(), queue.deadline_ns)
    for item in camera_statuses('/n', arrivals, monitor, ahead):
        is_ahead = item.hardware_id in who
        assert item.level == (DiagnosticStatus.WARN if is_ahead else DiagnosticStatus.OK)
        assert ("clock is ahead of the others' by about 150 ms" in item.message) == is_ahead
        assert values(item)['stamps_ahead_ms'] == ('150' if is_ahead else '0')


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {item.key: item.value for item in status.values}


def test_engine_and_cameras_of_a_live_node_are_on_diagnostics(scene, surround, listener) -> None:
    rig = scene.folder / 'rig_of_four.yaml'
    surround(model=scene.model, rig=rig, diagnostics_period_s=0.2)
    listener.listen(PointCloud2, f'{NODE}/points')
    messages = listener.listen(DiagnosticArray, '/diagnostics')

    def last() -> dict[str, DiagnosticStatus]:
        return {item.name: item for item in messages[-1].status} if messages else {}

    def complete() -> bool:
        dead = last().get(f'{NODE}: dead')
        return bool(dead) and dead.level == DiagnosticStatus.ERROR

    listener.wait(complete, 'the dead camera as an error')
    parts = [NODE, *(f'{NODE}: {part}' for part in ('engine', 'a', 'b', 'c', 'dead'))]
    assert [*last()] == parts
    engine = values(last()[f'{NODE}: engine'])
    assert engine['device'].startswith('ONNX Runtime ')
    assert engine['onnx_sha256'] == file_sha256(scene.model)
    assert engine['size'] == '32x24'
    assert int(values(last()[f'{NODE}: a'])['images']) > 0
    assert values(last()[f'{NODE}: dead'])['images'] == '0'


class Managed:
    """What `transition` needs of a node; keeps what was asked of it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.said: list[str] = []
        self.undone: list[tuple[Any, bool]] = []

    def get_logger(self) -> Any:
        return self

    def fatal(self, text: str) -> None:
        self.said.append(text)

    def gave_up(self, state: Any, expected: bool) -> None:
        self.undone.append((state, expected))

    @transition
    def change(self, error: Any) -> None:
        if error:
            raise error


def test_a_transition_that_raises_fails_says_why_and_is_undone() -> None:
    node, wrong, bug = Managed(), SelfdepthError('found, expected, do'), ZeroDivisionError('bug')
    assert node.change(None) == TransitionCallbackReturn.SUCCESS
    assert not node.undone
    assert node.change(wrong) == node.change(bug) == TransitionCallbackReturn.FAILURE
    assert node.undone == [(wrong, True), (bug, False)]
    assert node.said[0] == 'found, expected, do'
    assert 'Traceback' in node.said[1]


def test_build_only_ends_with_0_when_the_model_works(scene, surround) -> None:
    node = surround(model=scene.model, build_only='true')
    assert node.status() == 0, node.log
    assert [line for line in node.lines('INFO') if 'is ready on ONNX Runtime' in line]


def test_build_only_ends_with_78_when_it_gives_no_depth(scene, surround, tmp_path) -> None:
    model = sys.modules['nodes_scene'].write_model(tmp_path, gain=float('nan'))
    node = surround(model=model, build_only='true')
    assert node.status() == 78
    (fatal,) = node.lines('FATAL')
    assert '0.0% of them finite' in fatal
