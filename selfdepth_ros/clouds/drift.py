# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How far an odometry drifts: the error of its motion over stretches of the true path.

As in the KITTI odometry benchmark (Geiger et al. 2012), over every stretch of one length, from
each pose on: the error of the end's place relative to the length, and of its direction.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selfdepth_ros.clouds.errors import CloudError
from selfdepth_ros.core import so3
from selfdepth_ros.core.se3 import SE3


class Drift(NamedTuple):
    """Means over all stretches."""

    percent: float
    """Error of the place, of the length of the stretch."""
    deg_per_m: float
    stretches: int


def drift(
    true: Float[np.ndarray, 'n 4 4'], found: Float[np.ndarray, 'n 4 4'], stretch_m: float
) -> Drift:
    """Compare poses fixed_from_body of the same moments; each in a fixed frame of its own.

    Raises CloudError when the path is shorter than a stretch.
    """
    steps_m = np.linalg.norm(np.diff(true[:, :3, 3], axis=0), axis=-1)
    path_m = np.concatenate([[0.0], np.cumsum(steps_m)])
    ends = np.searchsorted(path_m, path_m + stretch_m)
    starts = np.flatnonzero(ends < len(path_m))
    if not len(starts):
        raise CloudError(
            f'the path is {path_m[-1]:.1f} m long, expected more than a stretch of '
            f'{stretch_m:g} m: take a longer recording or shorter stretches'
        )
    ends = ends[starts]
    moved, told = (SE3(p[starts]).inverse() @ SE3(p[ends]) for p in (true, found))
    error = told.inverse() @ moved
    length_m = path_m[ends] - path_m[starts]
    angle = np.linalg.norm(so3.log(error.rotation), axis=-1)
    share = np.linalg.norm(error.translation, axis=-1) / length_m
    return Drift(
        100 * float(share.mean()), float(np.degrees(angle / length_m).mean()), len(starts)
    )
