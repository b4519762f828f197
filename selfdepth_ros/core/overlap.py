# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether two overlapping cameras agree: on the depths, and on where things are.

The depths of one camera put its pixels into the image of the other. There, the other's depths are
compared; and the two pictures, which should lie on each other, by phase correlation (Kuglin and
Hines 1975), which tells by how many pixels they do not. Depths alone would not show a camera that
was turned to the side: a road has the same depths after that.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex128, Float, Float32, UInt8

from selfdepth_ros.core.depth import depth_per_metre
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.sampling import bilinear, nearest
from selfdepth_ros.core.se3 import SE3

FARTHEST_M = 60.0
"""Where the network says more than this, it means: far away."""
_TYPICAL_M = 20.0
_COLUMNS = 160
"""The grid is as fine as an image of about so many columns."""
_HALF_WIDTH_RAD, _HALF_HEIGHT_RAD = math.radians(60), math.radians(45)
_LEAST_SEEN = 0.2
"""Share of the grid that the other camera must see."""
_SMOOTH = 0.18
"""Standard deviation of the low-pass, in cycles per grid step: aliased detail agrees by chance."""
_LEAST_PEAK = 9.0
"""Standard deviations of the correlation above which its peak is no chance (of 4000 values)."""


class Comparison(NamedTuple):
    """Two cameras at one moment."""

    spectrum: Complex128[np.ndarray, 'h w']
    """Phases of the cross-correlation of the pictures; spectra of several moments add up."""
    disagreement: float
    """Median of |log| of the ratio of the depths; NaN where too few have one."""
    detail: Float[np.ndarray, '2']
    """Mean size of the detail of both pictures, in grey levels."""


class Overlap:
    """What two cameras of a rig (at the size of the depth maps) both see, on a grid of directions.

    The grid is even in azimuth and elevation around what both see, so that a camera that was
    turned shifts its picture by the same number of cells everywhere, whatever the lenses.
    Cameras that hardly overlap have `usable` False.
    """

    def __init__(self, rig: Rig, first: int, second: int, depth_kind: str) -> None:
        self.first, self.second = first, second
        self._cameras = rig.cameras[first], rig.cameras[second]
        self._depth_kind = depth_kind
        camera = self._cameras[0].camera
        self._step_rad = max(1, camera.width // _COLUMNS) / camera.focal
        pixels, rays, valid = self._grid(self._middle_rad())
        seen = valid & self._project(_TYPICAL_M * rays, None)[1]
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        self.usable = min(len(rows), len(columns)) >= 16
        if self.usable:
            part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
            self._pixels, self._rays, self._valid = pixels[part], rays[part], valid[part]
            window = np.outer(*(np.hanning(length + 2)[1:-1] for length in self._valid.shape))
            self._window = np.sqrt(window)

    def compare(
        self,
        images: UInt8[np.ndarray, 'c h w 3'],
        depths: Float32[np.ndarray, 'c h w'],
        now_from_then: SE3 | None = None,
    ) -> Comparison | None:
        """Compare images and depths of the rig at one moment; None where too little is shared.

        `now_from_then` as `Fusion.fuse` takes it.
        """
        depth = nearest(depths[self.first], self._pixels, self._valid)
        depth = np.minimum(np.nan_to_num(depth), FARTHEST_M)
        places, seen, own = self._project(depth[..., None] * self._rays, now_from_then)
        seen &= self._valid & (depth > 0)
        if seen.mean() < _LEAST_SEEN:
            return None
        shown = bilinear(images[self.first][..., 1], self._pixels)
        there = bilinear(images[self.second][..., 1], places)
        weight = self._window * seen
        near = seen & (own < 0.9 * FARTHEST_M)
        other = nearest(depths[self.second], places, near)
        near &= (other > 0) & (other < FARTHEST_M)
        ratio = np.log(other[near] / own[near])
        enough = near.sum() > 50
        detail = np.stack([_detail(image) * weight for image in (shown, there)])
        return Comparison(
            _phases(detail),
            float(np.median(np.abs(ratio))) if enough else math.nan,
            np.abs(detail).sum((1, 2)) / weight.sum(),
        )

    def turn_deg(self, spectrum: Complex128[np.ndarray, 'h w']) -> float:
        """Angle by which the second picture lies beside the first; NaN: they do not match.

        In steps of one grid cell, some tenths of a degree.
        """
        height, width = self._valid.shape
        frequency = np.fft.fftfreq(height)[:, None] ** 2 + np.fft.rfftfreq(width) ** 2
        smooth = spectrum * np.exp(-frequency / (2 * _SMOOTH**2))
        correlation = np.fft.irfft2(smooth, (height, width))
        if correlation.max() < _LEAST_PEAK * correlation.std():
            return math.nan
        row, column = np.unravel_index(correlation.argmax(), correlation.shape)
        shift = math.hypot(_signed(int(column), width), _signed(int(row), height))
        return math.degrees(shift * self._step_rad)

    def _middle_rad(self) -> float:
        """Azimuth of the middle of the directions between the two cameras."""
        axes = sum(entry.body_from_camera.rotation[:2, 2] for entry in self._cameras)
        return math.atan2(axes[1], axes[0])

    def _grid(self, middle_rad: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels in the first camera, rays per metre of depth, and which it sees past itself."""
        entry = self._cameras[0]
        azimuth = middle_rad + np.arange(-_HALF_WIDTH_RAD, _HALF_WIDTH_RAD, self._step_rad)
        elevation = np.arange(_HALF_HEIGHT_RAD, -_HALF_HEIGHT_RAD, -self._step_rad)[:, None]
        level = np.cos(elevation)
        up = np.broadcast_to(np.sin(elevation), (elevation.size, azimuth.size))
        directions = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), up], axis=-1)
        rays = entry.body_from_camera.inverse().rotate(directions)
        pixels, valid = entry.camera.project(rays)
        per_metre, valid = depth_per_metre(rays, valid, self._depth_kind)
        rays = rays / per_metre[..., None]
        if entry.self_occlusion is not None:
            valid = valid & ~nearest(entry.self_occlusion, pixels, valid)
        return pixels, rays, valid

    def _project(
        self, points: Float[np.ndarray, 'h w 3'], now_from_then: SE3 | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels in the second camera of points of the first, whether seen, and their depth."""
        source, target = (entry.body_from_camera for entry in self._cameras)
        if now_from_then is not None:
            source = now_from_then[self.first] @ source
            target = now_from_then[self.second] @ target
        local = (target.inverse() @ source).apply(points)
        pixels, seen = self._cameras[1].camera.project(local)
        mask = self._cameras[1].self_occlusion
        if mask is not None:
            seen = seen & ~nearest(mask, pixels, seen)
        along_z = self._depth_kind == 'z_depth'
        depth = local[..., 2] if along_z else np.linalg.norm(local, axis=-1)
        return pixels, seen & (depth > 0.1), np.maximum(depth, 0.1)


def _phases(detail: Float[np.ndarray, '2 h w']) -> Complex128[np.ndarray, 'h v']:
    """Cross-power spectrum of two pictures with all amplitudes 1: brightness does not count.

    Of their detail only: what changes slowly ends at the same border in both, which would match
    where it is.
    """
    product = np.fft.rfft2(detail[0]) * np.conj(np.fft.rfft2(detail[1]))
    size = np.abs(product)
    return product / (size + 1e-6 * float(size.max()) + 1e-12)


def _detail(image: Float[np.ndarray, 'h w']) -> Float[np.ndarray, 'h w']:
    """Difference of each pixel from its four neighbours."""
    wide = np.pad(image, 1, mode='edge')
    around = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    return image - around / 4


def _signed(index: int, count: int) -> int:
    """Index of a circular shift as a number around 0."""
    return (index + count // 2) % count - count // 2
