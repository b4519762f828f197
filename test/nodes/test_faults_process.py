# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Signals at any moment, and listeners that do not listen."""

import random
import signal
import time
from pathlib import Path

import pytest
from std_srvs.srv import Trigger

HERE = Path(__file__).parent
NODE = '/surround_depth'
SIX = ('a', 'b', 'c', 'd', 'e', 'f')
OK = b'\0'


def handles(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal (Linux)."""
    status = Path(f'/proc/{pid}/status').read_text()
    caught = next(line for line in status.splitlines() if line.startswith('SigCgt:'))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_ends_the_node_in_order(
    scene, listener, cameras, tmp_path, number
) -> None:
    """From the first line of ours on; before it, Python itself dies of the signal."""
    draw = random.Random(int(number))
    for index, longest_s in enumerate((0.0, 0.5, 1.0, 1.5, 2.0)):
        code = (
            'import sys; from selfdepth_ros.nodes import start; sys.exit(start.surround_depth())'
        )
        log = tmp_path / f'{index}.log'
        process = type(cameras)(log, '-c', code, model=scene.model)
        listener.wait(lambda p=process: handles(p.process.pid, signal.SIGTERM), 'our first line')
        delay_s = draw.uniform(longest_s - 0.5, longest_s)
        time.sleep(max(0.0, delay_s))  # the moment that is tried, nothing is waited for
        assert process.stop(number) == 0, (delay_s, process.log)
        assert 'Traceback' not in process.log, delay_s
        assert not process.lines('ERROR'), delay_s
        assert not process.lines('FATAL'), delay_s


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_clouds_are_saved_leaves_no_half_file(
    surround, listener, stage, tmp_path, number
) -> None:
    folder, draw = tmp_path / 'clouds', random.Random(int(number))
    node = surround(**stage.parameters, **{'save.folder': folder})
    stage.play_until(stage.comes(*SIX), 'a whole cloud')
    client = listener.client(Trigger, f'{NODE}/save_cloud')
    calls = [client.call_async(Trigger.Request()) for _ in range(20)]
    saved = draw.randrange(1, 5)
    stage.play_until(lambda: sum(call.done() for call in calls) >= saved, 'some clouds')
    assert node.stop(number) == 0
    assert 'Traceback' not in node.log
    files = list(folder.iterdir())
    assert files
    for path in files:
        assert path.suffix in ('.ply', '.pcd'), 'nothing half done is left'
        head, end, body = path.read_bytes().partition(
            b'end_header\n' if path.suffix == '.ply' else b'DATA binary\n'
        )
        assert end
        key = b'element vertex ' if path.suffix == '.ply' else b'POINTS '
        count = int(head.partition(key)[2].split()[0])
        assert count > 0
        assert len(body) == count * (15 if path.suffix == '.ply' else 16)


def test_a_subscriber_that_never_reads_delays_nobody(
    surround, listener, stage, cameras, tmp_path
) -> None:
    """Reliable, its executor never spins; then stopped (SIGSTOP), then dead (SIGKILL)."""
    node = surround(**stage.parameters)
    last = listener.diagnostics()
    stage.play_until(stage.comes(*SIX), 'a whole cloud')
    deaf = type(cameras)(tmp_path / 'deaf.log', str(HERE / 'deaf.py'))
    try:
        topic = f'{NODE}/points'
        stage.play_until(lambda: listener.node.count_subscribers(topic) == 2, 'it subscribes')
        for number in (None, signal.SIGSTOP, signal.SIGKILL):
            if number:
                deaf.process.send_signal(number)
            many = len(stage.clouds) + 15  # more than its history and ours hold
            stage.play_until(lambda many=many: len(stage.clouds) >= many, f'clouds ({number})')
            stage.play_until(stage.comes(*SIX), f'whole clouds ({number})')
            stage.play_until(lambda: last()[:2] == (OK, 'running'), f'a happy node ({number})')
    finally:
        deaf.process.kill()
        deaf.status()
    assert not node.lines('ERROR')
    assert not node.lines('WARN')
