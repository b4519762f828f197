# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which camera of a running rig was bumped, got dirty or dark, or has depths of a wrong scale.

Looked at now and then. Each look is weak, so that all figures are exponential means over looks,
and a camera is named when several looks in a row say so.
"""

import itertools
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from selfdepth_ros.core.config_fields import knob
from selfdepth_ros.core.odometry_scale import OdometryScale, factor_of
from selfdepth_ros.core.overlap import Overlap
from selfdepth_ros.core.picture import look_at
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3

LOOKS = 3
"""So many looks in a row must say the same."""
_SHARE, _SHARE_OF_USUAL = 0.4, 0.02
"""What one look counts in the means: over two or three looks, and over some fifty."""
_PLAIN = 0.5
"""Below this share of the detail that it had when it matched, a picture may match nothing."""


@dataclass(frozen=True)
class HealthConfig:
    """Cameras that were turned, got dirty or dark are named on /diagnostics."""

    period_s: float = knob(1.0, unit='s', low=0.0, high=60.0)
    """How often cameras are compared, beside the clouds, in a thread of its own; 0: never."""
    max_turn_deg: float = knob(1.5, unit='deg', low=0.5, high=20.0)
    """A camera whose picture lies further beside those of its neighbours was turned."""
    max_disagreement: float = knob(0.3, low=0.05, high=2.0)
    """Largest relative difference of its depths from those of its neighbours, in the median."""
    max_scale_error: float = knob(0.25, low=0.05, high=0.6)
    """Largest relative error of its depths against the odometry."""
    min_sharpness: float = knob(0.5, low=0.0, high=1.0)
    """Least sharpness, relative to the rig's and to what is usual for this camera."""


class Seen(NamedTuple):
    """What a rig saw at one moment, and how deep it found it; at the size of the depths."""

    images: UInt8[np.ndarray, 'c h w 3']
    depths: Float32[np.ndarray, 'c h w']
    present: tuple[bool, ...]
    now_from_then: SE3 | None = None
    """(c, 4, 4): body at the stamp of the set from body at each image's; None: not known."""


class CameraHealth(NamedTuple):
    """How one camera is; NaN: not known."""

    turn_deg: float = math.nan
    """By how much its picture lies beside those of its neighbours: the least of them."""
    disagreement: float = math.nan
    """Median relative difference of its depths from those of its neighbours: the least of them."""
    scale: float = math.nan
    """How many times as large as by the odometry its depths are."""
    sharpness: float = math.nan
    """Relative to the median of the rig."""
    problem: str = ''
    """What is wrong with it, in words; empty: nothing."""
    since_s: float = math.nan
    """When that began."""

    def describe(self, now_s: float) -> str:
        """The problem and for how long it has been there; empty without one."""
        return f'{self.problem} (since {now_s - self.since_s:.0f} s)' if self.problem else ''


@dataclass
class _Pair:
    """The means of one overlap."""

    overlap: Overlap
    spectrum: Any = None
    disagreement: float = math.nan
    turn_deg: float = math.nan
    detail: Any = None
    """(2,): detail of the two pictures; None: not known."""
    usual_detail: Any = None
    """(2,): what they had when they matched; None: they never did."""
    lost: bool = False
    """Whether pictures that once matched do not, though they have the detail for it."""

    @property
    def cameras(self) -> tuple[int, int]:
        return self.overlap.first, self.overlap.second

    def look(self, seen: Seen) -> None:
        found = None
        if all(seen.present[camera] for camera in self.cameras):
            found = self.overlap.compare(seen.images, seen.depths, seen.now_from_then)
        if found is None:
            self.detail = None
            return
        self.detail = _mean(self.detail, found.detail)
        self.spectrum = _mean(self.spectrum, found.spectrum)
        if not math.isnan(found.disagreement):
            self.disagreement = _mean(self.disagreement, found.disagreement)
        turn_deg = self.overlap.turn_deg(self.spectrum)
        if not math.isnan(turn_deg):
            self.turn_deg, self.lost = turn_deg, False
            self.usual_detail = _mean(self.usual_detail, found.detail, _SHARE_OF_USUAL)
        elif not self.plain.any():  # where there is nothing to match, nothing new is known
            self.turn_deg, self.lost = math.nan, self.usual_detail is not None

    def forget(self) -> None:
        """Begin anew; what is usual stays known."""
        self.spectrum = self.detail = None
        self.disagreement = self.turn_deg = math.nan
        self.lost = False

    @property
    def plain(self) -> Any:
        """(2,): which picture lacks the detail that it had when it matched."""
        if self.detail is None or self.usual_detail is None:
            return np.zeros(2, bool)
        return self.detail < _PLAIN * self.usual_detail

    def sees_more(self, camera: int, least: float) -> bool:
        """Whether the other camera has the detail that this one lacks, where both look."""
        own = self.cameras.index(camera)
        return bool(self.detail[own] < least * self.detail[1 - own] and not self.plain[1 - own])

    def measured(self, config: HealthConfig) -> bool:
        """Whether the figures say that one of the two cameras has a problem."""
        turned = self.turn_deg > config.max_turn_deg
        return turned or self.disagreement > config.max_disagreement


@dataclass
class _Camera:
    """The means of one camera."""

    scale: OdometryScale
    curve: Any = None
    sharpness: float = math.nan
    usual_sharpness: float = math.nan
    brightness: float = math.nan
    suspected: int = 0
    """Looks in a row that found a problem."""
    since_s: float = math.nan

    def look(self, brightness: float, sharpness: float, least: float, excused: bool) -> str:
        """Take in brightness and sharpness relative to the rig; say what is wrong with them.

        `excused`: what it looks at has nothing to see.
        """
        self.brightness = _mean(self.brightness, brightness)
        self.sharpness = _mean(self.sharpness, sharpness)
        if self.sharpness < 0.6 * least or self.sharpness < least * self.usual_sharpness:
            if excused:
                return ''
            return 'dark or covered' if self.brightness < least else 'blurred or dirty'
        self.usual_sharpness = _mean(self.usual_sharpness, sharpness, _SHARE_OF_USUAL)
        return ''

    def forget(self) -> None:
        """Begin anew; what is usual stays known."""
        self.curve, self.suspected = None, 0
        self.sharpness = self.brightness = self.since_s = math.nan


class RigHealth:
    """Watches one rig (at the size of its depth maps). Not for several threads at once."""

    def __init__(self, rig: Rig, depth_kind: str) -> None:
        self.rig = rig
        made = (
            Overlap(rig, pair.first, pair.second, depth_kind)
            for pair in rig.overlap_pairs()
            if pair.first < pair.second
        )
        self._pairs = [_Pair(overlap) for overlap in made if overlap.usable]
        self._cameras = [_Camera(OdometryScale(entry, depth_kind)) for entry in rig.cameras]

    def look(
        self,
        seen: Seen,
        now_s: float,
        config: HealthConfig,
        before: Seen | None = None,
        now_from_before: SE3 | None = None,
    ) -> tuple[CameraHealth, ...]:
        """Look at one moment, at `now_s` on a steady clock; return how each camera is.

        With an earlier moment and the motion (c, 4, 4) from the body at each of its images to the
        body at the stamp of `seen`, the scale of the depths is looked at as well.
        """
        for pair in self._pairs:
            pair.look(seen)
        problems = self._pictures(seen, config.min_sharpness)
        if before is not None and now_from_before is not None:
            self._scales(seen, before, now_from_before)
        for camera in self._culprits(problems.keys(), config):
            problems[camera] = self._disagreement(camera)
        for camera in range(len(self._cameras)):
            factor = self._factor(camera)
            if abs(math.log(factor)) > math.log1p(config.max_scale_error):
                problems.setdefault(
                    camera, f'its depths are {factor:.2f} times those of the odometry'
                )
        return tuple(
            self._health(camera, seen, problems.get(camera, ''), now_s)
            for camera in range(len(self._cameras))
        )

    def forget(self) -> None:
        """Begin anew after a long time without looks: who was bad then may be repaired."""
        for pair in self._pairs:
            pair.forget()
        for camera in self._cameras:
            camera.forget()

    def _pictures(self, seen: Seen, least: float) -> dict[int, str]:
        """Say which cameras are dark or blurred, compared with the rig and with themselves."""
        given = np.flatnonzero(seen.present).tolist()
        looks = [look_at(seen.images[camera]) for camera in given]
        usual = np.maximum(np.median(looks, axis=0), 0.5)
        found = {}
        for camera, look in zip(given, looks, strict=True):
            brightness, sharpness = (np.array(look) / usual).tolist()
            excused = self._sees_nothing(camera, least)
            if problem := self._cameras[camera].look(brightness, sharpness, least, excused):
                found[camera] = problem
        return found

    def _sees_nothing(self, camera: int, least: float) -> bool:
        """Whether its neighbours see as little as it does where they look at the same.

        Then the scene is dark or plain there (a wall). Without a neighbour nothing tells that.
        """
        own = [p for p in self._pairs if camera in p.cameras and p.detail is not None]
        return bool(own) and not any(pair.sees_more(camera, least) for pair in own)

    def _culprits(self, explained: Collection[int], config: HealthConfig) -> list[int]:
        """Cameras to blame for what pairs show, beside those whose problem is known.

        Most of a rig is not bumped at once: where most would be to blame for pictures that no
        longer match, it is the scene (a tunnel, fog), and only what was measured counts. Of two
        cameras that have only each other, both are named.
        """
        pairs = [pair for pair in self._pairs if not set(explained) & set(pair.cameras)]
        every = [pair.cameras for pair in self._pairs]
        measured = [pair.cameras for pair in pairs if pair.measured(config)]
        bad = [pair.cameras for pair in pairs if pair.lost or pair.measured(config)]
        found = culprits(bad, every)
        scene = len(found) > max(2, len(self._cameras) / 2)
        return culprits(measured, every) if scene else found

    def _scales(self, seen: Seen, before: Seen, now_from_before: SE3) -> None:
        for index, camera in enumerate(self._cameras):
            if not (seen.present[index] and before.present[index]):
                continue
            later_from_body = now_from_before[index]
            if seen.now_from_then is not None:
                later_from_body = seen.now_from_then[index].inverse() @ later_from_body
            curve = camera.scale.curve(
                before.images[index], before.depths[index], seen.images[index], later_from_body
            )
            if curve is not None:
                camera.curve = _mean(camera.curve, curve)

    def _factor(self, camera: int) -> float:
        curve = self._cameras[camera].curve
        return math.nan if curve is None else factor_of(curve)

    def _disagreement(self, camera: int) -> str:
        """Say how a camera disagrees with its neighbours."""
        turn_deg, depths = self._least(camera)
        found = [
            'picture not matched' if math.isnan(turn_deg) else f'picture {turn_deg:.1f} deg aside'
        ]
        found += [] if math.isnan(depths) else [f'depths by {depths:.0%}']
        return f'disagrees with its neighbours ({", ".join(found)}): bumped, or dirty?'

    def _least(self, camera: int) -> tuple[float, float]:
        """Turn (deg) and disagreement of depths with the neighbour that agrees best."""
        own = [pair for pair in self._pairs if camera in pair.cameras]
        return _least(pair.turn_deg for pair in own), _least(pair.disagreement for pair in own)

    def _health(self, index: int, seen: Seen, problem: str, now_s: float) -> CameraHealth:
        camera = self._cameras[index]
        if seen.present[index]:
            camera.suspected = camera.suspected + 1 if problem else 0
            camera.since_s = now_s if camera.suspected == 1 else camera.since_s
        sure = camera.suspected >= LOOKS
        return CameraHealth(
            *self._least(index), self._factor(index), camera.sharpness,
            problem if sure else '', camera.since_s if sure else math.nan,
        )  # fmt: skip


def culprits(bad: Sequence[tuple[int, int]], pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Cameras that explain which pairs are bad: every pair of theirs is.

    The one with the most goes first, and its pairs are explained by it. Of a pair whose cameras
    have no other neighbour, both are named: nothing can tell which one it is.
    """
    open_, found = list(bad), []
    while open_:
        count = {c: sum(c in pair for pair in open_) for c in itertools.chain(*open_)}
        guilty = {c: n for c, n in count.items() if n == sum(c in pair for pair in pairs)}
        if not guilty:
            break
        most = max(guilty.values())
        worst = [c for c, n in guilty.items() if n == most]
        found += worst
        open_ = [pair for pair in open_ if not set(pair) & set(worst)]
    return found


def _mean(before: Any, value: Any, share: float = _SHARE) -> Any:
    """Exponential mean; the first value (None or NaN before) as it is."""
    if before is None or (isinstance(before, float) and math.isnan(before)):
        return value
    return (1 - share) * before + share * value


def _least(values: Iterable[float]) -> float:
    return min((value for value in values if not math.isnan(value)), default=math.nan)
