# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Between the callbacks and the worker: images go in as they arrive, the newest set comes out."""

import threading
import time
from collections.abc import Callable
from typing import Any

from selfdepth_ros.core.sync import SetReady, SurroundSync, SyncStats


class SetQueue:
    """Thread-safe: the executor pushes, one worker takes. The newest set wins, others are counted.

    Deadlines run on the steady clock, so that a paused simulation or a clock that jumps does not
    hold images back. Nothing here looks into the payloads.
    """

    def __init__(
        self, sync: SurroundSync, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._sync, self._clock_ns = sync, clock_ns
        self._changed = threading.Condition()
        self._newest: SetReady | None = None
        self._closed = False
        self.dropped = 0
        """Sets that a newer one replaced before the worker came to them."""

    @property
    def stats(self) -> SyncStats:
        """Counters of the synchronizer."""
        return self._sync.stats

    def leads_ns(self) -> dict[str, int]:
        """By how much the stamps of each camera whose images come are ahead of those of most."""
        with self._changed:
            return self._sync.leads_ns(self._clock_ns())

    @property
    def deadline_ns(self) -> int:
        """How long a set waits for the images of all cameras."""
        return self._sync.deadline_ns

    def push(self, camera: str, stamp_ns: int, payload: Any) -> None:
        """Take in one image."""
        with self._changed:
            before = self._sync.next_deadline_ns
            self._offer(self._sync.push(camera, stamp_ns, self._clock_ns(), payload))
            if self._newest is not None or self._sync.next_deadline_ns != before:
                self._changed.notify()

    def put(self, ready: SetReady) -> None:
        """Take in a set that somebody else has formed."""
        with self._changed:
            self._sync.stats.complete_sets += not ready.missing
            self._sync.stats.partial_sets += bool(ready.missing)
            self._offer([ready])
            self._changed.notify()

    def take(self) -> SetReady | None:
        """Wait for a set and return it; None when the queue is closed."""
        with self._changed:
            while not self._closed:
                self._offer(self._sync.expire(self._clock_ns()))
                if self._newest is not None:
                    ready, self._newest = self._newest, None
                    return ready
                self._changed.wait(self._patience_s())
            return None

    def close(self) -> None:
        """Let the worker go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _offer(self, sets: list[SetReady]) -> None:
        for ready in sets:
            self.dropped += self._newest is not None
            self._newest = ready

    def _patience_s(self) -> float | None:
        deadline_ns = self._sync.next_deadline_ns
        return None if deadline_ns is None else max(0.0, (deadline_ns - self._clock_ns()) * 1e-9)


class Worker:
    """One thread that computes sets until it is closed. No exception ends it."""

    def __init__(
        self,
        queue: SetQueue,
        compute: Callable[[SetReady], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._queue, self._compute, self._failed = queue, compute, failed
        self._thread = threading.Thread(target=self._run, name='surround_depth', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish the set in work, then end."""
        self._queue.close()
        self._thread.join()

    def _run(self) -> None:
        while (ready := self._queue.take()) is not None:
            try:
                self._compute(ready)
            except Exception as error:  # whatever it was: say it, and go on with the next set
                self._failed(error)
