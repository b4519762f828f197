# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Looks at a set now and then, beside the worker: is some camera turned, dirty, dark, or wrong?"""

import time
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.health import HealthConfig, RigHealth, Seen
from selfdepth_ros.nodes.monitor import Monitor
from selfdepth_ros.nodes.motion import EgoMotion
from selfdepth_ros.pipeline import SurroundDepth, SurroundResult

DISTRUST = 0.5
"""What the confidence of a camera with a problem is multiplied by."""
_LEAST_M, _MOST_M = 0.3, 2.0
"""The scale of depths is told by two sets so far apart."""
_NEWS_S, _NEWS_PERIODS = 30.0, 10
"""What a look found is forgotten after so long without another: after the longer of both."""


class _Taken(NamedTuple):
    """A set that was kept, for which rig, and when."""

    seen: Seen
    stamps_ns: Sequence[int | None]
    pipeline: SurroundDepth
    taken_s: float


class HealthWatch:
    """Offered every set by the worker; copies some, and compares them in a thread of its own."""

    def __init__(
        self, logger: Any, cameras: Sequence[str], monitor: Monitor, motion: EgoMotion
    ) -> None:
        self._logger, self._cameras = logger, cameras
        self._monitor, self._motion = monitor, motion
        # Its thread ends with the last reference to it.
        self._thread = ThreadPoolExecutor(1, 'rig_health')
        self._job: Future[None] | None = None
        self._health: RigHealth | None = None
        self._before: _Taken | None = None
        self._due_s = self._looked_s = 0.0

    @property
    def trust(self) -> Any:
        """Factor (c,) of each camera's confidence; None: all are fine."""
        wrong = [name for name, found in self._monitor.health.items() if found.problem]
        if not wrong:
            return None
        return np.array([DISTRUST if name in wrong else 1 for name in self._cameras], np.float32)

    def offer(
        self,
        pipeline: SurroundDepth,
        frame: SurroundFrame,
        result: SurroundResult,
        config: HealthConfig,
    ) -> None:
        """Take one set a period, and compare it with one a little farther on the way.

        Costs the worker two copies a period, and looking up poses.
        """
        if not config.period_s:
            self.rest()
            return
        if self._job and not self._job.done():
            return
        taken_s = time.monotonic()

        def kept() -> _Taken:
            return _Taken(_seen(pipeline, result), frame.stamps_ns, pipeline, taken_s)

        if self._before is None or self._before.pipeline.rig is not pipeline.rig:
            if taken_s >= self._due_s:
                self._before, self._due_s = kept(), taken_s + config.period_s
            return
        moved = self._motion.back(frame.stamp_ns, self._before.stamps_ns)
        moved_m = None if moved is None else np.linalg.norm(moved.translation, axis=-1).max()
        if moved_m is not None and moved_m < _LEAST_M and taken_s < self._due_s:
            return
        told = moved_m is not None and _LEAST_M <= moved_m <= _MOST_M
        earlier = (self._before.seen, moved) if told else ()
        self._before = None
        self._job = self._thread.submit(self._look, kept(), config, *earlier)

    def rest(self) -> None:
        """Not to look at this set, and to distrust nobody."""
        self._before = None
        self._monitor.add_health({})

    def _look(self, now: _Taken, config: HealthConfig, *earlier: Any) -> None:
        try:
            if self._health is None or self._health.rig is not now.pipeline.rig:
                kind = now.pipeline.engine.manifest.depth_kind
                self._health = RigHealth(now.pipeline.rig, kind)
            news_s = max(_NEWS_S, _NEWS_PERIODS * config.period_s)
            if now.taken_s - self._looked_s > news_s:
                self._health.forget()
            self._looked_s = now.taken_s
            found = self._health.look(now.seen, now.taken_s, config, *earlier)
            self._monitor.add_health(dict(zip(self._cameras, found, strict=True)), news_s)
        except Exception:  # nobody waits for the result: say it here
            self._logger.error(f'health of the cameras: {traceback.format_exc()}')


def _seen(pipeline: SurroundDepth, result: SurroundResult) -> Seen:
    """What a set saw, in arrays of its own: the next set overwrites these."""
    images, depths = pipeline.last_images().copy(), result.depths.copy()
    return Seen(images, depths, result.present, result.now_from_then)
