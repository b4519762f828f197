# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which cameras of a rig see which azimuth: coverage, overlaps, blind sectors.

Azimuth: degrees in the body frame from its x axis (ahead) towards y (left), -180 to 180. What
counts as seen is what the real lenses see, distortion included, without the robot's own body.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

from selfdepth_ros.core.errors import GeometryError
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.rig_camera import RigCamera

_CELLS_PER_DEGREE = 10
_CELLS = 360 * _CELLS_PER_DEGREE


class Interval(NamedTuple):
    """Azimuths from `start_deg` (-180 up to 180), `width_deg` to the left; 360 is all around."""

    start_deg: float
    width_deg: float

    @property
    def end_deg(self) -> float:
        """Where it ends, above -180 and up to 180 degrees: below the start across the back."""
        return 180 - (180 - self.start_deg - self.width_deg) % 360

    @property
    def middle_deg(self) -> float:
        """Azimuth of its middle, -180 up to 180 degrees."""
        return (self.start_deg + self.width_deg / 2 + 180) % 360 - 180

    def __str__(self) -> str:
        if self.width_deg >= 360:
            return 'all around'
        return f'{self.start_deg:+.1f} to {self.end_deg:+.1f} deg'


class Sector(NamedTuple):
    """Azimuths that the same cameras (indices into the rig) see; none: a blind sector."""

    interval: Interval
    cameras: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Coverage:
    """Which camera sees which azimuth, in cells of a tenth of a degree from -180 degrees on."""

    seen: Bool[np.ndarray, 'cameras cells']

    @property
    def count(self) -> Int64[np.ndarray, ' cells']:
        """How many cameras see each cell."""
        return self.seen.sum(axis=0)

    def covered_deg(self, at_least: int = 1) -> float:
        """Degrees of azimuth that so many cameras or more see."""
        return int((self.count >= at_least).sum()) / _CELLS_PER_DEGREE

    def blind(self) -> tuple[Interval, ...]:
        """Azimuths that no camera sees."""
        return _runs(self.count == 0)

    def shared(self, first: int, second: int) -> tuple[Interval, ...]:
        """Azimuths that both cameras (indices) see."""
        return _runs(self.seen[first] & self.seen[second])

    def sectors(self) -> tuple[Sector, ...]:
        """Divide the circle by who sees it, from -180 degrees to the left."""
        begins = np.flatnonzero((self.seen != np.roll(self.seen, 1, axis=1)).any(axis=0))
        if not begins.size:
            begins = np.array([0])
        ends = np.append(begins[1:], begins[0] + _CELLS)
        return tuple(
            Sector(_interval(begin, end), tuple(np.flatnonzero(self.seen[:, begin]).tolist()))
            for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
        )


def coverage(rig: Rig, elevation_deg: float = 0.0, distance_m: float = math.inf) -> Coverage:
    """Ask every camera of a rig what it sees all around the body.

    Far away (the default) only the direction counts; elevation 0 is the horizon. At a finite
    `distance_m` from the body's z axis, the places at the mean height of the cameras are asked
    for (elevation: as seen from there). Raises GeometryError for a distance or an elevation
    that is none.
    """
    if not -90 < elevation_deg < 90 or not distance_m > 0:
        raise GeometryError(
            f'Found an elevation of {elevation_deg} degrees at {distance_m} m, expected more than '
            '-90 and less than 90 degrees at a distance above 0.'
        )
    azimuth = np.radians((np.arange(_CELLS) + 0.5) / _CELLS_PER_DEGREE - 180)
    rise = np.full(_CELLS, math.tan(math.radians(elevation_deg)))
    directions = np.stack([np.cos(azimuth), np.sin(azimuth), rise], axis=-1)
    if math.isinf(distance_m):
        return Coverage(np.stack([sees_direction(entry, directions) for entry in rig.cameras]))
    places = directions * distance_m + [0.0, 0.0, mean_height_m(rig)]
    return Coverage(np.stack([sees(entry, places) for entry in rig.cameras]))


def mean_height_m(rig: Rig) -> float:
    """Mean height of the cameras in the body frame, metres."""
    return float(rig.body_from_cameras().translation[:, 2].mean())


def sees(entry: RigCamera, points: Float[np.ndarray, '*b 3']) -> Bool[np.ndarray, '*b']:
    """Tell which points (body frame, metres) a camera sees past the robot's own body."""
    return _sees(entry, entry.body_from_camera.inverse().apply(points))


def sees_direction(
    entry: RigCamera, directions: Float[np.ndarray, '*b 3']
) -> Bool[np.ndarray, '*b']:
    """Tell which directions (body frame) a camera sees, infinitely far away."""
    return _sees(entry, entry.body_from_camera.inverse().rotate(directions))


def _sees(entry: RigCamera, points: Float[np.ndarray, '*b 3']) -> Bool[np.ndarray, '*b']:
    """Tell which points of the optical frame lie in the image and not on the own body."""
    pixels, seen = entry.camera.project(points)
    if entry.self_occlusion is None:
        return np.asarray(seen)
    limits = np.array([entry.camera.width - 1, entry.camera.height - 1])
    column, row = np.moveaxis(np.clip(np.floor(pixels + 0.5), 0, limits).astype(np.intp), -1, 0)
    return np.asarray(seen & ~entry.self_occlusion[row, column])


def _runs(flags: Bool[np.ndarray, ' cells']) -> tuple[Interval, ...]:
    """Return the runs of True around the circle, from -180 degrees to the left."""
    turns = np.flatnonzero(flags != np.roll(flags, 1))
    if not turns.size:
        return (_interval(0, _CELLS),) if flags.all() else ()
    begins, ends = turns[flags[turns]], turns[~flags[turns]]
    if ends[0] < begins[0]:  # the last run goes on across the back
        ends = np.append(ends[1:], ends[0] + _CELLS)
    return tuple(map(_interval, begins.tolist(), ends.tolist()))


def _interval(begin: int, end: int) -> Interval:
    """Return the azimuths of cells, the last one excluded."""
    return Interval(begin / _CELLS_PER_DEGREE - 180, (end - begin) / _CELLS_PER_DEGREE)
