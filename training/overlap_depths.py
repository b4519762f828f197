# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depths of corners, in metres, where cameras overlap."""

import numpy as np
import torch
from jaxtyping import Float

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import TrainConfig
from selfdepth_training.corners import Tracks, corners_of, followed, grey
from selfdepth_training.data.cache import FrameCache
from selfdepth_training.data.samples import LABEL_LEVEL, RigSample, SureDepth
from selfdepth_training.geometry import RigGeometry, depth_kind
from selfdepth_training.hints import swept_depth


class OverlapDepths:
    """Corners with metric depths where cameras overlap, by a plane sweep at each frame."""

    first_frame = 0

    def __init__(self, cache: FrameCache, rig: Rig, config: TrainConfig) -> None:
        self.cache, self.rig, self.config = cache, rig, config
        self.first_rate = np.zeros(6)
        size = config.data.width >> LABEL_LEVEL, config.data.height >> LABEL_LEVEL
        self.geometry = RigGeometry.of(rig, *size, depth_kind(rig), torch.device('cpu'))

    def tracks(self, now: int, rate: Float[np.ndarray, '6']) -> list[Tracks]:
        """See `odometry.CornerDepths`."""
        stamps = self.cache.stamps_ns[now] * 1e-9
        swept = _overlap_depth(
            self.cache, now, rate, stamps - stamps.mean(), self.geometry, self.config
        )
        found = []
        for index in np.flatnonzero(
            self.cache.present[now] & self.cache.present[now + 1]
        ).tolist():
            mask = self.rig.cameras[index].self_occlusion
            pictures = [grey(self.cache, frame, index) for frame in (now, now + 1)]
            corners = corners_of(pictures[0], mask)
            there, good = followed(*pictures, corners, mask)
            first, second = corners[good], there[good]
            if len(first):
                rows, columns = (first[:, ::-1] / (1 << LABEL_LEVEL)).astype(int).T
                depth = swept.depth[index].numpy()[rows, columns].astype(float)
                sure = swept.sure[index].numpy()[rows, columns]
                found.append(Tracks(index, first, second, np.where(sure, depth, np.nan)))
        return found

    def moved(self, now: int, twist: Float[np.ndarray, '6']) -> None:
        """See `odometry.CornerDepths`."""


def _overlap_depth(
    cache: FrameCache, now: int, rate: np.ndarray, offsets_s: np.ndarray, geometry: RigGeometry,
    config: TrainConfig,
) -> SureDepth:  # fmt: skip
    """Metric depth where cameras overlap; `rate` moves the robot between their stamps."""
    # The sweep looks at the middle frame alone, so that this one may stand for its neighbours.
    images, present, poses = (
        torch.from_numpy(np.array(array)).expand(3, *array.shape)
        for array in (
            cache.images[now], cache.present[now], SE3.exp(rate * offsets_s[:, None]).matrix
        )
    )  # fmt: skip
    stamps = torch.zeros(present.shape, dtype=torch.float64)
    sample = RigSample(0, (now,) * 3, images, present, stamps, poses)
    return swept_depth(sample, SE3(poses), geometry, config, temporal=False)
