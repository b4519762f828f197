# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What every lens offers, and what lenses with fx, fy, cx, cy share.

Pixel convention, everywhere: (u, v) with integer values at pixel centres, as OpenCV and
CameraInfo.K; the image covers [-0.5, width - 0.5) x [-0.5, height - 0.5).
"""

import dataclasses
import math
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from array_api_compat import device
from jaxtyping import Bool, Float

from selfdepth_ros.core.arrays import convert, namespace
from selfdepth_ros.core.errors import CalibrationError

# Nearer than this (metres) a point is inside the lens; farther, it is sky without a place. Both
# also keep quotients and squares finite in float32.
NEAREST_M = 1e-6
FARTHEST_M = 1e12
# A lens is used only where a step in angle still moves the pixel by this share of its pace at
# the centre: beyond, the distortion polynomial is about to fold back.
LEAST_SLOPE = 0.02
# Rays stop this share short of the lens's rim, so that rounding to float32 keeps them inside.
RIM = 1 - 1e-5
# An undistorted ray is trusted when distorting it again comes back this close, in pixels.
_RESIDUAL_PX = 1e-2

LensT = TypeVar('LensT', bound='Lens')


@runtime_checkable
class Camera(Protocol):
    """A calibrated camera; optical frame: x right, y down, z forward."""

    @property
    def width(self) -> int:
        """Image width in pixels."""
        ...

    @property
    def height(self) -> int:
        """Image height in pixels."""
        ...

    @property
    def focal(self) -> float:
        """Focal length fx in pixels: what the network's `focal` input takes."""
        ...

    def project(self, points: Float[Any, '*b 3']) -> tuple[Float[Any, '*b 2'], Bool[Any, '*b']]:
        """Pixels of points (metres), and where they are seen: inside lens and image.

        Pixels of unseen points are finite but mean nothing.
        """
        ...

    def rays(self, pixels: Float[Any, '*b 2']) -> tuple[Float[Any, '*b 3'], Bool[Any, '*b']]:
        """Unit directions of pixels, and where the lens model has one."""
        ...

    def pixel_rays(
        self, like: Any = None
    ) -> tuple[Float[Any, 'height width 3'], Bool[Any, 'height width']]:
        """Unit directions of every pixel: float32 NumPy, or as `like`."""
        ...

    def scaled(self, width: int, height: int) -> 'Camera':
        """Return the camera of the image resized to width x height pixels."""
        ...

    def cropped(self, x: int, y: int, width: int, height: int) -> 'Camera':
        """Return the camera of the crop whose first pixel is (x, y)."""
        ...


def pixel_grid(width: int, height: int) -> Float[np.ndarray, 'height width 2']:
    """Centres (u, v) of every pixel, float64."""
    u, v = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    return np.stack([u, v], axis=-1)


@dataclasses.dataclass(frozen=True)
class Lens:
    """Image size and the matrix K; the base of the lenses, not a lens itself."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        for name in ('width', 'height'):
            value = getattr(self, name)
            if isinstance(value, bool) or value != int(value) or value < 1:
                raise CalibrationError(
                    f'{name}: found {value!r}, expected a whole number of pixels, at least 1.'
                )
            object.__setattr__(self, name, int(value))
        for name in ('fx', 'fy', 'cx', 'cy'):
            object.__setattr__(self, name, finite(name, getattr(self, name)))
        for name in ('fx', 'fy'):
            if getattr(self, name) <= 0:
                raise CalibrationError(
                    f'{name}: found {getattr(self, name)!r}, expected a positive focal length in '
                    'pixels. An all-zero K means that the camera is not calibrated.'
                )

    @property
    def focal(self) -> float:
        """Focal length fx in pixels."""
        return self.fx

    def scaled(self: LensT, width: int, height: int) -> LensT:
        """Return the camera of the image resized to width x height pixels.

        Pixel (u, v) becomes ((u + 0.5) s - 0.5): edges map to edges, not centres to centres.
        """
        x_scale, y_scale = width / self.width, height / self.height
        return dataclasses.replace(
            self,
            width=width,
            height=height,
            fx=self.fx * x_scale,
            fy=self.fy * y_scale,
            cx=(self.cx + 0.5) * x_scale - 0.5,
            cy=(self.cy + 0.5) * y_scale - 0.5,
        )

    def cropped(self: LensT, x: int, y: int, width: int, height: int) -> LensT:
        """Return the camera of the crop whose first pixel is (x, y)."""
        return dataclasses.replace(
            self, width=width, height=height, cx=self.cx - x, cy=self.cy - y
        )

    def pixel_rays(
        self, like: Any = None
    ) -> tuple[Float[Any, 'height width 3'], Bool[Any, 'height width']]:
        """Unit directions of every pixel and their validity: float32 NumPy, or as `like`.

        Computed in float64 whatever the result's type.
        """
        rays, valid = self.rays(pixel_grid(self.width, self.height))
        if like is None:
            return rays.astype(np.float32), valid
        return convert(rays, like), namespace(like).asarray(valid, device=device(like))

    def rays(self, pixels: Float[Any, '*b 2']) -> tuple[Float[Any, '*b 3'], Bool[Any, '*b']]:
        """Unit directions of pixels, and where the lens model has one."""
        raise NotImplementedError

    def _normalized(self, pixels: Any) -> tuple[Any, Any]:
        return (pixels[..., 0] - self.cx) / self.fx, (pixels[..., 1] - self.cy) / self.fy

    def _pixels(self, x: Any, y: Any) -> Any:
        return namespace(x).stack([x * self.fx + self.cx, y * self.fy + self.cy], axis=-1)

    def _inside(self, pixels: Any) -> Any:
        u, v = pixels[..., 0], pixels[..., 1]
        horizontally = (u >= -0.5) & (u < self.width - 0.5)
        return horizontally & (v >= -0.5) & (v < self.height - 0.5)

    def _converged(self, x_error: Any, y_error: Any) -> Any:
        xp = namespace(x_error)
        return (xp.abs(x_error) * self.fx < _RESIDUAL_PX) & (
            xp.abs(y_error) * self.fy < _RESIDUAL_PX
        )


def finite(name: str, value: Any) -> float:
    """Return the number as a float, or raise CalibrationError naming the field."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise CalibrationError(
            f'{name}: found {value!r}, expected a finite number. Calibrate the camera again.'
        )
    return number


def coefficients(values: Any, model: str, sizes: tuple[int, ...]) -> tuple[float, ...]:
    """Check distortion coefficients; pad or cut trailing zeros to the last of `sizes`."""
    given = tuple(finite(f'distortion[{i}]', value) for i, value in enumerate(values))
    while len(given) > sizes[-1] and given[-1] == 0:
        given = given[:-1]
    if len(given) > sizes[-1] or len(given) not in (*sizes, sizes[-1]):
        raise CalibrationError(
            f'distortion: found {len(given)} coefficients, expected '
            f'{" or ".join(map(str, sizes))} for {model}. Check the distortion model.'
        )
    return given + (0.0,) * (sizes[-1] - len(given))
