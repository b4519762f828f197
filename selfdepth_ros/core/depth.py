# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The three ways to say how far: z-depth, ray distance, inverse depth; metres, in one place.

`rays` are unit directions in the camera's optical frame (z forward). Formulas serve NumPy and
torch, keep the dtype, and let NaN (unknown) and infinity (sky) through.
"""

from typing import Any

from jaxtyping import Float

from selfdepth_ros.core.arrays import namespace

# A ray less steep than this (89.9 degrees off axis) has no usable z-depth.
_LEAST_FORWARD = 1e-3


def _forward(rays: Any) -> Any:
    """Return the z of rays, kept away from 0; rays across or backwards have no z-depth."""
    xp = namespace(rays)
    z = rays[..., 2]
    return xp.where(z > _LEAST_FORWARD, z, xp.ones_like(z) * _LEAST_FORWARD)


def ray_distance_from_z_depth(z_depth_m: Float[Any, '*b'], rays: Float[Any, '... 3']) -> Any:
    """Distance along the ray of points whose depth along the optical axis is given."""
    return z_depth_m / _forward(rays)


def z_depth_from_ray_distance(ray_distance_m: Float[Any, '*b'], rays: Float[Any, '... 3']) -> Any:
    """Depth along the optical axis of points whose distance along the ray is given."""
    return ray_distance_m * _forward(rays)


def points_from_ray_distance(
    ray_distance_m: Float[Any, '*b'], rays: Float[Any, '... 3']
) -> Float[Any, '... 3']:
    """Points in the optical frame at a distance along each ray."""
    return ray_distance_m[..., None] * rays


def points_from_z_depth(
    z_depth_m: Float[Any, '*b'], rays: Float[Any, '... 3']
) -> Float[Any, '... 3']:
    """Points in the optical frame at a depth along the optical axis."""
    return (z_depth_m / _forward(rays))[..., None] * rays


def inverse(depth_m: Float[Any, '*b'], least_m: float = 1e-6) -> Float[Any, '*b']:
    """Inverse depth (1/m) of depth, or depth of inverse depth; infinity becomes 0.

    Values under `least_m` are raised to it, so that the result and its gradient stay finite.
    """
    xp = namespace(depth_m)
    return 1 / xp.where(depth_m < least_m, xp.ones_like(depth_m) * least_m, depth_m)
