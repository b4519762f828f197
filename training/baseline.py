# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a network must beat before it can be said to see anything: one depth per image row."""

import numpy as np
from jaxtyping import Float

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.rig import Rig
from selfdepth_training.protocols import EvaluationConfig
from selfdepth_training.truth import CameraTruth, EvaluationError, frame_truths

# Depth bins of the row baseline: 0.2 % wide for the usual 1 to 60 m.
BASELINE_BINS = 2048


def fit_row_baseline(
    readers: list[BagReader], rig: Rig, config: EvaluationConfig
) -> list[Float[np.ndarray, 'h w']]:
    """Constant depth per image row and camera that fits the bags' truth best in abs_rel.

    The minimiser of the mean of abs(d - z) / z over a row is the median of z weighted with 1 / z.
    Raises EvaluationError when the bags hold no truth.
    """
    edges = np.geomspace(max(config.min_depth_m, 1e-3), config.max_depth_m, BASELINE_BINS + 1)
    masses = [np.zeros((entry.camera.height, BASELINE_BINS)) for entry in rig.cameras]
    for reader in readers:
        require_sizes(reader, rig)
        for _, truths in frame_truths(reader, rig, config):
            for mass, truth in zip(masses, truths, strict=True):
                if truth is not None:
                    _add_mass(mass, edges, truth)
    return [
        np.repeat(_weighted_medians(mass, edges)[:, None], entry.camera.width, 1)
        for mass, entry in zip(masses, rig.cameras, strict=True)
    ]


def require_sizes(reader: BagReader, rig: Rig) -> None:
    """Raise EvaluationError unless a bag's cameras have the names and the sizes of a rig's."""
    found, expected = (
        [(entry.name, entry.camera.width, entry.camera.height) for entry in each.cameras]
        for each in (reader.rig(), rig)
    )
    if found != expected:
        raise EvaluationError(
            f'Found cameras (name, width, height) {found} in {reader.path}, expected {expected} '
            'as in the (first) bag that is evaluated: a depth for each row needs the same rows. '
            'Use other bags with a baseline.'
        )


def _add_mass(
    mass: Float[np.ndarray, 'h b'], edges: Float[np.ndarray, ' e'], truth: CameraTruth
) -> None:
    """Add 1 / z of every pixel to the bin of its row and depth: constant memory for any bag."""
    bins = np.searchsorted(edges, truth.z_depth_m) - 1
    inside = (bins >= 0) & (bins < mass.shape[1])
    flat = truth.v[inside] * mass.shape[1] + bins[inside]
    counts = np.bincount(flat, 1 / truth.z_depth_m[inside], mass.size)
    mass += counts.reshape(mass.shape)


def _weighted_medians(
    mass: Float[np.ndarray, 'h b'], edges: Float[np.ndarray, ' e']
) -> Float[np.ndarray, ' h']:
    """Median depth of each row; rows without truth interpolate between their neighbours."""
    total = np.cumsum(mass, axis=1)
    known = np.nonzero(total[:, -1])[0]
    if len(known) == 0:
        raise EvaluationError(
            'Found no truth to fit the row baseline on, expected depth images or LiDAR in the '
            'bags it is fitted on.'
        )
    middle = (total[known] < total[known, -1:] / 2).sum(1)
    medians = np.sqrt(edges[middle] * edges[middle + 1])
    return np.interp(np.arange(len(mass)), known, medians).astype(np.float32)
