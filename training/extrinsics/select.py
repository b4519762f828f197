# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which cameras need a correction at all, and what a drive cannot tell."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from selfdepth_training.extrinsics.bundle import PER_CAMERA

# Chi-squared of three unknowns that chance exceeds once in a thousand.
SIGNIFICANT = 16.3
# What a tracked corner is off by however many there are, as an error of the camera: measured on
# right rigs.
FLOOR_DEG, FLOOR_CM = 0.05, 0.2
# An unknown whose sigma stays above this share of what was assumed is not told by the drive.
UNTOLD = 0.7
AXES = ('roll', 'pitch', 'yaw', 'x', 'y', 'z')


@dataclass(frozen=True)
class Limits:
    """How far off the cameras may be: one sigma of the error assumed of each, on each axis."""

    turn_deg: float = 2.0
    shift_cm: float = 3.0

    def sigma(self, cameras: int) -> Float[np.ndarray, ' u']:
        """Of all unknowns, in radians and metres."""
        each = [np.radians(self.turn_deg)] * 3 + [self.shift_cm / 100] * 3
        return np.tile(each, cameras)


def needed(
    matrix: Float[np.ndarray, 'u u'],
    found: Float[np.ndarray, ' u'],
    sigma: Float[np.ndarray, ' u'],
) -> Bool[np.ndarray, 'c 2']:
    """Turns and shifts without which the recording cannot be explained.

    `matrix` is the information of the recording on all unknowns, `found` its answer with the prior
    `sigma`. One after the other, that which explains most is let free until none is significant:
    where one camera was bumped, it alone moves. Where half of them have to shift, none is a
    reference, and all may.
    """
    floor = np.tile([np.radians(FLOOR_DEG)] * 3 + [FLOOR_CM / 100] * 3, len(found) // PER_CAMERA)
    told = matrix - matrix @ np.linalg.inv(matrix + np.diag(floor**-2)) @ matrix
    slope = (matrix + np.diag(sigma**-2)) @ found  # of the recording alone, at no correction
    slope = told @ np.linalg.pinv(matrix, 1e-12, hermitian=True) @ slope
    groups = np.arange(len(found)) // 3
    free = np.zeros(groups[-1] + 1, bool)
    while not free.all():
        gains = np.full(len(free), -np.inf)
        for group in np.flatnonzero(~free):
            trial = free.copy()
            trial[group] = True
            gains[group] = _explained(told, slope, sigma, trial[groups])
        gains -= _explained(told, slope, sigma, free[groups])
        if gains.max() < SIGNIFICANT:
            break
        free[gains.argmax()] = True
    chosen = free.reshape(-1, 2)
    if chosen[:, 1].mean() >= 0.5:
        chosen[:, 1] = True
    return chosen


def _explained(
    told: Float[np.ndarray, 'u u'],
    slope: Float[np.ndarray, ' u'],
    sigma: Float[np.ndarray, ' u'],
    free: Bool[np.ndarray, ' u'],
) -> float:
    """How much chi-squared falls when some unknowns are free."""
    if not free.any():
        return 0.0
    matrix = told[np.ix_(free, free)] + np.diag(sigma[free] ** -2.0)
    return float(slope[free] @ np.linalg.solve(matrix, slope[free]))


def untold(
    covariance: Float[np.ndarray, 'u u'], sigma: Float[np.ndarray, ' u'], names: tuple[str, ...]
) -> list[str]:
    """What the recording does not tell, in words: of all cameras together, and of each."""
    count = len(names)
    found = []
    common = _reduced(covariance, np.full((1, count), 1 / count))
    for axis in np.flatnonzero(common[0] > UNTOLD * sigma[:PER_CAMERA] / np.sqrt(count)):
        found.append(f'{AXES[axis]} of all cameras together')
    own = _reduced(covariance, np.eye(count) - 1 / count)
    for camera, name in enumerate(names):
        for axis in np.flatnonzero(own[camera] > UNTOLD * sigma[:PER_CAMERA]):
            found.append(f'{AXES[axis]} of {name}')
    return found


def _reduced(
    covariance: Float[np.ndarray, 'u u'], mix: Float[np.ndarray, 'n c']
) -> Float[np.ndarray, 'n 6']:
    """Sigmas of mixtures of the cameras' unknowns, axis by axis."""
    count = mix.shape[1]
    tables = covariance.reshape(count, PER_CAMERA, count, PER_CAMERA)
    own = np.einsum('nc,cada,nd->na', mix, tables, mix)
    return np.sqrt(np.maximum(own, 0))
