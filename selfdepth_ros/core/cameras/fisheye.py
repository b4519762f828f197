# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Equidistant fisheye (Kannala and Brandt): distance in the image grows with the angle."""

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from selfdepth_ros.core.arrays import namespace
from selfdepth_ros.core.cameras.base import (
    FARTHEST_M,
    LEAST_SLOPE,
    NEAREST_M,
    RIM,
    Lens,
    coefficients,
)
from selfdepth_ros.core.so3 import polynomial

_NEWTON_STEPS = 12
# Straight behind, the direction in the image is undefined.
_WIDEST_ANGLE = math.radians(179.0)


@dataclass(frozen=True)
class EquidistantCamera(Lens):
    """Fisheye: image radius = a (1 + k1 a^2 + k2 a^4 + k3 a^6 + k4 a^8), a = angle off axis.

    OpenCV's fisheye model, "equidistant" in CameraInfo; here angles beyond 90 degrees work too.
    Raises CalibrationError for numbers that cannot be a camera.
    """

    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, 'distortion', coefficients(self.distortion, 'equidistant', (4,)))

    @functools.cached_property
    def _widest_angle(self) -> float:
        """Largest angle up to which the image radius grows."""
        angle = np.linspace(0.0, _WIDEST_ANGLE, 8951)
        good = self._slope(angle) > LEAST_SLOPE
        return float(angle[-1] if good.all() else angle[max(int(np.argmin(good)) - 1, 0)])

    def _radius(self, angle: Any) -> Any:
        return angle * polynomial((1, *self.distortion), angle * angle)

    def _slope(self, angle: Any) -> Any:
        odd = (power * k for power, k in zip((3, 5, 7, 9), self.distortion, strict=True))
        return polynomial((1, *odd), angle * angle)

    def project(self, points: Float[Any, '*b 3']) -> tuple[Float[Any, '*b 2'], Bool[Any, '*b']]:
        """Pixels of points (metres), and where they are seen: inside lens and image."""
        xp = namespace(points)
        x, y, z = points[..., 0], points[..., 1], points[..., 2]
        squared = x * x + y * y
        one = xp.ones_like(z)
        in_space = (xp.abs(z) < FARTHEST_M) & (squared < FARTHEST_M * FARTHEST_M)
        on_axis = squared <= 1e-12 * z * z
        off_axis_m = xp.sqrt(xp.where(on_axis | ~in_space, one, squared))
        angle = xp.atan2(off_axis_m, z)
        in_lens = (angle <= self._widest_angle) & (off_axis_m > NEAREST_M)
        in_front = (z > NEAREST_M) & in_space
        radius = self._radius(xp.where(in_lens, angle, xp.zeros_like(z)))
        # Near the axis radius / off_axis is 1 / z, to 1e-12.
        ahead = one / xp.where(in_front, z, one)
        factor = xp.where(on_axis, ahead, radius / off_axis_m)
        pixels = self._pixels(x * factor, y * factor)
        seen = xp.where(on_axis, in_front, in_lens) & in_space
        return pixels, seen & self._inside(pixels)

    def rays(self, pixels: Float[Any, '*b 2']) -> tuple[Float[Any, '*b 3'], Bool[Any, '*b']]:
        """Unit directions of pixels, and where the lens model has one."""
        xp = namespace(pixels)
        x, y = self._normalized(pixels)
        squared = x * x + y * y
        one = xp.ones_like(squared)
        centre = squared < 1e-16
        radius = xp.sqrt(xp.where(centre, one, squared))
        angle = xp.clip(radius, max=self._widest_angle)
        low, high = xp.zeros_like(radius), one * self._widest_angle
        for _ in range(_NEWTON_STEPS):
            missing = radius - self._radius(angle)
            low = xp.where(missing > 0, angle, low)
            high = xp.where(missing > 0, high, angle)
            step = angle + missing / self._slope(angle)
            # Towards the rim the slope may vanish, and a step from there lead anywhere.
            good = (step >= low) & (step <= high)
            angle = xp.where(good, step, (low + high) / 2)
        error = radius - self._radius(angle)
        sideways = xp.where(centre, one, xp.sin(angle) / radius)
        forward = xp.where(centre, one, xp.cos(angle))
        rays = xp.stack([x * sideways, y * sideways, forward], axis=-1)
        in_lens = angle < RIM * self._widest_angle
        return rays, centre | (in_lens & self._converged(error, error))
