# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The distortion of plumb_bob and rational_polynomial, and its inverse.

Radial `f(t) = (1 + k1 t + k2 t^2 + k3 t^3) / (1 + k4 t + k5 t^2 + k6 t^3)`, t = x^2 + y^2, plus
tangential p1, p2; coefficients in OpenCV's order (k1, k2, p1, p2, k3, k4, k5, k6), as documented
in OpenCV's calib3d and in sensor_msgs/CameraInfo.
"""

import math
from typing import Any

import numpy as np

from selfdepth_ros.core.arrays import namespace
from selfdepth_ros.core.cameras.base import LEAST_SLOPE
from selfdepth_ros.core.so3 import polynomial

# Halving the radius finds the radial part's inverse whatever its shape (to 1e-5); Newton's steps
# add the tangential part and the last digits, and carry the gradient.
_HALVINGS = 22
_NEWTON_STEPS = 5

Coefficients = tuple[Any, ...]
"""Floats; for many lenses at once arrays that broadcast against the coordinates."""


def _radial(k: Coefficients, t: Any) -> tuple[Any, Any]:
    """Radial factor f and its derivative by t = r^2."""
    k1, k2, _, _, k3, k4, k5, k6 = k
    above, above_slope = polynomial((1, k1, k2, k3), t), polynomial((k1, 2 * k2, 3 * k3), t)
    if all(isinstance(each, float) and each == 0 for each in (k4, k5, k6)):
        return above, above_slope
    below, below_slope = polynomial((1, k4, k5, k6), t), polynomial((k4, 2 * k5, 3 * k6), t)
    factor = above / below
    return factor, (above_slope - factor * below_slope) / below


def distort(k: Coefficients, x: Any, y: Any) -> tuple[Any, Any]:
    """Distort normalized image coordinates (x / z, y / z)."""
    p1, p2 = k[2], k[3]
    t = x * x + y * y
    factor, _ = _radial(k, t)
    return (
        x * factor + 2 * p1 * x * y + p2 * (t + 2 * x * x),
        y * factor + p1 * (t + 2 * y * y) + 2 * p2 * x * y,
    )


def _jacobian(k: Coefficients, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Entries xx, xy, yy of the derivative of `distort`, which is symmetric."""
    p1, p2 = k[2], k[3]
    factor, slope = _radial(k, x * x + y * y)
    return (
        factor + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x,
        2 * x * y * slope + 2 * p1 * x + 2 * p2 * y,
        factor + 2 * y * y * slope + 6 * p1 * y + 2 * p2 * x,
    )


def domain_radius(k: Coefficients) -> float:
    """Largest radius (x / z) up to which the distortion is one to one.

    The derivative of the distortion is symmetric; where it is positive definite on a whole disc
    the distortion is the gradient of a strictly convex function and cannot fold. Its smallest
    eigenvalue is at least min(f, f + 2 t f') - 6 |p| r; times 1 + t it is the pace in angle.
    """
    angle = np.linspace(0.0, math.radians(89.0), 8901)
    radius = np.tan(angle)
    t = radius * radius
    with np.errstate(all='ignore'):
        factor, slope = _radial(k, t)
        below = polynomial((1, *k[5:]), t)
        least = np.minimum(factor, factor + 2 * t * slope) - 6 * math.hypot(k[2], k[3]) * radius
        good = (least * (1 + t) > LEAST_SLOPE) & (below > 1e-6)
    return float(radius[-1] if good.all() else radius[max(int(np.argmin(good)) - 1, 0)])


def undistort(k: Coefficients, radius: float, x: Any, y: Any) -> tuple[Any, Any, Any, Any]:
    """Invert `distort` on the disc of `radius` by a fixed number of steps.

    Returns x, y and what is left of the distance to the target in x and in y. Targets outside
    the image of the disc end on its rim, with a distance.
    """
    guess_x, guess_y = _undistort_radially(k, radius, x, y)
    for _ in range(_NEWTON_STEPS):
        off_x, off_y = distort(k, guess_x, guess_y)
        off_x, off_y = x - off_x, y - off_y
        xx, xy, yy = _jacobian(k, guess_x, guess_y)
        determinant = xx * yy - xy * xy
        guess_x, guess_y = _into_disc(
            radius,
            guess_x + (yy * off_x - xy * off_y) / determinant,
            guess_y + (xx * off_y - xy * off_x) / determinant,
        )
    off_x, off_y = distort(k, guess_x, guess_y)
    return guess_x, guess_y, x - off_x, y - off_y


def _undistort_radially(k: Coefficients, radius: float, x: Any, y: Any) -> tuple[Any, Any]:
    """Nearly invert the radial part alone: it grows with the radius all over the disc."""
    xp = namespace(x)
    t = x * x + y * y
    one = xp.ones_like(t)
    target = xp.sqrt(xp.where(t > 0, t, one))
    middle, step = 0.5 * radius * one, 0.25 * radius * one
    for _ in range(_HALVINGS):
        too_small = middle * _radial(k, middle * middle)[0] < target
        middle = middle + xp.where(too_small, step, -step)
        step = 0.5 * step
    shrink = middle / target
    return x * shrink, y * shrink


def _into_disc(radius: float, x: Any, y: Any) -> tuple[Any, Any]:
    """Pull points outside the disc onto its rim (inside it the determinant is positive)."""
    xp = namespace(x)
    t = x * x + y * y
    one = xp.ones_like(t)
    shrink = xp.where(t > radius * radius, radius / xp.sqrt(xp.where(t > 0, t, one)), one)
    return x * shrink, y * shrink
