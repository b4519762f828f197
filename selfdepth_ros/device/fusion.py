# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`core.fusion.Fusion` on tensors: depth maps stay on the device, the finished cloud leaves it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8

from selfdepth_ros.core.depth import NO_LIMIT, DepthLimit
from selfdepth_ros.core.frames import POINT, PointCloud
from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.fusion_tables import common_size, moved, tables_of
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.device.filters import drop_flying, erode, grow_sky
from selfdepth_ros.device.overlap import SeenThrough


class DeviceFusion:
    """Fuses the depth maps of one rig, all cameras at once; see `Fusion` for the arguments.

    Bit for bit the cloud of `Fusion`, but for cameras whose rays are turned by motion: matrix
    products round otherwise (a hundredth of a millimetre at 60 m).
    """

    def __init__(
        self,
        rig: Rig,
        config: FusionConfig | None = None,
        depth_kind: str = 'z_depth',
        depth_limit: DepthLimit = NO_LIMIT,
        device: str = 'cuda',
    ) -> None:
        self.rig, self.config = rig, config or FusionConfig()
        self.height, self.width = common_size(rig)
        tables = tables_of(rig, self.config, depth_kind, depth_limit)

        def on_device(*arrays: Any, axis: int = 0) -> Any:
            return torch.from_numpy(np.stack(arrays, axis)).to(device)

        self._rays = on_device(*(own.body_rays for own in tables), axis=1)  # (3, c, n)
        self._origins = [own.origin for own in tables]
        self._far = on_device(*(own.far for own in tables))
        self._near = on_device(*(own.near for own in tables))
        self._sky = torch.tensor([own.sky for own in tables], device=device)[:, None, None]
        self._above = on_device(*(own.above_horizon for own in tables))
        self._through = SeenThrough(rig, self.config, depth_kind, device)
        _wait(device)  # another thread may fuse

    def fuse(
        self,
        depths: Float32[torch.Tensor, 'c h w'],
        images: UInt8[torch.Tensor, 'c h w 3'],
        present: Sequence[bool] | None = None,
        stamp_ns: int = 0,
        confidence: Float32[torch.Tensor, 'c h w'] | None = None,
        now_from_then: SE3 | None = None,
    ) -> PointCloud:
        """Cloud of all present cameras; see `Fusion.fuse`. Tensors lie on the device."""
        count = len(self.rig.cameras)
        here = [True] * count if present is None else list(map(bool, present))
        keep = self.keep(depths, images, confidence)
        keep &= torch.tensor(here, device=keep.device)[:, None, None]
        points = self._points(depths, now_from_then)
        if self.config.overlap_check:
            keep &= ~self._through(points, depths, now_from_then)
        if self.config.limits_heights:
            height = points[2].reshape(keep.shape)
            keep &= (height >= self.config.min_height_m) & (height <= self.config.max_height_m)
        records, camera, pixel = _on_host(*self._packed(keep, points, images))
        missing = tuple(name for name, own in zip(self.rig.names, here, strict=True) if not own)
        return PointCloud(
            records.view(POINT).reshape(-1), camera, stamp_ns, self.rig.body_frame, missing, pixel
        )

    def keep(
        self,
        depths: Float32[torch.Tensor, 'c h w'],
        images: UInt8[torch.Tensor, 'c h w 3'],
        confidence: Float32[torch.Tensor, 'c h w'] | None = None,
    ) -> Bool[torch.Tensor, 'c h w']:
        """Pixels that pass the filters of single cameras (heights and overlaps are not looked at).

        It takes the depth as it is: an absent camera's must be NaN, or left out afterwards.
        """
        config = self.config
        inverse = torch.ones_like(depths) / depths  # a division, not a reciprocal
        keep = (inverse > self._far) & (inverse < self._near)
        sky = (inverse <= self._sky) & (inverse >= 0)
        grow_sky(sky, self._above, images, config.sky_reach_px, config.sky_step, keep)
        erode(keep, config.margin_px)
        if config.flying_slope > 0:
            drop_flying(inverse, config.flying_slope, config.flying_bend, keep)
        if confidence is not None and config.min_confidence > 0:
            keep &= confidence >= config.min_confidence
        return keep

    def _points(
        self, depths: Float32[torch.Tensor, 'c h w'], now_from_then: SE3 | None
    ) -> Float32[torch.Tensor, '3 c pixels']:
        """Where every pixel stands in the body frame of the cloud's stamp."""
        rays, origins = self._rays, self._origins
        if now_from_then is not None:
            moves = [moved(now_from_then[at], own) for at, own in enumerate(origins)]
            origins = [origin for _, origin in moves]
            if any(turn is not None for turn, _ in moves):
                turns = [np.eye(3, dtype=np.float32) if t is None else t for t, _ in moves]
                turned = torch.from_numpy(np.stack(turns)).to(rays.device)
                rays = torch.einsum('cij,jcn->icn', turned, rays)
        at = torch.from_numpy(np.stack(origins, axis=1)).to(rays.device)
        return rays * depths.reshape(len(origins), -1) + at[:, :, None]

    def _packed(self, keep: Any, points: Any, images: Any) -> tuple[Any, Any, Any]:
        """Of the kept pixels: records (n, 16) as they are published, cameras, pixels."""
        places = keep.reshape(-1).nonzero()[:, 0]
        pixels = self.height * self.width
        records = points.new_empty((len(places), 4))
        for axis in range(3):
            records[:, axis] = points[axis].reshape(-1)[places]
        red, green, blue = (images.reshape(-1, 3)[places, channel].int() for channel in range(3))
        records.view(torch.int32)[:, 3] = red << 16 | green << 8 | blue
        camera = places.div(pixels, rounding_mode='floor')
        return records, camera.to(torch.uint8), (places - camera * pixels).to(torch.int32)


def _on_host(*tensors: torch.Tensor) -> list[Any]:
    """Arrays of tensors, in pinned memory where these come from a GPU: one transfer, no copy."""
    if tensors[0].device.type == 'cpu':
        return [tensor.numpy() for tensor in tensors]
    pinned = [torch.empty(t.shape, dtype=t.dtype, pin_memory=True) for t in tensors]
    for target, tensor in zip(pinned, tensors, strict=True):
        target.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensors[0].device).synchronize()
    return [tensor.numpy() for tensor in pinned]


def _wait(device: str) -> None:
    if torch.device(device).type == 'cuda':
        torch.cuda.current_stream(device).synchronize()  # of all: see Buffers
