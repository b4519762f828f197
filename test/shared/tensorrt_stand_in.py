# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A `tensorrt` module without a GPU, whose builder treats callbacks as the real bindings do.

What a callback raises is caught in C++: log() and phase_*() are printed and go on, step_complete()
counts as a no. A signal comes while C++ code works, so Python handles it in the callback.
"""

import ctypes
import enum
import functools
import operator
import signal
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

STEPS = 4
_RAISE = getattr(ctypes.PyDLL(None), 'raise')
_CALL = operator.methodcaller('__call__')


class Severity(enum.Enum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    VERBOSE = 4


class ILogger:
    Severity = Severity


class IProgressMonitor:
    """The base class of monitors."""


class Called:
    """Calls Python as C++ does; at the callbacks of `signals` a signal comes just before."""

    def __init__(self, signals: Mapping[str, int]) -> None:
        self.lost: list[BaseException] = []
        """What callbacks raised."""
        self._signals = dict(signals)

    def __call__(self, callback: Callable[..., Any], *values: Any) -> Any:
        calls = [functools.partial(callback, *values)]
        if number := self._signals.pop(callback.__name__, 0):
            calls.insert(0, functools.partial(_RAISE, int(number)))
        try:
            # No bytecode of Python runs between the signal and the callback's own.
            return list(map(_CALL, calls))[-1]
        except BaseException as error:
            self.lost.append(error)
            return False


def module(called: Called) -> SimpleNamespace:
    """The module; its engines are the bytes b'plan'."""

    class Builder:
        def __init__(self, logger: Any) -> None:
            self._logger = logger

        def create_network(self, flags: int) -> None:
            return None

        def create_builder_config(self) -> SimpleNamespace:
            return SimpleNamespace(
                add_optimization_profile=lambda profile: None,
                create_timing_cache=lambda stored: stored,
                set_timing_cache=lambda cache, ignore: True,
                get_timing_cache=lambda: SimpleNamespace(serialize=lambda: b'timings'),
            )

        def create_optimization_profile(self) -> SimpleNamespace:
            return SimpleNamespace(set_shape=lambda *shapes: None)

        def build_serialized_network(self, network: None, config: Any) -> bytes | None:
            monitor = config.progress_monitor
            called(monitor.phase_start, 'Building', None, STEPS)
            for step in range(STEPS):
                called(self._logger.log, Severity.VERBOSE, 'a tactic')
                if not called(monitor.step_complete, 'Building', step):
                    return None
            called(monitor.phase_finish, 'Building')
            return b'plan'

    class Runtime:
        def __init__(self, logger: Any) -> None:
            self._logger = logger

        def deserialize_cuda_engine(self, plan: bytes) -> None:
            called(self._logger.log, Severity.ERROR, 'no such GPU')

    return SimpleNamespace(
        __version__='10.9',
        Builder=Builder,
        ILogger=ILogger,
        IProgressMonitor=IProgressMonitor,
        NetworkDefinitionCreationFlag=SimpleNamespace(STRONGLY_TYPED=1),
        OnnxParser=lambda network, logger: SimpleNamespace(parse=lambda model: True),
        Runtime=Runtime,
    )


def handlers() -> tuple[Any, Any]:
    """What handles SIGINT and SIGTERM."""
    return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
