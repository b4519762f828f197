# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth hints from a plane sweep of the recording itself, one for each surround frame.

After Watson et al., "Self-supervised monocular depth hints", 2019. Theirs are believed where they
explain the images better than the network does; ours where the sweep itself is sure, which costs
a step nothing. What stands on the ground is put there, the sky is told by its colours, what is
open or rough is completed by colour, and specks are dropped.
"""

import torch
from torch.nn import functional

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.completion import completed
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.samples import RigSample, SampleSource
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.ground import standing_on_ground
from selfdepth_training.losses.surround import NOW, surround_views, to_float
from selfdepth_training.sky import with_sky
from selfdepth_training.specks import without_specks
from selfdepth_training.sweep import SureDepth, depth_ladder, sweep

# Hints are as large as the network's depth, half of the training size: at a quarter, outlines are
# twice as far off. 80 inverse depths from 1.2 m to the farthest, a pixel of motion apart where the
# robot moves a metre sideways: at twice that, what is beyond 20 m comes out 3 % too near.
LEVEL, RUNGS, NEAR_M = 1, 80, 1.2


class SweepHints:
    """Hints by recording and frame, computed when first asked for and kept in memory.

    A hint depends on the frame alone, not on the step, so that a resumed training sees the same.
    """

    def __init__(self, source: SampleSource, geometries: list[RigGeometry], config: TrainConfig):
        self.source = source
        self.geometries = geometries
        self.config = config
        self._kept: dict[tuple[int, int], SureDepth] = {}

    def of(self, recording: int, now: int, device: torch.device) -> SureDepth:
        """Hint for a frame of a recording, on `device`."""
        key = recording, now
        if key not in self._kept:
            self._kept[key] = self._sweep(recording, now, device)
        return self._kept[key]

    def _sweep(self, recording: int, now: int, device: torch.device) -> SureDepth:
        geometry = self.geometries[recording]
        sample = self.source.middling(recording, now).to(device)
        motion_known = sample.world_from_body is not None
        # Neighbours at one time need no motion; what the robot moves in the few milliseconds
        # between two cameras is left to the photometric terms.
        still = torch.eye(4, dtype=torch.float64).expand(*sample.stamps_s.shape, 4, 4)
        poses = SE3(sample.world_from_body if motion_known else still)
        swept = swept_depth(sample, poses, geometry, self.config, motion_known)
        images = functional.avg_pool2d(to_float(sample.images[NOW]), 1 << LEVEL)
        visible = geometry.visible & sample.present[NOW][:, None, None]
        farthest_m = self.config.network.max_depth_m
        swept = with_sky(standing_on_ground(swept, geometry), images, geometry, farthest_m)
        return without_specks(completed(swept, images, visible))


def swept_depth(
    sample: RigSample, poses: SE3, geometry: RigGeometry, config: TrainConfig, temporal: bool
) -> SureDepth:
    """Plane sweep of a sample's middle frame; `poses` (3, C): world from body at each stamp.

    With `temporal` the frames before and after are compared too, else the overlaps only.
    """
    views = surround_views(sample, poses, geometry, LEVEL)
    ladder = depth_ladder(NEAR_M, config.network.max_depth_m, RUNGS, geometry.rays.device)
    return sweep(views, geometry, ladder, config.loss.ssim, temporal)
