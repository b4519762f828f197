# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The nodes of the demonstration, each a process of its own that is always stopped again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import selfdepth_ros
from selfdepth_ros.demo.errors import DemoError
from selfdepth_ros.nodes.execution import Stop

PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
_OLDER_NAME_TOO = ('humble', 'iron', 'jazzy')
_PATIENCE_S = 10.0
_TAIL_LINES = 8


def set_up_middleware(domain: int) -> None:
    """Keep ROS on this machine and in a domain of its own, for this process and its children.

    Fast DDS gets shared memory that holds six raw images, unless the user has a profile.
    """
    os.environ['ROS_DOMAIN_ID'] = str(domain)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ['ROS_LOCALHOST_ONLY'] = '1'  # what Humble calls it
    profile = shared_file('config', 'fastdds.xml')
    if profile and not any(name in os.environ for name in PROFILE_VARIABLES):
        os.environ[PROFILE_VARIABLES[0]] = str(profile)
        if os.environ.get('ROS_DISTRO') in _OLDER_NAME_TOO:
            os.environ[PROFILE_VARIABLES[1]] = str(profile)


def shared_file(*parts: str) -> Path | None:
    """Return a file beside the package: in the source tree, or in an installed share folder."""
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    shares = [Path(prefix, 'share', 'selfdepth_ros') for prefix in prefixes if prefix]
    places = [Path(selfdepth_ros.__file__).parents[1], *shares]
    return next((found for place in places if (found := place.joinpath(*parts)).is_file()), None)


class NodeProcess:
    """A node of this package as a process, from entering to leaving a `with`.

    Its output goes to a log file. `started_s` is the steady time of its start.
    """

    def __init__(self, node: str, parameters: dict[str, Any], log: Path, stop: Stop) -> None:
        self.name, self._log, self._stop = node, log, stop
        self._command = [sys.executable, '-m', f'selfdepth_ros.nodes.{node}', '--ros-args']
        for name, value in parameters.items():
            self._command += ['-p', f'{name}:={_yaml(value)}']

    def __enter__(self) -> 'NodeProcess':
        # An interrupt between the fork and the assignment would leave a process nobody knows.
        self._stop.held = True
        try:
            # A session of its own: Ctrl-C reaches only the demo, which stops its nodes in order.
            self.started_s = time.monotonic()
            with self._log.open('w') as file:
                self._process = subprocess.Popen(
                    self._command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
                )
            if self._stop.asked:
                self.stop()
        finally:
            self._stop.release()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def check(self) -> None:
        """Raise DemoError with the end of the log when the process has ended."""
        status = self._process.poll()
        if status is not None:
            raise DemoError(f'{self.name} ended with status {status}: {self.tail()}')

    def tail(self) -> str:
        """Return the last lines of the log."""
        return '\n'.join(self._log.read_text(errors='replace').splitlines()[-_TAIL_LINES:])

    def stop(self) -> None:
        """Ask to end, then insist."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                return
            self._process.send_signal(number)
            try:
                self._process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                continue


def _yaml(value: Any) -> str:
    """Write a parameter value so that ROS reads it back with its type."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def wait_for_file(path: Path, process: NodeProcess, patience_s: float) -> None:
    """Wait until a process has written something into a file. Raises DemoError."""
    give_up_s = time.monotonic() + patience_s
    while not (path.is_file() and path.stat().st_size):
        process.check()
        if time.monotonic() > give_up_s:
            raise DemoError(
                f'{process.name} was not ready after {patience_s:.0f} s: {process.tail()}'
            )
        time.sleep(0.2)
