# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The loss that a training would see with a rig: photometric, over time and overlaps."""

import numpy as np
import torch
from jaxtyping import Float

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.samples import sample_of, spread
from selfdepth_training.extrinsics.drive import Drive
from selfdepth_training.geometry import RigGeometry, depth_kind
from selfdepth_training.hints import LEVEL, swept_depth
from selfdepth_training.losses.surround import AFTER, SurroundReprojection, surround_views

FRAMES = 6


@torch.no_grad()
def photometric_losses(drive: Drive, rig: Rig, config: TrainConfig) -> Float[np.ndarray, ' c']:
    """Photometric error of each camera's image now, explained by itself and by its neighbours.

    The depth is swept anew with `rig`, so that a wrong rig cannot profit from depths of the right
    one, nor suffer from them. A few key frames of all recordings are looked at.
    """
    size = config.data.width >> LEVEL, config.data.height >> LEVEL
    geometry = RigGeometry.of(rig, *size, depth_kind(rig), torch.device('cpu'))
    tables = SurroundReprojection(geometry, 1 << LEVEL, config.loss.ssim)
    total, count = np.zeros(len(rig)), np.zeros(len(rig))
    judged = drive.judged
    for place in spread(len(judged), FRAMES):
        recording, frames = judged[place]
        sample = sample_of(drive.caches[recording], recording, frames)
        poses = SE3(sample.world_from_body)
        depth = swept_depth(sample, poses, geometry, config, temporal=True).depth
        views = surround_views(sample, poses, geometry, 0)
        parts = [(range(len(rig)), tables.temporal(views, depth))]
        if geometry.overlaps:
            targets = [overlap.target for overlap in geometry.overlaps]
            parts.append((targets, tables.spatial(views, depth, AFTER)))
        for cameras, found in parts:
            errors = torch.where(found.valid, found.error, 0.0).sum((1, 2))
            np.add.at(total, list(cameras), errors.numpy())
            np.add.at(count, list(cameras), found.valid.sum((1, 2)).numpy())
    return total / np.maximum(count, 1)
