# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is shown when somebody plays, stops or moves the timeline."""

import threading
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from selfdepth_ros.view import player as player_module
from selfdepth_ros.view.errors import ViewError
from selfdepth_ros.view.moments import Moment
from selfdepth_ros.view.player import Player

SECOND = 10**9


class Recorded:
    """A moment a second."""

    rig = None

    def __init__(self, count: int) -> None:
        self.span_ns = 0, max(0, count - 1) * SECOND
        self._count = count

    def since(self, stamp_ns: int):
        for index in range(self._count):
            if index * SECOND >= stamp_ns:
                yield Moment(index * SECOND, np.zeros((1, 3), np.float32), None, ())


class Timeline:
    plays, wanted_s, at_s = False, None, None

    def take_wanted_s(self) -> float | None:
        wanted_s, self.wanted_s = self.wanted_s, None
        return wanted_s

    def stop(self) -> None:
        self.plays = False

    def move_to(self, seconds: float) -> None:
        self.at_s = seconds


class Scene:
    """What is shown; `then` says what somebody does when so many moments were."""

    def __init__(self, then) -> None:
        self.shown: list[int] = []
        self.timeline, self._then, self.changed = Timeline(), then, None

    def add_timeline(self, seconds, changed):
        self.seconds, self.changed = seconds, changed
        return self.timeline

    def show(self, moment) -> None:
        self.shown.append(moment.stamp_ns // SECOND)
        if act := self._then.get(len(self.shown)):
            act(self)

    def play(self, wanted_s=None, plays=True) -> None:
        self.timeline.wanted_s, self.timeline.plays = wanted_s, plays
        self.changed(self.timeline)


class Clock:
    """Time passes only while the player waits; it ends when nothing will happen any more."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.waited: list[float] = []
        self.later: list[Callable[[], None]] = []
        """What somebody does whenever nothing happens."""

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, event: threading.Event, timeout: float) -> bool:
        if event.is_set():
            return True
        if timeout > 1000 and not self.later:
            raise KeyboardInterrupt
        if timeout > 1000:
            self.later.pop(0)()
            return True
        self.now_s += timeout
        self.waited.append(timeout)
        return False


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()

    class Event:
        def __init__(self) -> None:
            self._event = threading.Event()
            self.set, self.clear, self.is_set = (
                self._event.set, self._event.clear, self._event.is_set
            )  # fmt: skip

        def wait(self, timeout: float) -> bool:
            return made.wait(self._event, timeout)

    monkeypatch.setattr(player_module, 'time', made)
    monkeypatch.setattr(player_module, 'threading', SimpleNamespace(Event=Event))
    return made


def play(scene: Scene, count: int = 4) -> list[int]:
    with pytest.raises(KeyboardInterrupt):
        Player(Recorded(count), scene).run()
    return scene.shown


def test_at_first_the_first_moment_is_shown_and_nothing_plays(clock) -> None:
    scene = Scene({})
    assert play(scene) == [0]
    assert scene.seconds == 3.0
    assert scene.timeline.at_s == 0.0


def test_it_plays_at_the_pace_of_the_stamps_to_the_end(clock) -> None:
    scene = Scene({1: Scene.play})
    assert play(scene) == [0, 1, 2, 3]
    assert not scene.timeline.plays
    assert scene.timeline.at_s == 3.0
    assert sum(clock.waited) == pytest.approx(3.0)


def test_played_again_after_the_end_it_begins_anew(clock) -> None:
    scene = Scene({})
    clock.later = [scene.play, scene.play]
    assert play(scene, 3) == [0, 1, 2, 0, 1, 2]


def test_the_slider_shows_the_moment_it_is_moved_to(clock) -> None:
    scene = Scene({1: lambda s: s.play(2.0, plays=False)})
    assert play(scene) == [0, 2]
    assert scene.timeline.at_s == 2.0


def test_moved_while_it_plays_it_plays_on_from_there(clock) -> None:
    scene = Scene({1: Scene.play, 3: lambda s: s.play(1.0)})
    assert play(scene) == [0, 1, 2, 1, 2, 3]


def test_beyond_the_last_moment_nothing_changes(clock) -> None:
    assert play(Scene({1: lambda s: s.play(99.0, plays=False)})) == [0]


def test_what_cannot_be_shown_is_said() -> None:
    with pytest.raises(ViewError, match='no cloud'):
        Player(Recorded(0), Scene({}))
