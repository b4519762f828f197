# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of the sets: counts, rate, latency by stage, and what was wrong with the last."""

import math
import statistics
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from selfdepth_ros.core.health import CameraHealth
from selfdepth_ros.core.sync import SyncStats
from selfdepth_ros.nodes.intake import SILENT_AFTER_S

WINDOW = 200
"""Rate and latencies are over this many last sets."""


@dataclass(frozen=True)
class Record:
    """One set that became a cloud."""

    done_s: float
    """Steady time of the end of publishing."""
    latency_s: float
    """From the stamp of the set to the end of publishing, in ROS time."""
    stages_s: dict[str, float]
    """Where it went: waiting (transport, sync), decode ... publish."""
    missing: tuple[str, ...]
    points: int


@dataclass
class Monitor:
    """Collects from the worker, reports to the executor."""

    cameras: Sequence[str]
    done: int = 0
    idle: int = 0
    failures: int = 0
    problem: str = ''
    """What went wrong with the last set, empty once one went well."""
    unusable: Mapping[str, str] = field(default_factory=dict)
    """Camera -> why its image of the last set that was looked at could not be used."""
    _records: deque[Record] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _health: tuple[Mapping[str, CameraHealth], float] = field(default=({}, math.inf))

    @property
    def health(self) -> Mapping[str, CameraHealth]:
        """Camera -> how it was at the last look; empty before the first one, and when that is old.

        Nobody looks while nobody listens, and a camera may be repaired meanwhile.
        """
        found, until_s = self._health
        return found if time.monotonic() <= until_s else {}

    def add_health(self, found: Mapping[str, CameraHealth], for_s: float = math.inf) -> None:
        """Say how the cameras are, and for how long that is news."""
        self._health = found, time.monotonic() + for_s

    def add(self, record: Record) -> None:
        """A set became a cloud."""
        with self._lock:
            self.done += 1
            self.problem = ''
            if self._records and record.done_s - self._records[-1].done_s > SILENT_AFTER_S:
                self._records.clear()  # rates are not measured over such pauses
            self._records.append(record)

    def add_idle(self) -> None:
        """A set came and nobody wanted it. Rates are not measured over such pauses, and what was
        wrong with the images of the last cloud may be so no longer."""
        with self._lock:
            self.idle += 1
            self.problem, self.unusable = '', {}
            self._records.clear()

    def add_failure(self, problem: str) -> bool:
        """A set failed; returns whether the problem is a new one."""
        with self._lock:
            self.failures += 1
            new, self.problem = problem != self.problem, problem
            return new

    @property
    def missing(self) -> tuple[str, ...]:
        """Cameras that the last cloud lacked."""
        with self._lock:
            return self._records[-1].missing if self._records else ()

    def camera_problems(self) -> list[str]:
        """Say which cameras were found to be turned, dirty, dark or wrong, and for how long."""
        now_s, health = time.monotonic(), self.health
        return [
            f'camera {name}: {item.describe(now_s)}'
            for name, item in health.items()
            if item.problem
        ]

    def sets_without(self, camera: str) -> str:
        """How many of the last sets lacked a camera, in words."""
        with self._lock:
            without = sum(camera in record.missing for record in self._records)
            return f'{without} of {len(self._records)}'

    def values(self, dropped: int, stats: SyncStats) -> dict[str, str]:
        """Return all figures by name."""
        with self._lock:
            records = list(self._records)
        counts = {
            'clouds': self.done,
            'sets_failed': self.failures,
            'sets_not_wanted': self.idle,
            'sets_dropped': dropped,
            'sets_complete': stats.complete_sets,
            'sets_partial': stats.partial_sets,
            'images_late': stats.late,
            'images_duplicate': stats.duplicate,
            'images_stray': stats.stray,
            'images_between': stats.between,
        }
        values = {name: str(count) for name, count in counts.items()}
        missing = records[-1].missing if records else ()
        values['cameras_missing'] = ' '.join(missing)
        values['cameras_present'] = ' '.join(n for n in self.cameras if n not in missing)
        return values | _figures(records, time.monotonic())


def _figures(records: Sequence[Record], now_s: float) -> dict[str, str]:
    """Rate, latency and stages of some records, in Hz and milliseconds.

    The rate falls while no set becomes a cloud.
    """
    if len(records) < 2:
        return {}
    period_s = (records[-1].done_s - records[0].done_s) / (len(records) - 1)
    period_s = max(period_s, now_s - records[-1].done_s)
    total = [record.latency_s for record in records]
    outside = [record.latency_s - record.stages_s['infer'] for record in records]
    figures = {
        'window_sets': str(len(records)),
        'rate_hz': f'{1 / period_s:.2f}',
        'latency_median_ms': _ms(statistics.median(total)),
        'latency_p95_ms': _ms(_p95(total)),
        'outside_network_median_ms': _ms(statistics.median(outside)),
        'outside_network_p95_ms': _ms(_p95(outside)),
        'points': str(records[-1].points),
    }
    for stage in records[-1].stages_s:
        spent = [record.stages_s[stage] for record in records]
        figures[f'{stage}_median_ms'] = _ms(statistics.median(spent))
    return figures


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def _ms(seconds: float) -> str:
    return f'{seconds * 1e3:.2f}'
