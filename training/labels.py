# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the depths that a network is told come from: a table of labels."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch

from selfdepth_ros.core.depth import FORWARD_LEAST
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.depth_topic import TopicDepth
from selfdepth_training.data.lidar import LidarDepth, forward, measured_per_metre
from selfdepth_training.data.samples import SampleSource, SureDepth
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.hints import SweepHints
from selfdepth_training.sgm.labels import SgmLabels
from selfdepth_training.teacher import TeacherLabels


@runtime_checkable
class Labels(Protocol):
    """Depths of the frames of some recordings; they depend on the frame alone, not on the step."""

    def of(self, recording: int, now: int, device: torch.device) -> SureDepth:
        """Depths of a frame of a recording, of the rig's kind, at `LABEL_LEVEL`."""


class StoredLabels:
    """Depths that lie beside the frame caches, as depths of the rig's kind.

    `read[i]` gives a frame's of recording i (c, h, w), `factor[i]` how many metres of depth one of
    theirs is, `told[i]` where they tell anything.
    """

    def __init__(
        self, read: list[Callable[[int], SureDepth]], factor: list[torch.Tensor],
        told: list[torch.Tensor],
    ) -> None:  # fmt: skip
        self._read, self._factor, self._told = read, factor, told

    def of(self, recording: int, now: int, device: torch.device) -> SureDepth:
        """See `Labels`."""
        depth, sure = (part.to(device) for part in self._read[recording](now))
        return SureDepth(depth * self._factor[recording], sure & self._told[recording])


class LidarLabels(StoredLabels):
    """What the LiDAR measured. Raises DataError when a recording has none."""

    def __init__(
        self, source: SampleSource, geometries: list[RigGeometry], config: TrainConfig
    ) -> None:
        super().__init__(
            [LidarDepth(cache).measured for cache in source.caches],
            [1 / measured_per_metre(g.cameras, g.rays) for g in geometries],
            [geometry.visible for geometry in geometries],
        )


class TopicLabels(StoredLabels):
    """What depth images of the recording say, except to the side. Raises DataError without any."""

    def __init__(
        self, source: SampleSource, geometries: list[RigGeometry], config: TrainConfig
    ) -> None:
        topic = config.data.label_topic
        super().__init__(
            [TopicDepth(cache, topic).of for cache in source.caches],
            # Metres of depth along one metre of z: 1 where the depth is the z-depth.
            [1 / g.rays[..., 2].clamp(min=FORWARD_LEAST) for g in geometries],
            [g.visible & forward(g.rays) for g in geometries],
        )


LABELS: dict[str, Callable[[SampleSource, list[RigGeometry], TrainConfig], Labels]] = {
    'sweep': SweepHints,
    'sgm': SgmLabels,
    'lidar': LidarLabels,
    'topic': TopicLabels,
    'onnx': TeacherLabels,
}
