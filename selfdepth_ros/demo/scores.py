# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How far clouds and depth images are from what the live rig really saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3

NEAR_M, FAR_M = 1.0, 60.0
"""Errors are measured where the true depth lies between these."""
_ON_RAY_PX = 0.3
"""A point this near to a pixel's centre of its own camera was made from this pixel."""


@dataclass(frozen=True)
class DepthError:
    """Metric error over all pixels compared: no scaling of any kind."""

    abs_rel: float
    delta1: float
    pixels: int


def depth_error(pairs: Sequence[tuple[Any, Any]]) -> DepthError | None:
    """Error over (depth, true depth) maps, each image counting alike; None without any."""
    rows = [row for depth, truth in pairs if (row := _error_of(depth, truth))]
    if not rows:
        return None
    abs_rel, delta1, pixels = np.array(rows).T
    return DepthError(float(abs_rel.mean()), float(delta1.mean()), int(pixels.sum()))


def _error_of(depth: Any, truth: Any) -> tuple[float, float, int] | None:
    with np.errstate(invalid='ignore'):
        counts = (truth >= NEAR_M) & (truth <= FAR_M)
    if not counts.any():
        return None
    found, real = depth[counts].astype(np.float64), truth[counts].astype(np.float64)
    ratio = np.maximum(found / real, real / found)
    return float(np.mean(np.abs(found - real) / real)), float(np.mean(ratio < 1.25)), counts.sum()


def pixels_in_cloud(
    cloud: PointCloud, rig: Rig, now_from_then: SE3
) -> list[Bool[np.ndarray, 'h w']]:
    """Per camera of the rig (at the size of the depth maps): which pixels became a point.

    A point lies on the ray of its pixel, from where its camera was when the image was taken.
    """
    found = []
    for index, item in enumerate(rig.cameras):
        then_from_now = (now_from_then[index] @ item.body_from_camera).inverse()
        own = cloud.points[cloud.camera == index].astype(np.float64)
        pixels, valid = item.camera.project(then_from_now.apply(own))
        nearest = np.rint(pixels)
        on_ray = valid & (np.abs(pixels - nearest).max(axis=-1) < _ON_RAY_PX)
        columns, rows = nearest[on_ray].astype(np.intp).T
        mask = np.zeros((item.camera.height, item.camera.width), bool)
        mask[rows, columns] = True
        found.append(mask)
    return found


@dataclass
class GhostCount:
    """How much of the sky and of the robot itself came into clouds."""

    sky: int = 0
    sky_in_cloud: int = 0
    robot: int = 0
    robot_in_cloud: int = 0

    def add(self, in_cloud: NDArray[np.bool_], truth: Any) -> None:
        """Count the pixels of one camera."""
        sky, robot = np.isposinf(truth), np.isnan(truth)
        self.sky += int(sky.sum())
        self.sky_in_cloud += int((sky & in_cloud).sum())
        self.robot += int(robot.sum())
        self.robot_in_cloud += int((robot & in_cloud).sum())

    @property
    def sky_share(self) -> float:
        """Share of true-sky pixels that are in the cloud."""
        return self.sky_in_cloud / max(1, self.sky)

    @property
    def robot_share(self) -> float:
        """Share of self-occluded pixels that are in the cloud."""
        return self.robot_in_cloud / max(1, self.robot)
