# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a step is fed: images on this process's device, with their hints."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from lightning_fabric import Fabric
from tqdm import tqdm

from selfdepth_training.config import TrainConfig
from selfdepth_training.data.samples import SampleBatch, SampleSource, SureDepth, View, ViewBatch
from selfdepth_training.effect import alone_until
from selfdepth_training.labels import Labels
from selfdepth_training.losses.surround import NOW

log = logging.getLogger(__name__)

# An image with hints in a smaller share of its pixels has next to none: a plane sweep gives .71 to
# .87 of a street's, a single scan line one row of 96.
BARE = 0.002
# Steps on images too whose hints are looked at before the first: as many as a minute has time for.
LOOKED_AT = 12


def hints_alone_until(source: SampleSource, config: TrainConfig) -> float:
    """Fraction of the training that learns from hints alone: none where motion is learned."""
    return alone_until(config.loss, source.learn_motion)


@dataclass(frozen=True)
class Feed:
    """Batches by the number of the step; every process of a training draws its own part."""

    fabric: Fabric
    source: SampleSource
    hints: Labels
    config: TrainConfig

    def prepare(self, steps: range, total: int) -> None:
        """Compute the hints of those of the steps, out of `total`, that learn from hints alone.

        They take most of the time of the first steps, and would make nonsense of their pace. Where
        all steps have images too, only some are, so that a lack of them is told before the first.
        """
        loss, alone = self.config.loss, hints_alone_until(self.source, self.config)
        frames: set[tuple[int, int]] = set()
        for step in steps:
            if step / total >= alone or len(frames) == len(self.source):
                break
            frames.update((view.source, view.frame) for view in self._views_of(step))
        if loss.hint and not alone:
            for step in steps[:LOOKED_AT]:
                if step / total < loss.hint_until:
                    turns = self._rig_turns(step)
                    frames.update(self.source.drawn(self.config.seed, turn) for turn in turns)
        shares = [np.zeros(0)]
        for source, now in tqdm(
            sorted(frames), 'hints', unit='frame', disable=not self.fabric.is_global_zero,
            dynamic_ncols=True, mininterval=1.0,
        ):  # fmt: skip
            sure = self.hint(source, now).sure.float().mean((1, 2)).cpu().numpy()
            shares.append(sure[self.source.caches[source].present[now]])
        _warn_of_bare(np.concatenate(shares))

    def batch(self, step: int, progress: float) -> SampleBatch | ViewBatch:
        """Return what a step at `progress` (0..1) of the training learns from."""
        if progress < hints_alone_until(self.source, self.config):
            return self._view_batch(self._views_of(step))
        turns = self._rig_turns(step)
        samples = [
            self.source.draw(self.config.seed, turn).to(self.fabric.device) for turn in turns
        ]
        if self.config.loss.hint and progress < self.config.loss.hint_until:
            samples = [replace(s, hint=self.hint(s.source, s.frames[NOW])) for s in samples]
        return SampleBatch(samples)

    def hint(self, source: int, frame: int) -> SureDepth:
        """Hint of a frame of a recording."""
        return self.hints.of(source, frame, self.fabric.device)

    def _turn(self, step: int) -> int:
        """Every process has a turn of its own in every step."""
        return step * self.fabric.world_size + self.fabric.global_rank

    def _rig_turns(self, step: int) -> range:
        """Of the surround frames of a step."""
        turn, count = self._turn(step), self.config.data.rigs_per_step
        return range(turn * count, (turn + 1) * count)

    def _views_of(self, step: int) -> list[View]:
        count = self.config.data.rigs_per_step
        return self.source.draw_views(self.config.seed, self._turn(step), count)

    def _view_batch(self, views: list[View]) -> ViewBatch:
        caches = self.source.caches
        images = np.stack([caches[v.source].images[v.frame, v.camera] for v in views])
        hints = [(self.hint(v.source, v.frame), v.camera) for v in views]
        hint = SureDepth(
            torch.stack([hint.depth[camera] for hint, camera in hints]),
            torch.stack([hint.sure[camera] for hint, camera in hints]),
        )
        return ViewBatch(views, torch.from_numpy(images).to(self.fabric.device), hint)


def _warn_of_bare(shares: Float[np.ndarray, ' n']) -> None:
    """Say so where most images have hints in next to no pixel: little would be learned of them."""
    bare = int((shares < BARE).sum())
    if bare > len(shares) / 2:
        log.warning(
            'Found hints for less than %.1f %% of the pixels in %d of %d images, expected more in '
            'most: little will be learned from them. Look whether cameras and odometry (or LiDAR) '
            'have one clock, and whether the calibration is right (selfdepth doctor, selfdepth '
            'rig).',
            100 * BARE, bare, len(shares),
        )  # fmt: skip
