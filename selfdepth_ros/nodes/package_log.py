# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the library says with Python's logging, in the log of a node: console, file and /rosout."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import selfdepth_ros


class _ToNode(logging.Handler):
    def __init__(self, logger: Any) -> None:
        super().__init__(logging.INFO)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on, from whatever thread; rclpy ties a place in the code to a severity."""
        try:
            text = self.format(record)
            if record.levelno >= logging.ERROR:
                self._logger.error(text)
            elif record.levelno >= logging.WARNING:
                self._logger.warning(text)
            else:
                self._logger.info(text)
        except Exception:
            self.handleError(record)


@contextmanager
def package_log(logger: Any) -> Iterator[None]:
    """Let a node's rclpy logger say what the package's modules log, from INFO on, and it alone."""
    package = logging.getLogger(selfdepth_ros.__name__)
    before = package.level, package.propagate
    handler = _ToNode(logger)
    package.addHandler(handler)
    package.setLevel(min(package.getEffectiveLevel(), logging.INFO))
    package.propagate = False  # or a handler of the root logger would say it once more
    try:
        yield
    finally:
        package.removeHandler(handler)
        package.setLevel(before[0])
        package.propagate = before[1]
