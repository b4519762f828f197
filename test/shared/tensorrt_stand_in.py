# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A `tensorrt` module without a GPU, whose builder treats callbacks as the real bindings do.

What a callback raises is caught in C++: log() and phase_*() are printed and go on, step_complete()
counts as a no. A signal comes while C++ code works, so Python handles it in the callback.
As there, all messages go to one logger, that of the first builder or runtime, for as long as
there is any (https://github.com/NVIDIA/TensorRT/issues/1475).
"""

import ctypes
import enum
import functools
import operator
import signal
import weakref
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

STEPS = 4
Tensors = Mapping[str, tuple[tuple[int, ...], str]]
"""Name -> (shape, one of DataType)."""
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


class Pointer:
    """To the logger of the first of those that are there; nothing keeps that logger."""

    def __init__(self, called: Called) -> None:
        self._called = called
        self._users: weakref.WeakSet[Any] = weakref.WeakSet()

    def join(self, user: Any, logger: Any) -> None:
        if not self._users:
            self._first = weakref.ref(logger)
        self._users.add(user)
        user.logger = logger  # the bindings keep it as long as its user

    def log(self, severity: Severity, text: str) -> None:
        logger = self._first()
        if logger is None:
            self._called.lost.append(ReferenceError(f'{text!r} went to a logger that was freed'))
        else:
            self._called(logger.log, severity, text)


class Context:
    """Runs nothing; what `during` says happens meanwhile, and where it raises, the run fails."""

    def __init__(self, pointer: Pointer, during: Callable[[], None]) -> None:
        self._pointer, self._during = pointer, during

    def set_tensor_address(self, name: str, address: int) -> bool:
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        return True

    def execute_async_v3(self, stream: int) -> bool:
        try:
            self._during()
        except ValueError as cause:
            self._pointer.log(Severity.ERROR, str(cause))
            return False
        return True


class Engine:
    """The tensors of a model; `room`: whether its context fits into the memory."""

    def __init__(self, runtime: Any, pointer: Pointer, tensors: Tensors, **does: Any) -> None:
        self._runtime, self._pointer, self._tensors = runtime, pointer, tensors
        self._room, self._during = does.get('room', True), does.get('during', lambda: None)
        self.num_io_tensors = len(tensors)

    def get_tensor_name(self, index: int) -> str:
        return list(self._tensors)[index]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._tensors[name][0]

    def get_tensor_dtype(self, name: str) -> str:
        return self._tensors[name][1]

    def create_execution_context(self) -> Context | None:
        if self._room:
            return Context(self._pointer, self._during)
        self._pointer.log(Severity.ERROR, 'out of memory')
        return None


def module(called: Called, tensors: Tensors | None = None, **does: Any) -> SimpleNamespace:
    """The module; its engines are the bytes b'plan'. They have `tensors`; None: they are refused.

    `does`: of Engine; `refusal`: what the runtime says instead of taking a plan.
    """
    pointer = Pointer(called)

    class Builder:
        def __init__(self, logger: Any) -> None:
            pointer.join(self, logger)

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
                pointer.log(Severity.VERBOSE, 'a tactic')
                if not called(monitor.step_complete, 'Building', step):
                    return None
            called(monitor.phase_finish, 'Building')
            return b'plan'

    class Runtime:
        def __init__(self, logger: Any) -> None:
            pointer.join(self, logger)

        def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
            refusal = does.get('refusal', '' if tensors is not None else 'no such GPU')
            if not refusal:
                return Engine(self, pointer, tensors, **does)
            pointer.log(Severity.ERROR, refusal)
            return None

    return SimpleNamespace(
        __version__='10.9',
        Builder=Builder,
        DataType=SimpleNamespace(UINT8='uint8', FLOAT='float32', HALF='float16'),
        ILogger=ILogger,
        IProgressMonitor=IProgressMonitor,
        NetworkDefinitionCreationFlag=SimpleNamespace(STRONGLY_TYPED=1),
        OnnxParser=lambda network, logger: SimpleNamespace(parse=lambda model: True),
        Runtime=Runtime,
    )


def handlers() -> tuple[Any, Any]:
    """What handles SIGINT and SIGTERM."""
    return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
