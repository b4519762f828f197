# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Points that a neighbouring camera sees through: the overlap check of fusion, on tensors."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32

from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3


class SeenThrough:
    """Tells where some other camera sees a surface clearly behind a pixel's point."""

    def __init__(self, rig: Rig, config: FusionConfig, depth_kind: str, device: str) -> None:
        self._rig, self._depth_kind = rig, depth_kind
        self._factor = 1 + config.overlap_tolerance
        self._masks = [
            None if own is None else torch.from_numpy(np.ascontiguousarray(own, bool)).to(device)
            for own in (item.self_occlusion for item in rig.cameras)
        ]

    def __call__(
        self,
        points: Float32[torch.Tensor, '3 c pixels'],
        depths: Float32[torch.Tensor, 'c h w'],
        now_from_then: SE3 | None,
    ) -> Bool[torch.Tensor, 'c h w']:
        """For every pixel, points being in the body frame; in float64, as the reference."""
        every = points.permute(1, 2, 0).double()  # (c, n, 3)
        through = torch.zeros(every.shape[:2], dtype=torch.bool, device=every.device)
        for other, item in enumerate(self._rig.cameras):
            now_from_camera = item.body_from_camera
            if now_from_then is not None:
                now_from_camera = now_from_then[other] @ now_from_camera
            local = now_from_camera.inverse().like(every).apply(every)
            pixel, valid = item.camera.project(local)
            valid[other] = False
            column, row = torch.where(valid[..., None], pixel.round(), 0).long().unbind(-1)
            row = row.clamp_(0, item.camera.height - 1)
            column = column.clamp_(0, item.camera.width - 1)
            mask = self._masks[other]
            if mask is not None:
                valid &= ~mask[row, column]
            own = local[..., 2] if self._depth_kind == 'z_depth' else local.norm(dim=-1)
            through |= valid & (depths[other][row, column] > own * self._factor)
        found: Any = through.reshape(depths.shape)
        return found
