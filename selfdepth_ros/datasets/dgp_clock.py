# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""DDAD's stamps -> times of ROS, whose seconds are an int32 (until 2038)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_SPAN_NS = 2**31 * 1_000_000_000
_SLOW_NS = 500_000_000
"""DGP scenes are sampled at 10 Hz; a step longer than this is not one of them."""


class Clock(NamedTuple):
    """stamp // divisor - subtracted_ns."""

    divisor: int = 1
    subtracted_ns: int = 0
    notes: tuple[str, ...] = ()

    def __call__(self, stamp_ns: int) -> int:
        return stamp_ns // self.divisor - self.subtracted_ns

    def told(self) -> dict[str, int]:
        """Plain values, to undo it."""
        return {'divisor': self.divisor, 'subtracted_ns': self.subtracted_ns}


def clock_of(stamps_ns: Sequence[int]) -> Clock:
    """Return the clock for the samples of a scene.

    DDAD's stamps lie in the year 2463 and its samples, taken at 10 Hz, a second apart: it counts
    tenths of microseconds and calls them microseconds. A tenth of them is 2019, and 10 Hz. Others
    beyond int32 seconds keep their pace and lose a multiple of 2^31 seconds.
    """
    first, last = min(stamps_ns), max(stamps_ns)
    if last < _SPAN_NS:
        return Clock()
    steps_ns = np.diff(sorted(set(stamps_ns)))
    beyond = f'stamps begin at {_date(first)}, beyond the seconds of ROS (int32)'
    if not steps_ns.size or np.median(steps_ns) > _SLOW_NS:
        begin = _date(first // 10)
        why = 'and are ten times too slow: they count 0.1 us as 1 us'
        return Clock(10, 0, (f'{beyond}, {why}. Divided by 10: they begin at {begin}',))
    subtracted_ns = first // _SPAN_NS * _SPAN_NS
    seconds = subtracted_ns // 1_000_000_000
    begin = _date(first - subtracted_ns)
    return Clock(
        1, subtracted_ns, (f'{beyond}. {seconds} s are subtracted: they begin at {begin}',)
    )


def _date(stamp_ns: int) -> str:
    return time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(stamp_ns // 1_000_000_000))
