# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a step is fed: its samples, on this process's device, with their hints."""

from dataclasses import dataclass, replace

from lightning_fabric import Fabric

from selfdepth_training.config import TrainConfig
from selfdepth_training.data.samples import SampleBatch, SampleSource
from selfdepth_training.hints import SweepHints


@dataclass(frozen=True)
class Feed:
    """Batches by the number of the step; every process of a training draws its own part."""

    fabric: Fabric
    source: SampleSource
    hints: SweepHints
    config: TrainConfig

    def batch(self, step: int, progress: float) -> SampleBatch:
        """Return the samples of a step at `progress` (0..1) of the training."""
        count = self.config.data.rigs_per_step
        first = (step * self.fabric.world_size + self.fabric.global_rank) * count
        samples = [
            self.source.draw(self.config.seed, first + index).to(self.fabric.device)
            for index in range(count)
        ]
        if self.config.loss.hint and progress < self.config.loss.hint_until:
            samples = [replace(sample, hint=self.hints.of(sample)) for sample in samples]
        return SampleBatch(samples)
