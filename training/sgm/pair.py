# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depths of one image from its matches in another, for each of some settings."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.sgm.matching import Setting, disparities, disparities_of_right, mutual
from selfdepth_training.sgm.rectify import EpipolarSphere, Places, Seen

# Cameras nearer than this to each other are in one place, but for errors of their poses. Stereo
# heads begin at 3 cm; what has too little parallax from there is dropped pixel by pixel.
LEAST_BASELINE_M = 0.01
# Columns of parallax below which a depth is little more than a guess.
LEAST_PX = 1.0


class GreyView(NamedTuple):
    """An image and the lens it was taken with; `visible` is false on the robot itself."""

    camera: Camera
    image: UInt8[np.ndarray, 'h w']
    visible: Bool[np.ndarray, 'y x']


def matched_distances(
    target: GreyView,
    source: GreyView,
    source_from_target: SE3,
    rays: Float[np.ndarray, 'y x 3'],
    settings: list[Setting],
    apart_px: float,
) -> Float32[np.ndarray, 'k y x']:
    """Distances in metres along rays of the target, by setting; NaN where nothing was found.

    With `apart_px` above 0 the source is matched with the target as well, and matches whose two
    disparities are further apart are dropped.
    """
    nothing = np.full((len(settings), *rays.shape[:2]), np.nan, np.float32)
    if np.linalg.norm(source_from_target.translation) < LEAST_BASELINE_M:
        return nothing
    widest = max(setting.disparities for setting in settings)
    sphere = EpipolarSphere.of(target.camera, source.camera, source_from_target, widest)
    left, right = sphere.views(target.image, source.image, target.visible, source.visible)
    places = sphere.places(rays)
    found = (_matches(left, right, setting, apart_px) for setting in settings)
    return np.stack([_distances(sphere, places, each, right) for each in found])


def _matches(
    left: Seen, right: Seen, setting: Setting, apart_px: float
) -> Float32[np.ndarray, 'rows columns']:
    found = disparities(left.image, right.image, setting)
    if not apart_px:
        return found
    back = disparities_of_right(left.image, right.image, setting)
    return np.where(mutual(found, back, apart_px), found, np.float32('nan'))


def _distances(
    sphere: EpipolarSphere,
    places: Places,
    disparity: Float32[np.ndarray, 'rows columns'],
    right: Seen,
) -> Float32[np.ndarray, 'y x']:
    """Distances at the places nearest to the pixels, where the source does see the match."""
    rows = places.rows.round().astype(np.intp).clip(0, sphere.rows - 1)
    columns = places.columns.round().astype(np.intp).clip(0, sphere.columns - 1)
    here = disparity[rows, columns]
    clear = here >= LEAST_PX  # False of NaN
    safe = np.where(clear, here, np.float32(LEAST_PX))
    match = (columns - safe.round().astype(np.intp)).clip(0)
    distance = sphere.distance_m(places, safe).astype(np.float32)
    return np.where(clear & right.there[rows, match] & (distance > 0), distance, np.nan)
