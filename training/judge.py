# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How good a network is on frames that it was not learned from, without labels if need be.

Every network is asked for depth at its own size and judged at one size for all, by the photometric
error of the images over time and overlaps: what it was trained on, on other images. Where the
recordings have LiDAR, that counts instead.
"""

import logging
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch.nn import functional

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.cache import FrameCache
from selfdepth_training.data.lidar import LidarDepth
from selfdepth_training.data.samples import LABEL_LEVEL, DataError, RigSample, SampleSource, spread
from selfdepth_training.evaluate import Predictor
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.losses.surround import AFTER, NOW, SurroundReprojection, surround_views

log = logging.getLogger(__name__)

FRAMES = 24
MOST = 1.0
"""Of a relative error: what lies behind an outline, a pixel aside, is not to outweigh the rest."""


@dataclass(frozen=True)
class Verdict:
    """Errors on held-out frames: the less the better."""

    photometric: float
    abs_rel: float | None
    """Mean relative error against LiDAR; None where some recording has none that can be used, or
    none of it is of the frames that are judged."""

    @property
    def error(self) -> float:
        """What counts; what is no number is worst."""
        error = self.photometric if self.abs_rel is None else self.abs_rel
        return error if math.isfinite(error) else math.inf

    def to_dict(self) -> dict[str, Any]:
        """In plain values."""
        return asdict(self)


class Judge:
    """Held-out frames of some recordings, at the size of `config`; all with poses."""

    def __init__(self, caches: list[FrameCache], rigs: list[Rig], config: TrainConfig) -> None:
        self._source = SampleSource(caches, config.data)
        if not self._source.held_out:
            raise DataError(
                f'Found no usable frame in the last {config.data.held_out:.0%} of '
                f'{len(caches)} recording(s), expected some to judge on. Record a longer drive, '
                'and drive until the end.'
            )
        self.rigs = rigs
        """Of the recordings, at the size of the images."""
        self._lidar = _lidar_of(caches)
        size = config.data.width >> LABEL_LEVEL, config.data.height >> LABEL_LEVEL
        self._tables = [
            SurroundReprojection(
                RigGeometry.of(rig, *size, 'z_depth', torch.device('cpu')), 1 << LABEL_LEVEL,
                config.loss.ssim,
            )
            for rig in rigs
        ]  # fmt: skip

    @torch.no_grad()
    def verdict(self, predictors: list[Predictor]) -> Verdict:
        """Judge a network, given as one predictor for each recording's rig."""
        held_out = self._source.held_out
        photometric, relative = [], []
        for place in spread(len(held_out), FRAMES):
            recording, now = held_out[place]
            sample = self._source.middling(recording, now)
            depth = _depth(predictors[recording], sample)
            photometric.append(self._photometric(recording, sample, depth))
            if self._lidar is not None:
                visible = self._tables[recording].geometry.visible
                relative += _relative(self._lidar[recording], now, depth, visible)
        abs_rel = float(np.mean(relative)) if relative else None
        return Verdict(float(np.mean(photometric)), abs_rel)

    def _photometric(
        self, recording: int, sample: RigSample, depth: Float[torch.Tensor, 'c h w']
    ) -> float:
        tables = self._tables[recording]
        views = surround_views(sample, SE3(sample.world_from_body), tables.geometry, 0)
        parts = [tables.temporal(views, depth)]
        if tables.geometry.overlaps:
            parts.append(tables.spatial(views, depth, AFTER))
        errors = torch.cat([part.error[part.valid] for part in parts])
        return errors.mean().item() if len(errors) else math.inf


def _lidar_of(caches: list[FrameCache]) -> list[LidarDepth] | None:
    """The LiDAR of all recordings; None where one has none, or none that can be used."""
    if not all(cache.reader().has_lidar for cache in caches):
        return None
    try:
        return [LidarDepth(cache) for cache in caches]
    except (BagError, DataError) as error:
        log.warning('Judged by the images alone, for the LiDAR cannot be used: %s', error)
        return None


def _depth(predict: Predictor, sample: RigSample) -> Float[torch.Tensor, 'c h w']:
    """Z-depth of the middle frame at the size of labels; absent cameras are far away."""
    images, present = sample.images[NOW].numpy(), sample.present[NOW].tolist()
    shown = tuple(image if here else None for image, here in zip(images, present, strict=True))
    frame = SurroundFrame(0, shown, tuple(0 if here else None for here in present))
    depths = [
        np.full(images.shape[1:3], 1e3) if depth is None else depth for depth in predict(frame)
    ]
    inverse = 1 / torch.from_numpy(np.stack(depths)).float().clamp(min=1e-3)
    return 1 / functional.avg_pool2d(inverse[None], 1 << LABEL_LEVEL)[0]


def _relative(
    lidar: LidarDepth, now: int, depth: Float[torch.Tensor, 'c h w'],
    visible: Bool[torch.Tensor, 'c h w'],
) -> list[float]:  # fmt: skip
    """Mean relative error of a frame where the world is visible, not the robot itself; nothing
    without a sweep near it."""
    truth, sure = lidar.of(now)
    sure = sure & visible
    error = ((depth - truth).abs() / truth).clamp(max=MOST)
    return [error[sure].mean().item()] if sure.any() else []
