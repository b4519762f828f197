# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What another network says of a recording's images, as labels.

Any ONNX file with our interface will do (docs/engines.md): a large model of ours for a small one,
or a foreign one that was wrapped so.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from selfdepth_ros.core.depth import FORWARD_LEAST
from selfdepth_ros.inference import load_engine
from selfdepth_ros.inference.engine import DepthPrediction
from selfdepth_ros.resizing import resized
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.lidar import forward
from selfdepth_training.data.samples import SampleSource, SureDepth
from selfdepth_training.geometry import RigGeometry

# Depths that a teacher believes less than this to be right within a quarter are not passed on.
LEAST_CONFIDENCE = 0.5


class TeacherLabels:
    """Labels by recording and frame, computed when first asked for and kept in memory.

    Raises EngineError for a model that cannot be loaded or run.
    """

    def __init__(self, source: SampleSource, geometries: list[RigGeometry], config: TrainConfig):
        self._caches = source.caches
        self._geometries = geometries
        self._engine = load_engine(config.data.label_model)
        self._kept: dict[tuple[int, int], SureDepth] = {}

    def of(self, recording: int, now: int, device: torch.device) -> SureDepth:
        """See `Labels`."""
        key = recording, now
        if key not in self._kept:
            self._kept[key] = self._said(recording, now)
        depth, sure = self._kept[key]
        return SureDepth(depth.to(device), sure.to(device))

    def _said(self, recording: int, now: int) -> SureDepth:
        cache, geometry = self._caches[recording], self._geometries[recording]
        manifest = self._engine.manifest
        size = manifest.width, manifest.height
        images = np.stack([resized(np.asarray(image), *size) for image in cache.images[now]])
        focal = [camera.scaled(*size).focal for camera in geometry.cameras]
        said = self._engine.infer(images, np.array(focal, np.float32))
        depth, confidence = _halved(said, geometry.size)
        rays = geometry.rays.cpu()
        z_depth = manifest.depth_kind == 'z_depth'
        along = rays[..., 2] if z_depth else rays.norm(dim=-1)
        told = forward(rays) if z_depth else along > 0
        present = torch.from_numpy(cache.present[now])[:, None, None]
        known = depth.isfinite() & (depth > 0)
        sure = geometry.visible.cpu() & present & told & (confidence >= LEAST_CONFIDENCE)
        depth = torch.where(known, depth, 1.0) / along.clamp(min=FORWARD_LEAST)
        return SureDepth(depth, sure & known)


def _halved(
    said: DepthPrediction, size: tuple[int, int]
) -> tuple[Float[Tensor, 'c h w'], Float[Tensor, 'c h w']]:
    """Depth and confidence (one, where the teacher has none) at the size of labels."""

    def nearest(values: np.ndarray) -> Tensor:
        planes = torch.from_numpy(np.asarray(values, np.float32))[:, None]
        return functional.interpolate(planes, size, mode='nearest-exact')[:, 0]

    depth = nearest(said.depth)
    return depth, torch.ones_like(depth) if said.confidence is None else nearest(said.confidence)
