# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Corners of one camera, found again in its neighbour at the same moment.

The neighbour looks elsewhere, so that its picture of a corner is turned and stretched. It is
therefore first seen through the camera of the corner, at the corner's distance, as the rig has it
now; what is left is a shift, and normalized correlation, blind to exposure, finds it.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.corners import on_body
from selfdepth_training.extrinsics.bundle import Bundle, Normal, State
from selfdepth_training.extrinsics.drive import Drive
from selfdepth_training.extrinsics.sightings import Sightings, joined_sightings

# Half the side of what must look alike.
HALF_PX = 7
ALIKE, DISTINCT = 0.85, 0.1
# A distance is known well enough when it moves the neighbour's picture by less than this.
KNOWN_PX = 2.0
# Shifts of a pair of cameras agree within this; what does not is another corner.
AGREE_PX = 6.0


class Pair(NamedTuple):
    """A camera with corners and a neighbour that may see them."""

    first: int
    second: int


def neighbours_of(rig: Rig) -> list[Pair]:
    """Every camera with each that overlaps it."""
    return [Pair(pair.first, pair.second) for pair in rig.overlap_pairs()]


def matched(
    drive: Drive, rig: Rig, bundle: Bundle, state: State, normal: Normal, radius_px: int
) -> Sightings:
    """Where neighbours see the points of `bundle`, at most `radius_px` from where the rig says."""
    return joined_sightings(
        [_matched_pair(drive, rig, bundle, state, normal, pair, radius_px)
         for pair in neighbours_of(rig)]
    )  # fmt: skip


def _matched_pair(
    drive: Drive, rig: Rig, bundle: Bundle, state: State, normal: Normal, pair: Pair, radius: int
) -> Sightings:
    first, second = (rig.cameras[index].camera for index in pair)
    points = bundle.points
    poses = state.body_from_camera
    baseline_m = np.linalg.norm(poses[pair.first].translation - poses[pair.second].translation)
    known = normal.own**-0.5 * baseline_m * second.focal < KNOWN_PX
    mine = np.flatnonzero((points.camera == pair.first) & known)
    inside = _inside(points.pixel[mine], first.width, first.height)
    mine = mine[inside & drive.present[points.frame[mine], pair.second]]
    found, shifts = [], []
    for frame in np.unique(points.frame[mine]).tolist():
        here = mine[points.frame[mine] == frame]
        poses_then = SE3(bundle.world_from_body[frame])
        second_from_first = (
            (poses_then[pair.second] @ poses[pair.second]).inverse()
            @ poses_then[pair.first] @ poses[pair.first]
        )  # fmt: skip

        def seen(pixel: Float[np.ndarray, 'n 2']) -> Any:
            """Where the neighbour sees what lies at `pixel`, as far as the corners `here`."""
            places = second_from_first.rotate(first.rays(pixel)[0])  # noqa: B023
            distant = state.inverse_m[here, None] * second_from_first.translation  # noqa: B023
            return second.project(places + distant)

        here = here[seen(points.pixel[here])[1]]
        through = _through(
            drive.grey(frame, pair.second), points.pixel[here], state.inverse_m[here], first,
            second, second_from_first, HALF_PX + radius,
        )  # fmt: skip
        alike = _shifts(drive.grey(frame, pair.first), points.pixel[here], through, radius)
        sure = np.isfinite(alike[:, 0])
        here, alike = here[sure], alike[sure]
        pixel, valid = seen(points.pixel[here] + alike)
        valid &= ~on_body(rig.cameras[pair.second].self_occlusion, pixel)
        found.append(Sightings(*_columns(here[valid], pair.second, frame), pixel[valid]))
        shifts.append(alike[valid])
    return _agreeing(joined_sightings(found), np.concatenate([np.zeros((0, 2)), *shifts]))


def _through(
    other: UInt8[np.ndarray, 'y x'],
    pixel: Float[np.ndarray, 'n 2'],
    inverse_m: Float[np.ndarray, ' n'],
    first: Camera,
    second: Camera,
    second_from_first: SE3,
    reach: int,
) -> list[UInt8[np.ndarray, 's s']]:
    """What the neighbour sees around each corner, as the corner's own camera would see it."""
    steps = np.arange(-reach, reach + 1)
    square = np.stack(np.meshgrid(steps, steps), axis=-1)
    rays, valid = first.rays(pixel.round()[:, None, None] + square)
    places = second_from_first.rotate(rays)
    places = places + inverse_m[:, None, None, None] * second_from_first.translation
    where, seen = second.project(places)
    where = np.where((seen & valid)[..., None], where, -10.0).astype(np.float32)
    return [cv2.remap(other, each, None, cv2.INTER_LINEAR) for each in where]


def _shifts(
    image: UInt8[np.ndarray, 'h w'],
    pixel: Float[np.ndarray, 'n 2'],
    through: list[UInt8[np.ndarray, 's s']],
    radius: int,
) -> Float[np.ndarray, 'n 2']:
    """How far beside its place the neighbour sees each corner; NaN where it does not surely."""
    found = np.full((len(pixel), 2), np.nan)
    for row, (column, line), seen in zip(found, pixel.round().astype(int), through, strict=True):
        template = image[
            line - HALF_PX : line + HALF_PX + 1, column - HALF_PX : column + HALF_PX + 1
        ]
        row[:] = _peak(cv2.matchTemplate(seen, template, cv2.TM_CCOEFF_NORMED), radius)
    return found


def _peak(score: np.ndarray, radius: int) -> tuple[float, float]:
    """The best place, between pixels, from the middle; NaN where it is not good and distinct."""
    row, column = divmod(int(score.argmax()), score.shape[1])
    best = float(score[row, column])
    if best < ALIKE or not (0 < row < 2 * radius and 0 < column < 2 * radius):
        return np.nan, np.nan
    rest = score.copy()
    rest[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = -1
    second = float(rest.max())
    if second > best - DISTINCT * (1 - max(0.0, second)) - 0.02:
        return np.nan, np.nan
    around = score[row - 1 : row + 2, column - 1 : column + 2].astype(float)
    return column - radius + _between(*around[1]), row - radius + _between(*around[:, 1])


def _between(left: float, best: float, right: float) -> float:
    """Where a parabola through three values a pixel apart is highest, from the middle one."""
    bend = left - 2 * best + right
    return 0.5 * (left - right) / bend if bend < -1e-6 else 0.0


def _columns(point: np.ndarray, camera: int, frame: int) -> tuple[np.ndarray, ...]:
    return point, np.full(len(point), camera), np.full(len(point), frame)


def _agreeing(found: Sightings, shifts: Float[np.ndarray, 'n 2']) -> Sightings:
    """Those whose shift is that of most."""
    if not len(shifts):
        return found
    kept = np.linalg.norm(shifts - np.median(shifts, axis=0), axis=1) < AGREE_PX
    return Sightings(*(column[kept] for column in found))


def _inside(pixel: Float[np.ndarray, 'n 2'], width: int, height: int) -> np.ndarray:
    edge = HALF_PX + 1
    return ((pixel >= edge) & (pixel <= [width - 1 - edge, height - 1 - edge])).all(1)
