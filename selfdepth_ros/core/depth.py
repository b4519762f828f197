# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The two ways to say how far, z-depth and ray distance, and which rays have a z-depth at all.

`rays` are unit directions in the camera's optical frame (z forward).
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from selfdepth_ros.core.arrays import namespace

FORWARD_LEAST = 1e-3
"""A ray must point forward by this cosine at least (89.9 degrees off axis) to have a z-depth."""


def depth_per_metre(
    rays: Float[np.ndarray, '*b 3'], valid: Bool[np.ndarray, '*b'], kind: str
) -> tuple[Float[np.ndarray, '*b'], Bool[np.ndarray, '*b']]:
    """How much depth of a kind ('z_depth' or 'ray_distance') a metre along each ray is.

    And which of the `valid` rays have such a depth; for the others it is 1, so that all may be
    divided by it.
    """
    forward = rays[..., 2]
    if kind != 'z_depth':
        return np.ones_like(forward), valid
    valid = valid & (forward > FORWARD_LEAST)
    return np.where(valid, forward, 1), valid


def z_depth_from_ray_distance(ray_distance_m: Float[Any, '*b'], rays: Float[Any, '... 3']) -> Any:
    """Depth along the optical axis of points whose distance along the ray is given.

    For NumPy and torch, in their dtype; NaN (unknown) and infinity (sky) pass. Rays across or
    backwards have no z-depth: theirs is positive and next to nothing.
    """
    xp = namespace(rays)
    z = rays[..., 2]
    return ray_distance_m * xp.where(z > FORWARD_LEAST, z, xp.ones_like(z) * FORWARD_LEAST)
