# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM while TensorRT works; see test/shared/tensorrt_stand_in.py."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tensorrt_stand_in import Called, handlers, module

from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference import EngineError
from selfdepth_ros.inference.interrupts import held_interrupts, interrupt_other_threads
from selfdepth_ros.inference.tensorrt_build import compile_engine
from selfdepth_ros.inference.tensorrt_engine import TensorRtEngine
from selfdepth_ros.shipped import shipped

CALLBACKS = ('log', 'phase_start', 'step_complete', 'phase_finish')


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    """Whatever a test does with signals ends with it."""
    before = handlers()
    yield
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def build(monkeypatch, tmp_path):
    """Compile, with signals at callbacks; returns what C++ has caught."""

    def run(**signals: int) -> tuple[bytes, list]:
        called = Called(signals)
        monkeypatch.setitem(sys.modules, 'tensorrt', module(called))
        try:
            plan = compile_engine(b'', {'images': (1, 2, 2, 3)}, tmp_path / 'timing', 'drive')
        finally:
            assert called.lost == [], 'C++ has caught and forgotten it'
        return plan

    return run


def test_a_build_that_nobody_interrupts_keeps_engine_and_timings(build, tmp_path):
    before = handlers()
    assert build() == b'plan'
    assert (tmp_path / 'timing').exists()
    assert handlers() == before


@pytest.mark.parametrize('callback', CALLBACKS)
def test_ctrl_c_in_any_callback_is_a_keyboard_interrupt_and_stores_nothing(
    build, tmp_path, callback
):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    before = handlers()
    with pytest.raises(KeyboardInterrupt):
        build(**{callback: signal.SIGINT})
    assert handlers() == before
    assert not (tmp_path / 'timing').exists()


@pytest.mark.parametrize('callback', CALLBACKS)
def test_a_handler_that_only_makes_a_note_ends_the_build_too(build, callback):
    noted = []
    signal.signal(signal.SIGTERM, lambda number, frame: noted.append(number))
    with pytest.raises(EngineError, match=r"'drive' was interrupted"):
        build(**{callback: signal.SIGTERM})
    assert noted == [signal.SIGTERM]


def test_ctrl_c_while_an_engine_is_loaded_is_not_lost(monkeypatch):
    called = Called({'log': signal.SIGINT})
    monkeypatch.setitem(sys.modules, 'tensorrt', module(called))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        TensorRtEngine(b'plan', Manifest.load(shipped('model.yaml')))
    assert called.lost == []


def test_signals_that_end_the_process_still_do():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with held_interrupts():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_two_signals_interrupt_once_and_both_work_again():
    came = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: came.append(number))
    with held_interrupts():
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        assert came == []
    assert came == [signal.SIGTERM]
    os.kill(os.getpid(), signal.SIGINT)
    assert came == [signal.SIGTERM, signal.SIGINT]


def test_a_build_in_another_thread_ends_when_it_is_asked_to(monkeypatch, tmp_path):
    raised: list[BaseException] = []

    class AskedAtAStep(Called):
        def __call__(self, callback, *values):
            if callback.__name__ == 'step_complete':
                main.submit(interrupt_other_threads).result()
            return super().__call__(callback, *values)

    monkeypatch.setitem(sys.modules, 'tensorrt', module(AskedAtAStep({})))

    def work() -> None:
        try:
            compile_engine(b'', {'images': (1, 2, 2, 3)}, tmp_path / 'timing', 'drive')
        except EngineError as error:
            raised.append(error)

    with ThreadPoolExecutor(1) as main:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    (error,) = raised
    assert "'drive' was interrupted" in str(error)
    assert not (tmp_path / 'timing').exists()
    interrupt_other_threads()  # nothing is there any more


def test_another_thread_leaves_signals_alone():
    seen = []

    def work() -> None:
        with held_interrupts():
            seen.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [handlers()]
