# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth hints from plane sweeps of the recording itself, one for each surround frame.

After Watson et al., "Self-supervised monocular depth hints", 2019. Theirs are believed where they
explain the images better than the network does; ours where the sweep itself is sure, which costs
a step nothing. What stands on the ground is put there, the sky is told by its colours, what is
open or rough is completed by colour, and specks are dropped. At last the frames around have their
say.
"""

import numpy as np
import torch
from torch.nn import functional

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.borrowing import with_borrowed
from selfdepth_training.completion import completed
from selfdepth_training.config import TrainConfig
from selfdepth_training.consensus import Moment, averaged
from selfdepth_training.data.samples import LABEL_LEVEL, RigSample, SampleSource
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.ground import standing_on_ground
from selfdepth_training.losses.surround import NOW, surround_views, to_float
from selfdepth_training.sky import FARTHEST_FROM, with_sky_as_asked
from selfdepth_training.specks import without_specks
from selfdepth_training.sweep import SureDepth, depth_ladder, sweep

# 80 inverse depths from 1.2 m to the farthest, a pixel of motion apart where the robot moves a
# metre sideways: at twice that, what is beyond 20 m comes out 3 % too near.
RUNGS, NEAR_M = 80, 1.2


# Frames on either side, of those that are learned from, that have a say, and how far off they may
# be: farther away they see little of the same.
AROUND, AROUND_M = 2, 10.0


class SweepHints:
    """Hints by recording and frame, computed when first asked for and kept in memory.

    A hint depends on its frame and those around it alone, not on the step, so that a resumed
    training sees the same.
    """

    def __init__(self, source: SampleSource, geometries: list[RigGeometry], config: TrainConfig):
        self.source = source
        self.geometries = geometries
        self.config = config
        self._moments: dict[tuple[int, int], Moment] = {}
        self._kept: dict[tuple[int, int], SureDepth] = {}

    def of(self, recording: int, now: int, device: torch.device) -> SureDepth:
        """Hint for a frame of a recording, on `device`."""
        key = recording, now
        if key not in self._kept:
            moment = self._moment(recording, now, device)
            around = self._around(recording, now)
            others = [self._moment(recording, other, device) for other in around]
            # Nobody learns from these: they are not kept, which would take twice the memory.
            others += [
                self._found(recording, other, device)
                for other in self._more_witnesses(recording, now, around)
            ]
            self._kept[key] = self._agreed(moment, others, self.geometries[recording])
        return self._kept[key]

    def _agreed(self, now: Moment, others: list[Moment], geometry: RigGeometry) -> SureDepth:
        """What the frame and those around it know together.

        Nothing is borrowed where witnesses are asked for: what is lent has none.
        """
        found = averaged(now, others, geometry, self.config.data.witnesses)
        if self.config.data.witnesses:
            return found
        farthest_m = FARTHEST_FROM * self.config.network.max_depth_m
        borrowed = with_borrowed(now._replace(found=found), others, geometry, farthest_m)
        return without_specks(borrowed)

    def _around(self, recording: int, now: int) -> list[int]:
        """The frames that have a say; none where it is not known how the robot moved."""
        world_from_body = self.source.caches[recording].world_from_body
        if world_from_body is None:
            return []
        position = world_from_body[:, 0, :3, 3]
        away_m = np.linalg.norm(position - position[now], axis=1)
        around = self.source.around(recording, now, AROUND)
        return [other for other in around if away_m[other] < AROUND_M]

    def _more_witnesses(self, recording: int, now: int, around: list[int]) -> list[int]:
        """Frames between those that are learned from, which lie far apart on a long drive, as far
        as `around` are fewer than are asked to bear witness."""
        lacking = self.config.data.witnesses - len(around)
        if lacking <= 0 or self.source.caches[recording].world_from_body is None:
            return []
        beside = [other for other in self.source.beside(recording, now) if other not in around]
        return beside[:lacking]

    def _moment(self, recording: int, now: int, device: torch.device) -> Moment:
        key = recording, now
        if key not in self._moments:
            moment = self._found(recording, now, device)
            # Half the memory; a thousandth is far below what a sweep can tell apart.
            half = moment.found._replace(depth=moment.found.depth.half())
            self._moments[key] = moment._replace(found=half, images=moment.images.half())
        moment = self._moments[key]
        found = moment.found._replace(depth=moment.found.depth.float())
        return moment._replace(found=found, images=moment.images.float())

    def _found(self, recording: int, now: int, device: torch.device) -> Moment:
        """What the frame itself tells."""
        geometry = self.geometries[recording]
        sample = self.source.middling(recording, now).to(device)
        motion_known = sample.world_from_body is not None
        # Neighbours at one time need no motion; what the robot moves in the few milliseconds
        # between two cameras is left to the photometric terms.
        poses = SE3(sample.world_from_body if motion_known else sample.at_rest)
        swept = swept_depth(sample, poses, geometry, self.config, motion_known)
        images = functional.avg_pool2d(to_float(sample.images[NOW]), 1 << LABEL_LEVEL)
        visible = geometry.visible & sample.present[NOW][:, None, None]
        stood = standing_on_ground(swept, geometry)
        swept = with_sky_as_asked(stood, images, visible, geometry, self.config)
        found = without_specks(completed(swept, images, visible))
        world_from_camera = poses[NOW] @ geometry.body_from_camera.like(poses.matrix)
        return Moment(found, world_from_camera, geometry.aligned(images[None])[0], visible)


def swept_depth(
    sample: RigSample, poses: SE3, geometry: RigGeometry, config: TrainConfig, temporal: bool
) -> SureDepth:
    """Plane sweep of a sample's middle frame; `poses` (3, C): world from body at each stamp.

    With `temporal` the frames before and after are compared too, else the overlaps only.
    """
    views = surround_views(sample, poses, geometry, LABEL_LEVEL)
    ladder = depth_ladder(NEAR_M, config.network.max_depth_m, RUNGS, geometry.rays.device)
    return sweep(views, geometry, ladder, config.loss.ssim, temporal)
