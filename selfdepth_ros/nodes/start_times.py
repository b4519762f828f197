# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How long the way to the first cloud was, and what took the time: one line of the log."""

import os
import time
from pathlib import Path

from selfdepth_ros.nodes.monitor import Record

_STARTED_FIELD = 19
"""Of /proc/self/stat, counted from the state, which follows the name: ticks since boot."""


def process_age_s() -> float:
    """Seconds since this process was started; 0 where the system does not tell (not Linux)."""
    try:
        fields = Path('/proc/self/stat').read_text().rpartition(')')[2].split()
        ticks_per_s = os.sysconf('SC_CLK_TCK')
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_STARTED_FIELD]) / ticks_per_s
    except (OSError, AttributeError):
        return 0.0


class StartTimes:
    """Steps of the start, in seconds; each is from the end of the one before it to its own.

    Made when all is imported: the first step is what went before.
    """

    def __init__(self) -> None:
        self._began_s = self._last_s = time.monotonic() - process_age_s()
        self._steps_s: dict[str, float] = {}
        self._complete = False
        self.mark('imports')

    def mark(self, step: str) -> None:
        """A step has ended. Only the first time counts: that is the start."""
        if not (self._complete or step in self._steps_s):
            now_s = time.monotonic()
            self._steps_s[step], self._last_s = now_s - self._last_s, now_s

    def first_cloud(self, record: Record) -> str:
        """Say how long the way to the first cloud was; empty for all clouds after it."""
        if self._complete:
            return ''
        self._complete = True
        computing_s = sum(record.stages_s.values()) - record.stages_s['waiting']
        self._steps_s['waiting for a set'] = record.done_s - computing_s - self._last_s
        steps_s = self._steps_s | {
            'inference': record.stages_s['infer'],
            'the rest': computing_s - record.stages_s['infer'],
        }
        told = ', '.join(f'{step} {spent_s:.2f}' for step, spent_s in steps_s.items())
        return f'first cloud {record.done_s - self._began_s:.2f} s after the start ({told})'
