# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From a node to a process: executor, signals, exit status."""

import contextlib
import signal
from collections.abc import Callable, Sequence
from typing import TypeVar

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from selfdepth_ros.core.errors import SelfdepthError

NodeT = TypeVar('NodeT', bound=Node)
EXIT_FAILED = 1
# Waiting without a limit makes the EventsExecutor of the PyPI wheels spin with the GIL held (its
# deadline overflows in their older C++ library); with a limit it works everywhere.
_PATIENCE_S = 0.25
_STOP = (signal.SIGINT, signal.SIGTERM)


class StartError(SelfdepthError):
    """A node could not start, and has said why in its log."""


def make_executor() -> Executor:
    """Return the executor that costs least: events where rclpy has them (Jazzy and newer)."""
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()


def spin(executor: Executor) -> None:
    """Run callbacks until the context is shut down, or SIGINT or SIGTERM interrupt."""
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        while rclpy.ok():
            executor.spin_once(timeout_sec=_PATIENCE_S)


def run(
    name: str,
    make_node: Callable[[], NodeT],
    start: Callable[[NodeT], None],
    args: Sequence[str] | None,
) -> int:
    """Make a node, start it, spin it and clean up; returns the exit status of the process.

    An error on purpose (or a bad parameter) is one FATAL line and status 1.
    """
    # rclpy's own handlers end the context at once, while the worker may still be publishing.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    for number in _STOP:
        signal.signal(number, signal.default_int_handler)
    node = None
    try:
        node = make_node()
        start(node)
        executor = make_executor()
        executor.add_node(node)
        spin(executor)
    except (SelfdepthError, ParameterException) as error:
        if not isinstance(error, StartError):
            get_logger(name).fatal(str(error))
        return EXIT_FAILED
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        # A terminal and a launch system may both send SIGINT: the second must not stop this.
        for number in _STOP:
            signal.signal(number, signal.SIG_IGN)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
