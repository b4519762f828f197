# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth maps of a rig -> one coloured cloud in the body frame.

Everything that follows from the calibration is computed once: the ray of every pixel in the body
frame, and the range of inverse depth in which the pixel may become a point. An empty range stands
for pixels on the robot itself or outside the lens, so that one comparison answers for all of it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from selfdepth_ros.core.depth import NO_LIMIT, DepthLimit
from selfdepth_ros.core.frames import POINT, PointCloud
from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.fusion_steps import CameraTables, FusionSteps, NumpySteps
from selfdepth_ros.core.fusion_tables import moved, tables_of
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.sampling import nearest
from selfdepth_ros.core.se3 import SE3

__all__ = ['Fusion', 'FusionConfig']


class Fusion:
    """Fuses the depth maps of one rig. Not for several callers at once: it reuses buffers.

    Args:
        rig: cameras and masks at the size of the depth maps, all of one size.
        config: the filters.
        depth_kind: 'z_depth' or 'ray_distance', as the manifest says.
        depth_limit: the largest depth the network can say, as the manifest says.
        steps: who does the work per pixel; every variant gives the same cloud, bit for bit.
    """

    def __init__(
        self,
        rig: Rig,
        config: FusionConfig | None = None,
        depth_kind: str = 'z_depth',
        depth_limit: DepthLimit = NO_LIMIT,
        steps: Callable[[Sequence[CameraTables], FusionConfig], FusionSteps] = NumpySteps,
    ) -> None:
        self.rig = rig
        self.config = config or FusionConfig()
        self._depth_kind = depth_kind
        self._tables = tables_of(rig, self.config, depth_kind, depth_limit)
        self._steps = steps(self._tables, self.config)

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
        given = range(len(self._tables)) if present is None else np.flatnonzero(present).tolist()

        def keep(index: int) -> Any:
            return self.keep(index, depths, images, confidence, now_from_then)

        kept = self._steps.each(keep, given)
        ends = np.cumsum([0, *map(np.count_nonzero, kept)]).tolist()
        cloud = self._room_for(ends[-1], given, stamp_ns)

        def place(item: tuple[int, Any, int, int]) -> None:
            index, mask, start, end = item
            part = slice(start, end)
            cloud.camera[part] = index
            records, pixel = cloud.records[part], cloud.pixels_given()[part]
            rays, origin = self._rays(index, now_from_then)
            self._steps.place(rays, origin, depths[index], images[index], mask, records, pixel)

        self._steps.each(place, list(zip(given, kept, ends, ends[1:], strict=False)))
        return self._within_heights(cloud)

    def keep(
        self,
        index: int,
        depths: Float32[np.ndarray, 'c h w'],
        images: UInt8[np.ndarray, 'c h w 3'],
        confidence: Float32[np.ndarray, 'c h w'] | None = None,
        now_from_then: SE3 | None = None,
    ) -> Bool[np.ndarray, 'h w']:
        """Pixels of one camera that become points (heights not looked at), until the next call."""
        mask = self._steps.keep(index, depths[index], images[index])
        if confidence is not None and self.config.min_confidence > 0:
            mask &= confidence[index] >= self.config.min_confidence
        if self.config.overlap_check:
            mask[mask] = ~self._seen_through(index, depths, images, mask, now_from_then)
        return mask

    def _room_for(self, count: int, given: Sequence[int], stamp_ns: int) -> PointCloud:
        """A cloud to be filled in, of so many points of the given cameras."""
        return PointCloud(
            np.empty(count, POINT),
            np.empty(count, np.uint8),
            stamp_ns,
            self.rig.body_frame,
            tuple(name for i, name in enumerate(self.rig.names) if i not in given),
            np.empty(count, np.int32),
        )

    def _rays(self, index: int, now_from_then: SE3 | None) -> tuple[Any, Any]:
        """Rays and origin of a camera in the body frame of the cloud's stamp.

        Turning the rays costs a tenth of what moving the points afterwards does.
        """
        tables = self._tables[index]
        if now_from_then is None:
            return tables.body_rays, tables.origin
        turn, origin = moved(now_from_then[index], tables.origin)
        return (tables.body_rays if turn is None else turn @ tables.body_rays), origin

    def _within_heights(self, cloud: PointCloud) -> PointCloud:
        if not self.config.limits_heights:
            return cloud
        low, high = self.config.min_height_m, self.config.max_height_m
        return cloud.select((cloud.points[:, 2] >= low) & (cloud.points[:, 2] <= high))

    def _seen_through(
        self, index: int, depths: Any, images: Any, mask: Any, now_from_then: SE3 | None
    ) -> Bool[Any, ' n']:
        """Points of a mask where some other camera sees a surface clearly behind them."""
        cloud = self._room_for(int(np.count_nonzero(mask)), [index], 0)
        to = cloud.records, cloud.pixels_given()
        rays, origin = self._rays(index, now_from_then)
        self._steps.place(rays, origin, depths[index], images[index], mask, *to)
        points = cloud.points.astype(np.float64)
        through = np.zeros(len(points), bool)
        for other, item in enumerate(self.rig.cameras):
            if other == index:
                continue
            now_from_camera = item.body_from_camera
            if now_from_then is not None:
                now_from_camera = now_from_then[other] @ now_from_camera
            local = now_from_camera.inverse().apply(points)
            pixel, valid = item.camera.project(local)
            if item.self_occlusion is not None:
                valid = valid & ~nearest(item.self_occlusion, pixel, valid)
            own = local[:, 2] if self._depth_kind == 'z_depth' else np.linalg.norm(local, axis=-1)
            seen = nearest(depths[other], pixel, valid)
            through |= valid & (seen > own * (1 + self.config.overlap_tolerance))
        return through
