# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a robot may run into: the points between two heights above the ground."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Bool, Float

from selfdepth_ros.core.config_fields import knob
from selfdepth_ros.core.downsample import DownsampleConfig, Thinner, thin_numpy
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.frames import PointCloud


@dataclass(frozen=True)
class HeightBand:
    """Heights above the ground that count as obstacles."""

    min_height_m: float = knob(0.25, unit='m', low=-100.0, high=100.0)
    """Lower points are ground. A depth wrong by 10 % lifts it by 10 % of the camera's height."""
    max_height_m: float = knob(2.0, unit='m', low=-100.0, high=100.0)
    """Higher points are passed under."""

    def __post_init__(self) -> None:
        if not self.min_height_m < self.max_height_m:
            raise ConfigError(
                f'found min_height_m {self.min_height_m} and max_height_m {self.max_height_m}, '
                'expected the first below the second.'
            )

    def limits_m(self, ground_height_m: float = 0.0) -> tuple[float, float]:
        """Lowest and highest z in the body frame, the ground being at a height."""
        return self.min_height_m + ground_height_m, self.max_height_m + ground_height_m

    def holds(self, points: Float[Any, 'n 3'], ground_height_m: float = 0.0) -> Bool[Any, ' n']:
        """Tell which points (body frame, metres) are within, the ground being at a height."""
        heights, (low, high) = points[:, 2], self.limits_m(ground_height_m)
        within: Bool[Any, ' n'] = (heights >= low) & (heights <= high)
        return within


@dataclass(frozen=True)
class ObstaclesConfig(HeightBand, DownsampleConfig):
    """Which points are published as obstacles."""

    voxel_m: float = knob(0.05, unit='m', low=0.0, high=100.0)
    """At most one point in each cube with this edge, best a costmap's cell; 0: keep all."""


def obstacles(
    cloud: PointCloud,
    config: ObstaclesConfig,
    width: int,
    ground_height_m: float = 0.0,
    thin: Thinner = thin_numpy,
) -> PointCloud:
    """Return the points of the band, thinned; `width` of the depth maps in pixels."""
    return cloud.select(thin(cloud, config, width, config.limits_m(ground_height_m)))
