# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Points of the world, and where cameras saw them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class Points(NamedTuple):
    """Corners of single images; how far each lies along its ray is unknown."""

    camera: Int[np.ndarray, ' p']
    frame: Int[np.ndarray, ' p']
    """Key frame."""
    pixel: Float[np.ndarray, 'p 2']


class Sightings(NamedTuple):
    """Other images in which points were found again."""

    point: Int[np.ndarray, ' o']
    camera: Int[np.ndarray, ' o']
    frame: Int[np.ndarray, ' o']
    """Key frame."""
    pixel: Float[np.ndarray, 'o 2']


def no_points() -> Points:
    """Nothing yet."""
    return Points(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)))


def no_sightings() -> Sightings:
    """Nothing yet."""
    return Sightings(*(np.zeros(0, int),) * 3, np.zeros((0, 2)))


def joined_points(parts: Sequence[Points]) -> Points:
    """All of them, in order."""
    return Points(*map(np.concatenate, zip(no_points(), *parts, strict=True)))


def joined_sightings(parts: Sequence[Sightings]) -> Sightings:
    """All of them, in order; they speak of the same points."""
    return Sightings(*map(np.concatenate, zip(no_sightings(), *parts, strict=True)))
