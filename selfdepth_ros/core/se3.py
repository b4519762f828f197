# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms, named target_from_source: `a_from_c = a_from_b @ b_from_c`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from selfdepth_ros.core import so3
from selfdepth_ros.core.arrays import as_dtype, convert, namespace
from selfdepth_ros.core.errors import GeometryError


@dataclass(frozen=True, eq=False)
class SE3:
    """One rigid transform, or a batch of them, over NumPy or torch.

    The matrix is (*b, 4, 4). A batch aligns with the *leading* dimensions of the points it is
    applied to: (B, 4, 4) moves (B, 3), (B, N, 3) and (B, H, W, 3).
    """

    matrix: Float[Any, '*b 4 4']

    @classmethod
    def identity(cls) -> 'SE3':
        """Return the transform that moves nothing (float64 NumPy)."""
        return cls(np.eye(4))

    @classmethod
    def from_rotation_translation(
        cls, rotation: Float[Any, '*b 3 3'], translation: Float[Any, '*b 3']
    ) -> 'SE3':
        """Assemble a transform from a rotation matrix and a translation in metres."""
        xp = namespace(rotation, translation)
        top = xp.concat([rotation, translation[..., None]], axis=-1)
        zero = xp.zeros_like(top[..., :1, :1])
        bottom = xp.concat([zero, zero, zero, zero + 1], axis=-1)
        return cls(xp.concat([top, bottom], axis=-2))

    @classmethod
    def from_quaternion(cls, xyzw: Float[Any, '*b 4'], translation: Float[Any, '*b 3']) -> 'SE3':
        """Assemble a transform from a quaternion (x, y, z, w; normalized here) and metres.

        Raises GeometryError for a quaternion of no length, which has no direction to keep.
        """
        xp = namespace(xyzw, translation)
        norm = xp.sqrt(xp.sum(xyzw * xyzw, axis=-1, keepdims=True))
        if not bool(xp.all(norm > 1e-6)):
            raise GeometryError(
                'Found a quaternion of length 0 (or NaN), expected a rotation. '
                'Publish w = 1 for "not rotated".'
            )
        return cls.from_rotation_translation(so3.matrix_from_quaternion(xyzw / norm), translation)

    @classmethod
    def exp(cls, twist: Float[Any, '*b 6']) -> 'SE3':
        """Exponential of a twist: (translation part, rotation vector)."""
        rho, phi = twist[..., :3], twist[..., 3:]
        translation = (so3.left_jacobian(phi) @ rho[..., None])[..., 0]
        return cls.from_rotation_translation(so3.exp(phi), translation)

    @classmethod
    def stack(cls, transforms: 'Sequence[SE3]') -> 'SE3':
        """Batch transforms along a new first dimension."""
        matrices = [transform.matrix for transform in transforms]
        return cls(namespace(*matrices).stack(matrices, axis=0))

    def log(self) -> Float[Any, '*b 6']:
        """Twist (translation part, rotation vector) whose exponential this is; angle <= pi."""
        phi = so3.log(self.rotation)
        rho = (so3.left_jacobian_inverse(phi) @ self.translation[..., None])[..., 0]
        return namespace(phi).concat([rho, phi], axis=-1)

    @property
    def rotation(self) -> Float[Any, '*b 3 3']:
        """Rotation matrix."""
        return self.matrix[..., :3, :3]

    @property
    def translation(self) -> Float[Any, '*b 3']:
        """Origin of the source frame in the target frame, metres."""
        return self.matrix[..., :3, 3]

    def quaternion(self) -> Float[Any, '*b 4']:
        """Return the rotation as a unit quaternion (x, y, z, w) with w >= 0."""
        return so3.quaternion_from_matrix(self.rotation)

    def inverse(self) -> 'SE3':
        """Return source_from_target."""
        transposed = namespace(self.matrix).matrix_transpose(self.rotation)
        translation = -(transposed @ self.translation[..., None])[..., 0]
        return SE3.from_rotation_translation(transposed, translation)

    def is_within(self, distance_m: float, angle_rad: float) -> bool:
        """Whether this (all of a batch) moves by less than `distance_m`, turns by less."""
        xp = namespace(self.matrix)
        turn = so3.log(self.rotation)
        moved_m = xp.sqrt(xp.sum(self.translation * self.translation, axis=-1))
        turned = xp.sqrt(xp.sum(turn * turn, axis=-1))
        return bool(xp.all((moved_m < distance_m) & (turned < angle_rad)))

    def __matmul__(self, other: 'SE3') -> 'SE3':
        return SE3(self.matrix @ other.matrix)

    def __getitem__(self, index: Any) -> 'SE3':
        """Select from the batch: `poses[3]`, `poses[:, 0]`."""
        return SE3(self.matrix[index])

    def like(self, array: Any) -> 'SE3':
        """Return this transform in the array library, dtype and on the device of `array`."""
        return SE3(convert(self.matrix, array))

    def rotate(self, directions: Float[Any, '... 3']) -> Float[Any, '... 3']:
        """Turn directions from the source frame to the target frame, in their own dtype."""
        rotation = as_dtype(self.rotation, directions.dtype)
        transposed = namespace(rotation).matrix_transpose(rotation)
        batch = rotation.ndim - 2
        if batch == 0:
            return directions @ transposed
        if directions.ndim - 1 <= batch:
            return (directions[..., None, :] @ transposed)[..., 0, :]
        inner = directions.shape[batch:-1]
        flat = namespace(directions).reshape(
            directions, (*directions.shape[:batch], math.prod(inner), 3)
        )
        turned = flat @ transposed
        return namespace(turned).reshape(turned, (*turned.shape[:-2], *inner, 3))

    def apply(self, points: Float[Any, '... 3']) -> Float[Any, '... 3']:
        """Move points from the source frame to the target frame, in their own dtype."""
        turned = self.rotate(points)
        translation = as_dtype(self.translation, turned.dtype)
        missing = turned.ndim - translation.ndim
        shape = (*translation.shape[:-1], *(1,) * missing, 3)
        return turned + namespace(turned).reshape(translation, shape)


def interpolate(start: SE3, end: SE3, fraction: Any) -> SE3:
    """Pose between two poses: rotation along the shortest arc, translation along the line.

    `fraction` is a number or an array over the batch; 0 gives the start, 1 the end.
    """
    xp = namespace(start.matrix)
    weight = convert(fraction, start.matrix)[..., None]
    inverse = xp.matrix_transpose(start.rotation)
    turn = so3.exp(weight * so3.log(inverse @ end.rotation))
    translation = start.translation + weight * (end.translation - start.translation)
    return SE3.from_rotation_translation(start.rotation @ turn, translation)


def interpolate_poses(
    stamps_ns: Int64[np.ndarray, ' n'],
    poses: Float[np.ndarray, 'n 4 4'],
    at_ns: Any,
    max_gap_ns: int = 500_000_000,
) -> tuple[SE3, Bool[np.ndarray, '*b']]:
    """Poses at the stamps `at_ns` (any shape), and where they can be trusted.

    Invalid: outside the trajectory, or between two poses more than `max_gap_ns` apart; such
    entries hold the nearest pose, so that they stay finite. Raises GeometryError when there is
    no pose or the stamps do not increase.
    """
    at_ns = np.asarray(at_ns, dtype=np.int64)
    if len(stamps_ns) == 0 or np.any(np.diff(stamps_ns) <= 0):
        raise GeometryError(
            f'Found a trajectory of {len(stamps_ns)} poses whose stamps do not increase, '
            'expected one or more poses in order of time. Sort it and drop repeated stamps.'
        )
    last = len(stamps_ns) - 1
    after = np.clip(np.searchsorted(stamps_ns, at_ns, side='left'), min(1, last), last)
    before = np.maximum(after - 1, 0)
    span_ns = stamps_ns[after] - stamps_ns[before]
    clamped_ns = np.clip(at_ns, stamps_ns[0], stamps_ns[-1])
    fraction = (clamped_ns - stamps_ns[before]) / np.maximum(span_ns, 1)
    exact = (clamped_ns == stamps_ns[before]) | (clamped_ns == stamps_ns[after])
    valid = np.asarray((clamped_ns == at_ns) & (exact | (span_ns <= max_gap_ns)))
    return interpolate(SE3(poses[before]), SE3(poses[after]), fraction), valid
