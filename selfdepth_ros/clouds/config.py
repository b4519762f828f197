# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How clouds of a bag are made: the node's settings, where it has them too."""

from dataclasses import dataclass

from selfdepth_ros.core.config import knob
from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.motion import PoseGapConfig
from selfdepth_ros.messages import PointsConfig


@dataclass(frozen=True)
class MapConfig:
    """All clouds of a drive as one."""

    voxel_m: float = knob(0.1, unit='m', low=0.01, high=10.0)
    """Edge of the cubes; each holds the one point that was seen from nearest by."""
    max_range_m: float = knob(20.0, unit='m', low=0.5, high=1000.0)
    """Points further from the robot are left out: their errors would lie over good ones."""


@dataclass(frozen=True)
class CloudsConfig:
    """How clouds of a bag are made."""

    fusion: FusionConfig = FusionConfig()
    points: PointsConfig = PointsConfig(camera=True)
    """As the node has it; which camera saw a point is told, so that overlaps can be measured."""
    motion: PoseGapConfig = PoseGapConfig()
    """Points of cameras that fire one after another are moved to the cloud's stamp."""
    map: MapConfig = MapConfig()
