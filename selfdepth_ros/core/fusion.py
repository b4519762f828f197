# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth maps of a rig -> one coloured cloud in the body frame.

Everything that follows from the calibration is computed once: the ray of every pixel in the body
frame, and the range of inverse depth in which the pixel may become a point. An empty range stands
for pixels on the robot itself or outside the lens, so that one comparison answers for all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from selfdepth_ros.core.config_fields import knob
from selfdepth_ros.core.depth_filters import FlyingPixels, Margin, SkyGrowth
from selfdepth_ros.core.errors import CalibrationError, ConfigError
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3

FORWARD_LEAST = 1e-3
"""A ray must point forward by this cosine at least to have a z-depth."""
SKY_FROM = 0.95
"""Share of the network's largest depth from which its answer means: further than I can say."""
TURN_LEAST = 1e-5
"""Radians (0.6 mm at 60 m) below which a turn of the body is not worth turning the rays."""


@dataclass(frozen=True)
class FusionConfig:
    """What may become a point of the cloud."""

    min_range_m: float = knob(0.5, unit='m', low=0.0, high=1000.0)
    """Points nearer to their camera than this are dropped."""
    max_range_m: float = knob(60.0, unit='m', low=0.1, high=1000.0)
    """Points further from their camera than this are dropped; the sky is among them."""
    min_height_m: float = knob(-1000.0, unit='m', low=-1000.0, high=1000.0)
    """Points lower than this in the body frame are dropped."""
    max_height_m: float = knob(1000.0, unit='m', low=-1000.0, high=1000.0)
    """Points higher than this in the body frame are dropped."""
    margin_px: int = knob(1, unit='pixel', low=0, high=16)
    """Pixels this close to sky, out-of-range or the robot's own body are dropped."""
    sky_reach_px: int = knob(48, unit='pixel', low=0, high=1000)
    """How far the sky grows over pixels of its own colour that were put nearer; 0: not at all."""
    sky_step: int = knob(10, unit='grey level', low=0, high=255)
    """Largest change of colour, of two pixels, over which the sky goes on."""
    flying_slope: float = knob(0.08, unit='1/pixel', low=0.0, high=10.0)
    """Relative change of inverse depth per pixel from which a pixel may be flying; 0: keep all."""
    flying_bend: float = knob(0.02, unit='1/pixel^2', low=0.0, high=10.0)
    """Relative second difference of inverse depth that tells a blurred edge from a plane."""
    min_confidence: float = knob(0.0, low=0.0, high=1.0)
    """Pixels less certain than this are dropped, where the model has a confidence output."""
    overlap_check: bool = False
    """Drop points that a neighbouring camera sees through. Costs a projection per point."""
    overlap_tolerance: float = knob(0.25, low=0.0, high=10.0)
    """How much further, relatively, the neighbour must see before it is believed."""

    def __post_init__(self) -> None:
        for what in ('range', 'height'):
            low, high = getattr(self, f'min_{what}_m'), getattr(self, f'max_{what}_m')
            if not low < high:
                raise ConfigError(
                    f'found min_{what}_m {low} and max_{what}_m {high}, expected the first below '
                    'the second.'
                )


@dataclass(frozen=True)
class _CameraTables:
    """What the calibration says about one camera's pixels, all float32, (3, h*w) and (h, w)."""

    body_rays: Any  # ray per metre of depth, in the body frame
    origin: Any  # the camera's place in the body frame
    far: Any  # inverse depth must be above
    near: Any  # and below; NaN: never
    sky: SkyGrowth


class Fusion:
    """Fuses the depth maps of one rig. Not for several threads at once: it reuses buffers.

    Args:
        rig: cameras and masks at the size of the depth maps, all of one size.
        config: the filters.
        depth_kind: 'z_depth' or 'ray_distance', as the manifest says.
        depth_limit_m: the largest depth the network can say; near it lies the sky.
    """

    def __init__(
        self,
        rig: Rig,
        config: FusionConfig | None = None,
        depth_kind: str = 'z_depth',
        depth_limit_m: float = float('inf'),
    ) -> None:
        self.rig = rig
        self.config = config or FusionConfig()
        self.height, self.width = _common_size(rig)
        if depth_kind not in ('z_depth', 'ray_distance'):
            raise ValueError(f'depth_kind is {depth_kind!r}; expected z_depth or ray_distance')
        self._depth_kind = depth_kind
        self._sky_m = SKY_FROM * depth_limit_m
        self._tables = tuple(self._camera_tables(item) for item in rig.cameras)
        size = (self.height, self.width)
        self._flying = FlyingPixels(*size, self.config.flying_slope, self.config.flying_bend)
        self._margin = Margin(*size, self.config.margin_px)
        self._inverse, self._plane = np.empty((2, *size), np.float32)
        self._turned = np.empty((3, self.height * self.width), np.float32)
        self._keep, self._check = np.empty((2, *size), bool)

    def fuse(
        self,
        depths: Float32[np.ndarray, 'c h w'],
        images: UInt8[np.ndarray, 'c h w 3'],
        present: Sequence[bool] | None = None,
        stamp_ns: int = 0,
        confidence: Float32[np.ndarray, 'c h w'] | None = None,
        now_from_then: SE3 | None = None,
    ) -> PointCloud:
        """Cloud of all present cameras, in the rig's body frame, coloured by the images.

        `depths` in metres, RGB `images` of the same size; NaN, infinite, zero and negative depths
        are no points. `now_from_then` (c, 4, 4) moves what each camera saw in the body frame of
        its own stamp to that of the cloud's (`core.motion`). The cloud owns its memory.
        """
        given = range(len(self._tables)) if present is None else np.flatnonzero(present)
        kept = [
            (int(i), self.keep(int(i), depths, confidence, images, now_from_then)) for i in given
        ]
        total = sum(len(pixels) for _, pixels in kept)
        points = np.empty((total, 3), np.float32)
        colors = np.empty((total, 3), np.uint8)
        camera = np.empty(total, np.uint8)
        pixel = np.empty(total, np.int32)
        start = 0
        for index, pixels in kept:
            part = slice(start, start + len(pixels))
            self._place(index, depths[index], pixels, points[part], now_from_then)
            images[index].reshape(-1, 3).take(pixels, axis=0, out=colors[part], mode='clip')
            camera[part] = index
            pixel[part] = pixels
            start = part.stop
        seen = {index for index, _ in kept}
        missing = tuple(name for i, name in enumerate(self.rig.names) if i not in seen)
        frame = self.rig.body_frame
        cloud = PointCloud(points, colors, camera, stamp_ns, frame, missing, pixel)
        return self._within_heights(cloud)

    def keep(
        self,
        index: int,
        depths: Float32[np.ndarray, 'c h w'],
        confidence: Float32[np.ndarray, 'c h w'] | None = None,
        images: UInt8[np.ndarray, 'c h w 3'] | None = None,
        now_from_then: SE3 | None = None,
    ) -> Any:
        """Flat indices of the pixels of one camera that become points (heights not looked at).

        Without `images` the sky does not grow.
        """
        tables, keep, inverse = self._tables[index], self._keep, self._inverse
        with np.errstate(divide='ignore', invalid='ignore'):
            np.divide(np.float32(1), depths[index], out=inverse)
            np.greater(inverse, tables.far, out=keep)
            keep &= np.less(inverse, tables.near, out=self._check)
            if images is not None:
                far = np.less_equal(inverse, tables.far, out=self._check)
                tables.sky.remove(keep, far & (inverse >= 0), images[index])
            self._margin.erode(keep)
            if self.config.flying_slope > 0:
                self._flying.remove(keep, inverse)
        if confidence is not None and self.config.min_confidence > 0:
            keep &= confidence[index] >= self.config.min_confidence
        pixels = np.flatnonzero(keep)
        if self.config.overlap_check:
            pixels = pixels[~self._seen_through(index, depths, pixels, now_from_then)]
        return pixels

    def _place(
        self, index: int, depth: Any, pixels: Any, out: Any, now_from_then: SE3 | None
    ) -> None:
        """Write the points of `pixels` into `out`: by planes, a third of the time of rows."""
        rays, origin = self._rays(index, now_from_then)
        plane = self._plane.reshape(-1)
        for axis in range(3):
            np.multiply(rays[axis], depth.reshape(-1), out=plane)
            plane += origin[axis]
            out[:, axis] = plane.take(pixels)

    def _rays(self, index: int, now_from_then: SE3 | None) -> tuple[Any, Any]:
        """Rays and origin of a camera in the body frame of the cloud's stamp.

        Turning the rays costs a tenth of what moving the points afterwards does.
        """
        tables = self._tables[index]
        if now_from_then is None:
            return tables.body_rays, tables.origin
        move = now_from_then[index]
        origin = move.apply(tables.origin)
        if np.abs(move.rotation - np.eye(3)).max() < TURN_LEAST:
            return tables.body_rays, origin
        turn = np.asarray(move.rotation, np.float32)
        return np.matmul(turn, tables.body_rays, out=self._turned), origin

    def _within_heights(self, cloud: PointCloud) -> PointCloud:
        low, high = self.config.min_height_m, self.config.max_height_m
        if low <= -1000 and high >= 1000:
            return cloud
        return cloud.select((cloud.points[:, 2] >= low) & (cloud.points[:, 2] <= high))

    def _seen_through(
        self, index: int, depths: Any, pixels: Any, now_from_then: SE3 | None
    ) -> Bool[Any, ' n']:
        """Points where some other camera sees a surface clearly behind them."""
        points = np.empty((len(pixels), 3), np.float32)
        self._place(index, depths[index], pixels, points, now_from_then)
        through = np.zeros(len(pixels), bool)
        for other, item in enumerate(self.rig.cameras):
            if other == index:
                continue
            now_from_camera = item.body_from_camera
            if now_from_then is not None:
                now_from_camera = now_from_then[other] @ now_from_camera
            local = now_from_camera.inverse().apply(points.astype(np.float64))
            pixel, valid = item.camera.project(local)
            if item.self_occlusion is not None:
                valid = valid & ~_sample(item.self_occlusion, pixel, valid)
            own = local[:, 2] if self._depth_kind == 'z_depth' else np.linalg.norm(local, axis=-1)
            seen = _sample(depths[other], pixel, valid)
            through |= valid & (seen > own * (1 + self.config.overlap_tolerance))
        return through

    def _camera_tables(self, item: Any) -> _CameraTables:
        rays, valid = item.camera.pixel_rays()
        length = np.ones(valid.shape, np.float32)  # metres along the ray per metre of depth
        if self._depth_kind == 'z_depth':
            valid = valid & (rays[..., 2] > FORWARD_LEAST)
            length = 1 / np.where(valid, rays[..., 2], 1)
        if item.self_occlusion is not None:
            valid = valid & ~item.self_occlusion
        far = np.maximum(length / self.config.max_range_m, np.float32(1 / self._sky_m))
        near = length / max(self.config.min_range_m, 1e-6)
        rays = rays.astype(np.float64) * length[..., None]
        body_rays = item.body_from_camera.rotate(rays).reshape(-1, 3).T
        return _CameraTables(
            body_rays=np.ascontiguousarray(body_rays, np.float32),
            origin=item.body_from_camera.translation.astype(np.float32),
            far=np.where(valid, far, np.nan).astype(np.float32),
            near=np.where(valid, near, np.nan).astype(np.float32),
            sky=SkyGrowth(
                body_rays[2].reshape(valid.shape) > 0,
                self.config.sky_reach_px,
                self.config.sky_step,
            ),
        )


def _sample(image: Any, pixels: Float[Any, 'n 2'], valid: Bool[Any, ' n']) -> Any:
    """Nearest values of an image at pixels; what is not valid reads the first pixel."""
    columns, rows = np.where(valid[:, None], np.rint(pixels), 0).astype(np.intp).T
    height, width = image.shape
    return image[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]


def _common_size(rig: Rig) -> tuple[int, int]:
    sizes = {(item.camera.height, item.camera.width) for item in rig.cameras}
    if len(sizes) != 1:
        found = ', '.join(f'{width}x{height}' for height, width in sorted(sizes))
        raise CalibrationError(
            f'The cameras have sizes {found}, expected one size for all: use '
            'rig.scaled(width, height) with the size of the network.'
        )
    return sizes.pop()
