# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The signals of a node: one interrupts, none is lost before it has."""

import importlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorrt_stand_in import Called, handlers, module

from selfdepth_ros.inference.tensorrt_build import compile_engine
from selfdepth_ros.nodes.execution import Stop

BOTH = (signal.SIGINT, signal.SIGTERM)


def ask(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture
def stop() -> Iterator[Stop]:
    before = handlers()
    made = Stop()
    yield made
    made.held = True
    for number, handler in zip(BOTH, before, strict=True):
        signal.signal(number, handler)


def test_what_follows_an_interrupt_is_not_interrupted(stop) -> None:
    with pytest.raises(KeyboardInterrupt):
        ask(signal.SIGTERM)
    for number in BOTH:
        ask(number)
    assert stop.asked


def test_a_held_signal_interrupts_once_when_it_is_released(stop) -> None:
    stop.held = True
    ask(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        stop.release()
    ask(signal.SIGINT)


@pytest.mark.parametrize('number', BOTH)
def test_a_signal_during_an_import_comes_again_by_itself(
    stop, number, tmp_path, monkeypatch
) -> None:
    name, text = f'asks_{number.name}', f'import os\nos.kill(os.getpid(), {int(number)})\n'
    (tmp_path / f'{name}.py').write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module(name)
    assert stop.asked
    with pytest.raises(KeyboardInterrupt):
        while True:
            time.sleep(0.01)


@pytest.mark.parametrize('number', BOTH)
@pytest.mark.parametrize('callback', ['log', 'phase_start', 'step_complete', 'phase_finish'])
def test_a_signal_while_tensorrt_compiles_interrupts(
    stop, number, callback, tmp_path, monkeypatch
) -> None:
    called = Called({callback: number})
    monkeypatch.setitem(sys.modules, 'tensorrt', module(called))
    with pytest.raises(KeyboardInterrupt):
        compile_engine(b'', {}, tmp_path / 'timing', 'drive')
    assert called.lost == []
    assert stop.asked
    ask(number)


@pytest.mark.parametrize('does', ['compiles', 'hangs'])
def test_a_reload_at_work_does_not_outlive_the_end(cameras, tmp_path, does) -> None:
    """TensorRT would call Python while that cleans up, and the process would abort."""
    timing = tmp_path / 'timing'
    command = (str(Path(__file__).parent / 'busy.py'), does, str(timing))
    node = type(cameras)(tmp_path / 'busy.log', *command)
    assert node.status() == 0, node.log
    assert 'Traceback' not in node.log
    assert not node.lines('ERROR')
    assert not timing.exists(), 'a build that is interrupted stores nothing'
