# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How the robot moves: by odometry or TF; without them, whether its images change."""

import math
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int64

from selfdepth_ros.core.parallax import LEAST_CHANGE, STILL_M_S
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.doctor.checkup import MotionFigures
from selfdepth_ros.doctor.observation import View

STILL = 0.95
"""Share of the time without motion from which a robot is taken to stand."""
_STEP_NS = 200_000_000
"""Speeds are over so much time: noise of single poses would count as speed."""
_LATER_NS = 250_000_000
_STILL_DEG_S = 1.0


def of_poses(
    stamps_ns: Int64[np.ndarray, ' n'], poses: Float[np.ndarray, 'n 4 4'], source: str
) -> MotionFigures:
    """Figures of a track of two poses or more, in order of time."""
    _, first = np.unique((stamps_ns - stamps_ns[0]) // _STEP_NS, return_index=True)
    at = np.unique(np.append(first, len(stamps_ns) - 1))
    seconds = np.diff(stamps_ns[at]) * 1e-9
    steps = (SE3(poses[at[:-1]]).inverse() @ SE3(poses[at[1:]])).log()
    moved_m, turned_deg = (
        np.linalg.norm(steps[:, :3], axis=1),
        np.degrees(np.linalg.norm(steps[:, 3:], axis=1)),
    )
    speed, turning = moved_m / seconds, turned_deg / seconds
    still = seconds[(speed < STILL_M_S) & (turning < _STILL_DEG_S)].sum() / seconds.sum()
    return MotionFigures(
        source, float(moved_m.sum()), float(moved_m.sum() / seconds.sum()), float(speed.max()),
        float(turning.max()), float(still),
    )  # fmt: skip


def of_views(cameras: Iterable[list[View]]) -> MotionFigures | None:
    """What the change of images tells, each compared with one a little later; None: nothing."""
    changes = []
    for views in cameras:
        stamps = [view.stamp_ns for view in views]
        later = np.searchsorted(stamps, np.array(stamps) + _LATER_NS)
        pairs = [(view, views[j]) for view, j in zip(views, later, strict=True) if j < len(views)]
        changes += [
            float(np.abs(then.small - now.small).mean())
            for now, then in pairs
            if now.size == then.size
        ]
    if not changes:
        return None
    still = float((np.array(changes) < LEAST_CHANGE).mean())
    return MotionFigures('images', math.nan, math.nan, math.nan, math.nan, still)
