# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Perspective camera, with the two distortions of sensor_msgs/CameraInfo."""

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

from jaxtyping import Bool, Float

from selfdepth_ros.core.arrays import namespace
from selfdepth_ros.core.cameras import brown_conrady
from selfdepth_ros.core.cameras.base import FARTHEST_M, NEAREST_M, RIM, Lens, coefficients
from selfdepth_ros.core.errors import CalibrationError

# Coefficient counts each model may come with; the last is what is stored.
_SIZES = {'none': (0,), 'plumb_bob': (4, 5), 'rational_polynomial': (8,)}


class UsableDistortion(NamedTuple):
    """Distortion of a pinhole and the disc that it is used on."""

    coefficients: tuple[float, ...]
    """k1 k2 p1 p2 k3 k4 k5 k6."""
    radius: float
    """Largest distance from the axis (x / z) up to which it is one to one."""


@dataclass(frozen=True)
class PinholeCamera(Lens):
    """Pinhole with no, plumb_bob (k1 k2 p1 p2 k3) or rational distortion (... k4 k5 k6).

    Raises CalibrationError for numbers that cannot be a camera.
    """

    distortion_model: str = 'none'
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.distortion_model not in _SIZES:
            raise CalibrationError(
                f'distortion_model: found {self.distortion_model!r}, expected one of '
                f'{", ".join(_SIZES)}; a fisheye lens is an EquidistantCamera.'
            )
        checked = coefficients(
            self.distortion, self.distortion_model, _SIZES[self.distortion_model]
        )
        object.__setattr__(self, 'distortion', checked)

    @functools.cached_property
    def usable_distortion(self) -> UsableDistortion:
        """The distortion, padded to eight coefficients, and where it may be used."""
        padded = self.distortion + (0.0,) * (8 - len(self.distortion))
        return UsableDistortion(padded, brown_conrady.domain_radius(padded))

    def project(self, points: Float[Any, '*b 3']) -> tuple[Float[Any, '*b 2'], Bool[Any, '*b']]:
        """Pixels of points (metres), and where they are seen: in front, in lens and image."""
        xp = namespace(points)
        z = points[..., 2]
        valid = (z > NEAREST_M) & (z < FARTHEST_M)
        safe_z = xp.where(valid, z, xp.ones_like(z))
        x, y = points[..., 0] / safe_z, points[..., 1] / safe_z
        if any(self.distortion):
            k, radius = self.usable_distortion
            valid = valid & (x * x + y * y <= radius * radius)
            zero = xp.zeros_like(x)
            x, y = brown_conrady.distort(k, xp.where(valid, x, zero), xp.where(valid, y, zero))
        pixels = self._pixels(x, y)
        return pixels, valid & self._inside(pixels)

    def rays(self, pixels: Float[Any, '*b 2']) -> tuple[Float[Any, '*b 3'], Bool[Any, '*b']]:
        """Unit directions of pixels, and where the lens model has one."""
        xp = namespace(pixels)
        x, y = self._normalized(pixels)
        one = xp.ones_like(x)
        if not any(self.distortion):
            valid = one > 0
        else:
            k, radius = self.usable_distortion
            x, y, x_error, y_error = brown_conrady.undistort(k, radius, x, y)
            in_lens = x * x + y * y < (RIM * radius) ** 2
            valid = in_lens & self._converged(x_error, y_error)
        length = xp.sqrt(x * x + y * y + 1)
        return xp.stack([x / length, y / length, one / length], axis=-1), valid
