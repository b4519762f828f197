# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a camera's depths have the scale of the robot's own motion.

Between two images a known motion apart, pixels move the less the farther away they are. The
depths of the first image are divided by a range of factors; the factor at which they carry the
first image onto the second one is their error of scale, whatever the second image's depths are.
"""

import math

import numpy as np
from jaxtyping import Float, Float32, UInt8

from selfdepth_ros.core.cameras import pixel_grid
from selfdepth_ros.core.depth import depth_per_metre
from selfdepth_ros.core.rig import RigCamera
from selfdepth_ros.core.sampling import bilinear
from selfdepth_ros.core.se3 import SE3

FACTORS = np.geomspace(0.6, 1 / 0.6, 17)
"""The factors tried: 6 % apart."""
_COLUMNS = 64
_NEAR_M = 15.0
"""Farther pixels hardly move, whatever their depth."""
_LEAST_FLOW_PX, _LEAST_PIXELS = 2.0, 60
_MOST_DIFFERENCE = 30.0
"""Grey levels at which a difference stops to count: what moves or is hidden differs by more."""
_DISTINCT = 0.75
"""A minimum above this share of the curve's maximum says nothing."""


class OdometryScale:
    """Compares the depths of one camera (at their size) with motion."""

    def __init__(self, entry: RigCamera, depth_kind: str) -> None:
        self._entry = entry
        step = max(1, entry.camera.width // _COLUMNS)
        pixels = pixel_grid(entry.camera.width, entry.camera.height)[step // 2 :: step, ::step]
        rays, valid = entry.camera.rays(pixels)
        per_metre, valid = depth_per_metre(rays, valid, depth_kind)
        rays = rays / per_metre[..., None]
        if entry.self_occlusion is not None:
            valid = valid & ~entry.self_occlusion[step // 2 :: step, ::step]
        self._pixels, self._rays = pixels[valid], rays[valid]

    def curve(
        self,
        image: UInt8[np.ndarray, 'h w 3'],
        depth: Float32[np.ndarray, 'h w'],
        later: UInt8[np.ndarray, 'h w 3'],
        later_from_body: SE3,
    ) -> Float[np.ndarray, ' n'] | None:
        """Difference of the images for each of `FACTORS`, its mean 1; curves may be averaged.

        `later_from_body`: body at the later image from body at the first one. None where too
        little moves.
        """
        column, row = self._pixels.astype(np.intp).T
        own = depth[row, column]
        near = (own > 0) & (own < _NEAR_M)  # NaN is neither
        points = self._rays[near] * own[near, None]
        mount = self._entry.body_from_camera
        later_from_first = mount.inverse() @ later_from_body @ mount
        places, seen = self._entry.camera.project(
            later_from_first.apply(points / FACTORS[:, None, None])
        )
        middle = places[len(FACTORS) // 2] - self._pixels[near]
        used = seen.all(axis=0) & (np.linalg.norm(middle, axis=-1) > _LEAST_FLOW_PX)
        if used.sum() < _LEAST_PIXELS:
            return None
        shown = image[row, column, 1][near][used].astype(float)
        found = bilinear(later[..., 1], places[:, used])
        curve = np.minimum(np.abs(found - shown), _MOST_DIFFERENCE).mean(axis=1)
        return curve / max(float(curve.mean()), 1e-9)


def factor_of(curve: Float[np.ndarray, ' n']) -> float:
    """How many times the true depths the depths are; NaN where the curve does not tell."""
    if curve.min() > _DISTINCT * curve.max():
        return math.nan
    return float(FACTORS[curve.argmin()])
