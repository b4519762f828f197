# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The two ways to say how far, z-depth and ray distance, which rays have a z-depth at all, and
how far a network can say.

`rays` are unit directions in the camera's optical frame (z forward).
"""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32

from selfdepth_ros.core.arrays import namespace

FORWARD_LEAST = 1e-3
"""A ray must point forward by this cosine at least (89.9 degrees off axis) to have a z-depth."""

SKY_FROM = 0.9
"""Share of the network's largest depth from which its answer means: further than I can say. Half
an interval of its histogram is 8 %."""


class DepthLimit(NamedTuple):
    """The largest depth a network can say: near it lies the sky."""

    metres: float = math.inf
    """For a camera of `focal_px`."""
    focal_px: float = 0.0
    """The limit of other cameras is in proportion to their focal length; 0: it is the same."""

    def sky_m(self, focal_px: float) -> float:
        """Metres from which a camera of this focal length sees sky, or what is as far."""
        factor = focal_px / self.focal_px if self.focal_px > 0 else 1.0
        return SKY_FROM * self.metres * factor


NO_LIMIT = DepthLimit()
"""Of depths that no network says: the sky is infinitely far."""


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


def z_depth_where_there_is_one(
    ray_distance_m: Float32[np.ndarray, '*b'],
    rays: Float[np.ndarray, '*b 3'],
    valid: Bool[np.ndarray, '*b'],
) -> Float32[np.ndarray, '*b']:
    """Depth along the optical axis for others to read (REP 118): NaN where a ray has none."""
    z_per_metre, forward = depth_per_metre(rays, valid, 'z_depth')
    return np.where(forward, ray_distance_m * z_per_metre, np.nan).astype(np.float32)
