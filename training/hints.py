# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth hints from a plane sweep of the recording itself, one for each surround frame.

After Watson et al., "Self-supervised monocular depth hints", 2019. Theirs are believed where they
explain the images better than the network does; ours where the sweep itself is sure, which costs
a step nothing.
"""

import torch

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.samples import RigSample, SampleSource
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.losses.surround import surround_views
from selfdepth_training.sweep import SweptDepth, depth_ladder, sweep

# Hints are as large as the network's depth, half of the training size: at a quarter, outlines are
# twice as far off. 40 inverse depths from 1.2 m to the farthest.
LEVEL, RUNGS, NEAR_M = 1, 40, 1.2


class SweepHints:
    """Hints by recording and frame, computed when first asked for and kept in memory.

    A hint depends on the frame alone, not on the step, so that a resumed training sees the same.
    """

    def __init__(self, source: SampleSource, geometries: list[RigGeometry], config: TrainConfig):
        self.source = source
        self.geometries = geometries
        self.config = config
        self._kept: dict[tuple[int, int], SweptDepth] = {}

    def of(self, sample: RigSample) -> SweptDepth:
        """Hint for a sample's middle frame, on the sample's device."""
        key = sample.source, sample.frames[1]
        if key not in self._kept:
            self._kept[key] = self._sweep(*key, sample.images.device)
        return self._kept[key]

    def _sweep(self, recording: int, now: int, device: torch.device) -> SweptDepth:
        geometry = self.geometries[recording]
        sample = self.source.middling(recording, now).to(device)
        motion_known = sample.world_from_body is not None
        # Neighbours at one time need no motion; what the robot moves in the few milliseconds
        # between two cameras is left to the photometric terms.
        still = torch.eye(4, dtype=torch.float64).expand(*sample.stamps_s.shape, 4, 4)
        poses = SE3(sample.world_from_body if motion_known else still)
        return swept_depth(sample, poses, geometry, self.config, motion_known)


def swept_depth(
    sample: RigSample, poses: SE3, geometry: RigGeometry, config: TrainConfig, temporal: bool
) -> SweptDepth:
    """Plane sweep of a sample's middle frame; `poses` (3, C): world from body at each stamp.

    With `temporal` the frames before and after are compared too, else the overlaps only.
    """
    views = surround_views(sample, poses, geometry, LEVEL)
    ladder = depth_ladder(NEAR_M, config.network.max_depth_m, RUNGS, geometry.rays.device)
    return sweep(views, geometry, ladder, config.loss.ssim, temporal)
