# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two views of known pose, resampled so that what matches lies in the same row.

A flat rectified image has no place for the epipole, which a camera that looks ahead has inside of
its view. On a sphere around the baseline there is nothing special about it: a row is a half plane
through the baseline, a column an angle to it (Pollefeys, Koch and Van Gool, "A simple and
efficient rectification method for general motion", 1999, do so in the plane). Any lens will do.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.se3 import SE3

# Rows are coarser than pixels where there would be more than this.
MOST_ROWS = 2048
# A target that looks along the baseline, up to this, looks nowhere across it.
ALONG = 0.01


class Seen(NamedTuple):
    """A view on the sphere: brightness, and where the camera has any."""

    image: UInt8[np.ndarray, 'rows columns']
    there: Bool[np.ndarray, 'rows columns']


class Places(NamedTuple):
    """Where pixels of the target lie on the sphere, as float32 row and column."""

    rows: Float32[np.ndarray, 'h w']
    columns: Float32[np.ndarray, 'h w']


@dataclass(frozen=True)
class EpipolarSphere:
    """The sphere of a target and a source camera.

    A thing whose angle to the baseline is `a` from the target and `a + d` from the source lies `d`
    (over `step_rad`) columns further left in the source.
    """

    target: Camera
    source: Camera
    source_from_target: SE3
    """NumPy; the translation is not zero."""
    axes: Float[np.ndarray, '3 3']
    """Rows: the baseline from target to source, and two directions across, in the target."""
    step_rad: float
    """Angle from column to column."""
    first_column_rad: float
    """Angle to the baseline of the first column, the largest."""
    row_step_rad: float
    rows: int
    columns: int

    @classmethod
    def of(
        cls, target: Camera, source: Camera, source_from_target: SE3, disparities: int
    ) -> 'EpipolarSphere':
        """The sphere that holds all the target sees, and `disparities` columns around.

        Columns are as fine as the target's pixels, rows are where they are finest.
        """
        centre = source_from_target.inverse().translation
        baseline = centre / np.linalg.norm(centre)
        rays, valid = target.pixel_rays()
        rays = rays[valid]
        axes = _axes(baseline, rays)
        around, angle = _angles(rays, axes)
        step = 1 / target.focal
        finest = step / np.sin(angle).max()
        # Half a turn and more: the epipole is in the image, and rows go all the way around.
        reach = min(np.pi, np.abs(around).max() + finest)
        rows = min(MOST_ROWS, int(np.ceil(2 * reach / finest)))
        return cls(
            target, source, source_from_target, axes, step,
            angle.max() + disparities * step, 2 * reach / rows, rows,
            int(np.ceil((angle.max() - angle.min()) / step)) + 2 * disparities + 1,
        )  # fmt: skip

    @property
    def baseline_m(self) -> float:
        """Distance between the two cameras."""
        return float(np.linalg.norm(self.source_from_target.translation))

    def places(self, rays: Float[np.ndarray, 'h w 3']) -> Places:
        """Where rays of the target lie."""
        around, angle = _angles(rays, self.axes)
        rows = around / self.row_step_rad + (self.rows - 1) / 2
        columns = (self.first_column_rad - angle) / self.step_rad
        return Places(rows.astype(np.float32), columns.astype(np.float32))

    def distance_m(
        self, places: Places, disparity: Float32[np.ndarray, 'h w']
    ) -> Float[np.ndarray, 'h w']:
        """Distances from the target of things with these (positive) disparities in columns."""
        angle = self.first_column_rad - places.columns.astype(np.float64) * self.step_rad
        parallax = disparity * self.step_rad
        return self.baseline_m * np.sin(angle + parallax) / np.sin(parallax)

    def views(
        self,
        target: UInt8[np.ndarray, 'h w'],
        source: UInt8[np.ndarray, 'h w'],
        target_visible: Bool[np.ndarray, 'y x'],
        source_visible: Bool[np.ndarray, 'y x'],
    ) -> tuple[Seen, Seen]:
        """Both images on the sphere; `visible` (of any size) is false on the robot itself."""
        rays = self._rays()
        turned = rays @ self.source_from_target.rotation.T
        return (
            _seen(self.target, rays, target, target_visible),
            _seen(self.source, turned, source, source_visible),
        )

    def _rays(self) -> Float[np.ndarray, 'rows columns 3']:
        around = (np.arange(self.rows) - (self.rows - 1) / 2) * self.row_step_rad
        angle = self.first_column_rad - np.arange(self.columns) * self.step_rad
        # Beyond the poles there is nothing.
        angle = np.where((angle > 0) & (angle < np.pi), angle, np.nan)
        along = np.broadcast_to(np.cos(angle), (self.rows, self.columns))
        across = np.sin(angle) * np.sin(around)[:, None], np.sin(angle) * np.cos(around)[:, None]
        return np.stack([along, *across], -1) @ self.axes


def _axes(baseline: Float[np.ndarray, '3'], rays: Float[np.ndarray, 'n 3']) -> np.ndarray:
    """The baseline and two directions across it; the second one is where the target looks."""
    ahead = rays.mean(0)
    if np.linalg.norm(np.cross(ahead, baseline)) < ALONG:
        ahead = np.eye(3)[np.abs(baseline).argmin()]
    ahead = ahead - (ahead @ baseline) * baseline
    ahead = ahead / np.linalg.norm(ahead)
    return np.stack([baseline, np.cross(ahead, baseline), ahead])


def _angles(
    rays: Float[np.ndarray, '*b 3'], axes: Float[np.ndarray, '3 3']
) -> tuple[Float[np.ndarray, '*b'], Float[np.ndarray, '*b']]:
    """Angles around the baseline and to it, radians."""
    along, down, ahead = np.moveaxis(rays @ axes.T, -1, 0)
    return np.arctan2(down, ahead), np.arctan2(np.hypot(down, ahead), along)


def _seen(
    camera: Camera,
    rays: Float[np.ndarray, 'rows columns 3'],
    image: UInt8[np.ndarray, 'h w'],
    visible: Bool[np.ndarray, 'y x'],
) -> Seen:
    there = np.isfinite(rays[..., 0])
    pixels, valid = camera.project(np.where(there[..., None], rays, 0.0))
    pixels = pixels.astype(np.float32)
    u, v = np.ascontiguousarray(pixels[..., 0]), np.ascontiguousarray(pixels[..., 1])
    found = cv2.remap(image, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    height, width = visible.shape
    rows = np.nan_to_num((v + 0.5) * height / camera.height).clip(0, height - 1).astype(np.intp)
    columns = np.nan_to_num((u + 0.5) * width / camera.width).clip(0, width - 1).astype(np.intp)
    return Seen(found, there & valid & visible[rows, columns])
