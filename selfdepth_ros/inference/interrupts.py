# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""SIGINT and SIGTERM while C++ code calls back into Python."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_elsewhere: list[Callable[[], None]] = []
"""Notes of what is at work in other threads than the main one."""


def interrupt_other_threads() -> None:
    """Call the notes of what is at work there now: no signal reaches it, and all is to end."""
    for note in list(_elsewhere):
        note()


@contextmanager
def held_interrupts(note: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold signals back; what handles them usually is called at the end, once, if one came.

    Python runs a handler in whatever it does next: in a callback of the C++ code, which catches
    its KeyboardInterrupt and goes on. `note` is called at once. Only signals that have a handler
    in Python are held, and in the main thread only: no handler runs in others, whose `note` is for
    `interrupt_other_threads`.
    """
    if threading.current_thread() is not threading.main_thread():
        _elsewhere.append(note)
        try:
            yield
        finally:
            _elsewhere.remove(note)
        return
    usual: dict[int, Callable[[int, FrameType | None], object]] = {
        number: handler
        for number in (signal.SIGINT, signal.SIGTERM)
        if callable(handler := signal.getsignal(number))
    }
    came: list[int] = []
    over = False

    def hold(number: int, frame: FrameType | None) -> None:
        if over:  # an interrupt has kept us from putting all the usual ones back
            usual[number](number, frame)
            return
        came.append(number)
        note()

    for number in usual:
        signal.signal(number, hold)
    try:
        yield
    finally:
        over = True
        for number, handler in usual.items():
            signal.signal(number, handler)
        if came:
            usual[came[0]](came[0], None)
