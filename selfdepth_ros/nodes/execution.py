# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From a node to a process: executor, signals, exit status."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TypeVar

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.memory import keep_memory
from selfdepth_ros.nodes.package_log import package_log

NodeT = TypeVar('NodeT', bound=Node)
EXIT_BUG = 1
"""What Python itself ends with: an error that nobody foresaw."""
EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h: as it is set up it cannot work, and starting again does not help."""
EXIT_BROKEN = 71
"""EX_OSERR of sysexits.h: what it works with broke meanwhile, and starting again may help."""
# Waiting without a limit makes the EventsExecutor of the PyPI wheels spin with the GIL held (its
# deadline overflows in their older C++ library); with a limit it works everywhere.
_PATIENCE_S = 0.25
_AGAIN_S = 0.1
_STOP = (signal.SIGINT, signal.SIGTERM)
_left_behind: list[threading.Thread] = []


class StartError(SelfdepthError):
    """A node could not start, and has said why in its log; `status` is for the process."""

    def __init__(self, name: str, status: int = EXIT_CONFIG) -> None:
        super().__init__(f'{name} could not start')
        self.status = status


class BrokenError(SelfdepthError):
    """A node that worked and cannot go on in this process: EXIT_BROKEN."""


class Stop:
    """Handles SIGINT and SIGTERM: KeyboardInterrupt, or only a note while it is `held`.

    Only the first one interrupts, for what follows is cleaning up. An exception out of a handler
    inside the executor's C++ code comes out as another one.
    """

    def __init__(self) -> None:
        self.asked = self.held = self._interrupted = False
        for number in _STOP:
            signal.signal(number, self._ask)

    def release(self) -> None:
        """Raise the KeyboardInterrupt that was held; from now on signals interrupt at once."""
        self.held = False
        if self.asked:
            self._interrupt()

    def _interrupt(self) -> NoReturn:
        self._interrupted = True
        raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self.held or self._interrupted:
            return
        if not _mistakes_an_interrupt(frame):
            self._interrupt()
        # Minutes of compiling may follow that nobody looks at `asked` in: let it come again.
        again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()


def _mistakes_an_interrupt(frame: FrameType | None) -> bool:
    """Whether code is at work that makes something else of an exception out of a handler.

    An extension that is interrupted while it is imported raises ImportError, "not installed";
    numba's LLVM prints an exception in its callbacks and forgets it.
    """
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith('<frozen importlib') or 'llvmlite' in name:
            return True
        frame = frame.f_back
    return False


def make_executor() -> Executor:
    """Return the executor that costs least: events where rclpy has them (Jazzy and newer)."""
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()


def leave_behind(thread: threading.Thread) -> None:
    """Say of a daemon thread that it could not be ended: `run` ends the process without it.

    C++ code that calls Python while the interpreter cleans up aborts the process.
    """
    _left_behind.append(thread)


def run(
    name: str,
    make_node: Callable[[], NodeT],
    start: Callable[[NodeT], None],
    args: Sequence[str] | None,
    finished: Callable[[NodeT], bool] = lambda node: False,
) -> int:
    """Make a node, start it, spin it until it has finished or a signal comes, and clean up.

    Returns the exit status of the process: 0 when it was asked to end or has finished. An error
    on purpose (or a bad parameter, or arguments that ROS cannot read) is one FATAL line and
    EXIT_CONFIG; BrokenError, which `finished` may raise, EXIT_BROKEN. Where a thread had to be
    left behind it does not return, but ends the process with that status.
    """
    status = _run(name, make_node, start, args, finished)
    if any(thread.is_alive() for thread in _left_behind):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
    return status


def _run(
    name: str,
    make_node: Callable[[], NodeT],
    start: Callable[[NodeT], None],
    args: Sequence[str] | None,
    finished: Callable[[NodeT], bool],
) -> int:
    keep_memory()
    try:
        # rclpy's own handlers end the context at once, while the worker may still be publishing.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # of all kinds that rclpy has for this
        _give_up(name, f'ROS refuses what the node was started with: {error}')
        return EXIT_CONFIG
    stop = Stop()
    node = None
    try:
        node = make_node()
        with package_log(node.get_logger()):
            start(node)
            stop.held = True
            _spin(node, lambda: stop.asked or finished(node))
    except (SelfdepthError, ParameterException) as error:
        if stop.asked:
            return 0  # a signal in the middle of an import comes out as "not installed"
        if isinstance(error, StartError):
            return error.status
        _give_up(name, str(error))
        return EXIT_BROKEN if isinstance(error, BrokenError) else EXIT_CONFIG
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        stop.held = True
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _give_up(name: str, why: str) -> None:
    """Say why in one line, whatever the reason is made of."""
    get_logger(name).fatal(' '.join(why.split()))


@contextmanager
def listening(name: str) -> Iterator[tuple[Node, Callable[[float], None]]]:
    """A node, and a function that lets it hear what comes for so many seconds.

    SIGINT and SIGTERM end that with KeyboardInterrupt, between two callbacks; so do they at any
    later time, when the node is gone.
    """
    stop = Stop()
    stop.held = True
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = None
    try:
        node = Node(name)
        executor = make_executor()
        executor.add_node(node)

        def spin(seconds: float) -> None:
            end_s = time.monotonic() + seconds
            while not stop.asked and (left_s := end_s - time.monotonic()) > 0:
                executor.spin_once(timeout_sec=min(left_s, _PATIENCE_S))
            if stop.asked:
                raise KeyboardInterrupt

        yield node, spin
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
        stop.release()


def _spin(node: Node, ended: Callable[[], bool]) -> None:
    """Run callbacks until the end, or until the context is shut down."""
    executor = make_executor()
    executor.add_node(node)
    while rclpy.ok() and not ended():
        executor.spin_once(timeout_sec=_PATIENCE_S)
