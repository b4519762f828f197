# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Plays a recording in a scene, as whoever looks at it wants."""

import threading
import time

from selfdepth_ros.view.errors import ViewError
from selfdepth_ros.view.moments import Moments
from selfdepth_ros.view.scene import CloudScene

_PATIENCE_S = 3600.0
"""Waiting without a limit cannot be interrupted by a signal everywhere."""


class Player:
    """Shows the first moment, then waits for the timeline.

    Moments are read when they are shown: one is held at a time, however long the recording is.
    """

    def __init__(self, moments: Moments, scene: CloudScene) -> None:
        self._moments, self._scene = moments, scene
        self._first_ns, last_ns = moments.span_ns
        self._changed = threading.Event()
        self._timeline = scene.add_timeline(
            (last_ns - self._first_ns) * 1e-9, lambda _: self._changed.set()
        )
        self._rest = moments.since(self._first_ns)
        self._due_s = 0.0
        self._shown_ns: int | None = None
        if not self._show_next():
            raise ViewError('the recording has no cloud that can be shown, expected at least one')

    def run(self) -> None:
        """Play until KeyboardInterrupt."""
        while True:
            self._changed.wait(_PATIENCE_S)
            self._changed.clear()
            self._seek()
            while self._timeline.plays and not self._changed.is_set():
                if not self._show_next():  # what is played again begins anew
                    self._timeline.stop()
                    self._rest = self._moments.since(self._first_ns)
                    self._shown_ns = None

    def _seek(self) -> None:
        """Show the moment that the slider asks for; beyond the last one, nothing changes."""
        wanted_s = self._timeline.take_wanted_s()
        if wanted_s is not None:
            self._rest = self._moments.since(self._first_ns + round(wanted_s * 1e9))
            self._shown_ns = None
            self._show_next()

    def _show_next(self) -> bool:
        """Show the next moment when it is due, or somebody intervenes; False at the end."""
        moment = next(self._rest, None)
        if moment is None:
            return False
        if self._shown_ns is not None:
            self._due_s += (moment.stamp_ns - self._shown_ns) * 1e-9
            self._changed.wait(max(0.0, self._due_s - time.monotonic()))
        # What came late is not caught up with.
        self._due_s = max(self._due_s, time.monotonic())
        self._shown_ns = moment.stamp_ns
        self._scene.show(moment)
        self._timeline.move_to((moment.stamp_ns - self._first_ns) * 1e-9)
        return True
