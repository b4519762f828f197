# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which frames of a drive can be learned from: those with parallax to frames before and after."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, Int64

LEAST_CHANGE = 2.0
"""Mean change of brightness (of 255) below which two images count as taken from standstill."""
STILL_M_S = 0.05
"""What is slower stands."""

Triplets = dict[int, tuple[Int[np.ndarray, ' b'], Int[np.ndarray, ' a']]]
"""For each usable frame, the frames before and after it that show parallax."""


class ParallaxLimits(NamedTuple):
    """Which neighbours in time training uses; see its DataConfig."""

    least_m: float
    most_m: float
    max_offset: int
    max_seconds: float


@runtime_checkable
class Motion(Protocol):
    """How far the robot moved between frames: far enough for parallax, near enough to show the
    same things."""

    def moved(self, first: int, second: int) -> bool:
        """Whether it moved so between a frame and a later one."""

    def nearest(self, now: int, frames: Int[np.ndarray, ' n']) -> int | None:
        """Place of the first of `frames`, from near to far, from which it moved so; None: none."""


@dataclass(frozen=True)
class MeasuredMotion:
    """Motion by where the robot was in each frame, as odometry says."""

    position: Float[np.ndarray, 'f 3']
    least_m: float
    most_m: float

    def moved(self, first: int, second: int) -> bool:
        """See `Motion`."""
        away_m = float(np.linalg.norm(self.position[second] - self.position[first]))
        return self.least_m <= away_m <= self.most_m

    def nearest(self, now: int, frames: Int[np.ndarray, ' n']) -> int | None:
        """See `Motion`."""
        away_m = np.linalg.norm(self.position[frames] - self.position[now], axis=1)
        found = np.flatnonzero((self.least_m <= away_m) & (away_m <= self.most_m))
        return int(found[0]) if len(found) else None


def triplets(
    usable: Bool[np.ndarray, ' f'],
    present: Bool[np.ndarray, 'f c'],
    stamps_ns: Int64[np.ndarray, ' f'],
    motion: Motion,
    limits: ParallaxLimits,
    watched: Callable[[list[int]], Iterable[int]] = iter,
) -> Triplets:
    """Find, for each usable frame, neighbours on either side between which the robot moved.

    They are among the `max_offset` nearest frames that have at least half of its cameras
    (`present`): others show other places. Where the robot is too slow for that, so that more than
    half of the frames that could have neighbours have none there, a side without takes as many
    steps as `max_offset`, each to the nearest frame that moved enough, within `max_seconds`.
    `watched` goes through the frames, once or twice: a progress bar.
    """
    drive = _Drive(present, stamps_ns, np.maximum.accumulate(stamps_ns), motion, limits)
    frames = np.flatnonzero(usable).tolist()
    sides = {now: (drive.near(now, -1), drive.near(now, 1)) for now in watched(frames)}
    near = _with_both(sides)
    if 2 * len(near) >= len(frames):
        return near
    stepped = {}
    for now in watched(frames):
        before, after = sides[now]
        stepped[now] = before or drive.stepped(now, -1), after or drive.stepped(now, 1)
    far = _with_both(stepped)
    # Drives that do without stay as they are, frames of a halt or of a slow moment included.
    return near if 2 * len(near) >= len(far) else far


def _with_both(sides: dict[int, tuple[list[int], list[int]]]) -> Triplets:
    """Those with neighbours on both sides, in order of time."""
    return {
        now: (np.array(sorted(before)), np.array(sorted(after)))
        for now, (before, after) in sides.items()
        if before and after
    }


class _Drive(NamedTuple):
    present: Bool[np.ndarray, 'f c']
    stamps_ns: Int64[np.ndarray, ' f']
    latest_ns: Int64[np.ndarray, ' f']
    """Of all stamps up to each frame: in order, whatever clocks do."""
    motion: Motion
    limits: ParallaxLimits

    def near(self, now: int, way: int) -> list[int]:
        """Neighbours on one side, -1 or 1, among the nearest frames."""
        most = self.limits.max_offset
        around = self._alike(now, now + way * most, way)
        if len(around) < most:  # some have other cameras
            around = self._alike(now, self._end(now, way), way)[:most]
        return [frame for frame in around.tolist() if self._moved(now, frame)]

    def stepped(self, now: int, way: int) -> list[int]:
        """Neighbours of a slow robot: as if its cameras had a lower rate, which suits its pace."""
        found: list[int] = []
        last, ahead = now, self._alike(now, self._end(now, way), way)
        ahead = ahead[np.abs(self.stamps_ns[ahead] - self.stamps_ns[now]) <= self._most_ns]
        while len(found) < self.limits.max_offset:
            place = self.motion.nearest(last, ahead)
            if place is None or not self._moved(now, last := int(ahead[place])):
                break
            found.append(last)
            ahead = ahead[place + 1 :]
        return found

    @property
    def _most_ns(self) -> int:
        return round(self.limits.max_seconds * 1e9)

    def _moved(self, one: int, other: int) -> bool:
        return self.motion.moved(min(one, other), max(one, other))

    def _end(self, now: int, way: int) -> int:
        """The last frame within `max_seconds`, or few enough places away."""
        until_ns = self.latest_ns[now] + way * self._most_ns
        place = now + way * self.limits.max_offset
        if way > 0:
            return max(place, int(np.searchsorted(self.latest_ns, until_ns, 'right')) - 1)
        return min(place, int(np.searchsorted(self.latest_ns, until_ns)))

    def _alike(self, now: int, last: int, way: int) -> Int[np.ndarray, ' n']:
        """Frames up to `last` with at least half of the cameras of `now`, from near to far."""
        frames = np.arange(now + way, min(max(last, 0), len(self.present) - 1) + way, way)
        cameras = self.present[now]
        shared = (self.present[frames] & cameras).sum(1)
        return frames[shared >= max(1, cameras.sum() / 2)]


def why_none(
    stamps_ns: Int64[np.ndarray, ' f'], position: Float[np.ndarray, 'f 3'], limits: ParallaxLimits
) -> str:
    """Say why not one frame of a drive has neighbours, and what to do: too slow, too fast, or too
    short."""
    if len(position) < 3:
        return f'{len(position)} frames are too few: drive on'
    step_m = float(np.median(np.linalg.norm(np.diff(position, axis=0), axis=1)))
    if step_m > limits.most_m:
        return (
            f'{step_m:.2g} m from one frame to the next are too far: drive slower, record more '
            f'images a second, or --set data.max_motion_m={ceil(1.1 * step_m)}'
        )
    ordered_ns = np.maximum.accumulate(stamps_ns)
    until_ns = ordered_ns + round(limits.max_seconds * 1e9)
    later = np.searchsorted(ordered_ns, until_ns, 'right') - 1
    seconds = (ordered_ns[later] - ordered_ns) * 1e-9
    moved_m = np.linalg.norm(position[later] - position, axis=1)
    speed_m_s = float(moved_m.max() / max(seconds.max(), 1e-9))
    if speed_m_s < STILL_M_S:
        return 'the robot stands: drive'
    if speed_m_s * limits.max_seconds < limits.least_m:
        return (
            f'{moved_m.max():.2g} m in {seconds.max():.2g} s are too slow: drive faster, or '
            f'--set data.max_seconds={ceil(1.1 * limits.least_m / speed_m_s)}'
        )
    return 'the drive is too short, or in too short pieces: drive on'
