# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rotations: matrix, quaternion (x y z w) and rotation vector, NumPy and torch alike.

Every branch is finite for every input, so gradients are too: near zero angle a Taylor series is
taken, and the closed form is then fed a harmless angle. Closed forms: Sola et al., "A micro Lie
theory for state estimation in robotics", 2018, eqs. 134, 145, 146, 174.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from selfdepth_ros.core.arrays import convert, namespace

# Below this squared angle the series are used; their truncation error there is below 1e-15.
_SERIES_BELOW = 0.25
_SINC = (1.0, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800, 1 / 6227020800)
_COSC = (1 / 2, -1 / 24, 1 / 720, -1 / 40320, 1 / 3628800, -1 / 479001600, 1 / 87178291200)
_SINCC = (1 / 6, -1 / 120, 1 / 5040, -1 / 362880, 1 / 39916800, -1 / 6227020800, 1 / 1307674368000)
_COTC = (
    1 / 12,
    1 / 720,
    1 / 30240,
    1 / 1209600,
    1 / 47900160,
    691 / 1307674368000,
    1 / 74724249600,
)


def polynomial(coefficients: Sequence[Any], value: Any) -> Any:
    """Evaluate `c0 + c1 v + c2 v^2 + ...` by Horner's rule; numbers, or arrays that broadcast."""
    total = coefficients[-1] + 0 * value
    for coefficient in reversed(coefficients[:-1]):
        total = total * value + coefficient
    return total


def _split_angle(squared_angle: Any) -> tuple[Any, Any]:
    """Return where the series applies, and an angle that is safe to divide by everywhere."""
    xp = namespace(squared_angle)
    small = squared_angle < _SERIES_BELOW
    return small, xp.sqrt(xp.where(small, xp.ones_like(squared_angle), squared_angle))


def skew(vector: Float[Any, '*b 3']) -> Float[Any, '*b 3 3']:
    """Return the matrix whose product with any v is the cross product `vector x v`."""
    xp = namespace(vector)
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    zero = xp.zeros_like(x)
    flat = xp.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1)
    return xp.reshape(flat, (*vector.shape[:-1], 3, 3))


def _identity_like(matrix: Any) -> Any:
    return namespace(matrix).zeros_like(matrix) + convert(np.eye(3), matrix)


def exp(rotation_vector: Float[Any, '*b 3']) -> Float[Any, '*b 3 3']:
    """Rotation matrix of a rotation vector (axis times angle in radians)."""
    return _series_in_skew(rotation_vector, _sinc, _cosc)


def left_jacobian(rotation_vector: Float[Any, '*b 3']) -> Float[Any, '*b 3 3']:
    """Matrix V with `translation = V @ rho` in the exponential of a twist (rho, phi)."""
    return _series_in_skew(rotation_vector, _cosc, _sincc)


def left_jacobian_inverse(rotation_vector: Float[Any, '*b 3']) -> Float[Any, '*b 3 3']:
    """Inverse of `left_jacobian`, for angles up to pi."""
    return _series_in_skew(rotation_vector, lambda squared: -0.5 + 0 * squared, _cotc)


def _series_in_skew(vector: Any, first: Any, second: Any) -> Any:
    """`I + first(angle^2) K + second(angle^2) K^2` with K the skew matrix of the vector."""
    xp = namespace(vector)
    squared = xp.sum(vector * vector, axis=-1)[..., None, None]
    matrix = skew(vector)
    linear = first(squared) * matrix
    return _identity_like(matrix) + linear + second(squared) * (matrix @ matrix)


def _sinc(squared: Any) -> Any:
    xp = namespace(squared)
    small, angle = _split_angle(squared)
    return xp.where(small, polynomial(_SINC, squared * small), xp.sin(angle) / angle)


def _cosc(squared: Any) -> Any:
    xp = namespace(squared)
    small, angle = _split_angle(squared)
    half = xp.sin(0.5 * angle) / angle
    return xp.where(small, polynomial(_COSC, squared * small), 2 * half * half)


def _sincc(squared: Any) -> Any:
    xp = namespace(squared)
    small, angle = _split_angle(squared)
    closed = (angle - xp.sin(angle)) / (angle * angle * angle)
    return xp.where(small, polynomial(_SINCC, squared * small), closed)


def _cotc(squared: Any) -> Any:
    xp = namespace(squared)
    small, angle = _split_angle(squared)
    closed = (1 - 0.5 * angle * xp.cos(0.5 * angle) / xp.sin(0.5 * angle)) / (angle * angle)
    return xp.where(small, polynomial(_COTC, squared * small), closed)


def log(rotation: Float[Any, '*b 3 3']) -> Float[Any, '*b 3']:
    """Rotation vector of a rotation matrix, angle in [0, pi]."""
    xp = namespace(rotation)
    quaternion = quaternion_from_matrix(rotation)
    vector, w = quaternion[..., :3], quaternion[..., 3:]
    squared = xp.sum(vector * vector, axis=-1, keepdims=True)
    small = squared < 1e-3
    norm = xp.sqrt(xp.where(small, xp.ones_like(squared), squared))
    safe_w = xp.where(small, w, xp.ones_like(w))
    ratio = xp.where(small, squared, xp.zeros_like(squared)) / (safe_w * safe_w)
    # atan(t) / t = 1 - t^2/3 + t^4/5 - ..., t = |vector| / w
    series = 2 / safe_w * polynomial((1, -1 / 3, 1 / 5, -1 / 7, 1 / 9, -1 / 11), ratio)
    return vector * xp.where(small, series, 2 * xp.atan2(norm, w) / norm)


def matrix_from_quaternion(xyzw: Float[Any, '*b 4']) -> Float[Any, '*b 3 3']:
    """Rotation matrix of a unit quaternion (x, y, z, w)."""
    xp = namespace(xyzw)
    x, y, z, w = (xyzw[..., index] for index in range(4))
    flat = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return xp.reshape(xp.stack(flat, axis=-1), (*xyzw.shape[:-1], 3, 3))


def quaternion_from_matrix(rotation: Float[Any, '*b 3 3']) -> Float[Any, '*b 4']:
    """Unit quaternion (x, y, z, w) with w >= 0 of a rotation matrix.

    Of the four textbook formulas the one that divides by the largest component is taken
    (Shepperd, "Quaternion from rotation matrix", 1978).
    """
    xp = namespace(rotation)
    m = [[rotation[..., row, column] for column in range(3)] for row in range(3)]
    xx, yy, zz = m[0][0], m[1][1], m[2][2]
    # Row i holds 4 q_i (x, y, z, w); its diagonal 4 q_i^2 tells how well row i is conditioned.
    xy, xz, yz = m[0][1] + m[1][0], m[0][2] + m[2][0], m[1][2] + m[2][1]
    wx, wy, wz = m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]
    rows = [
        [1 + xx - yy - zz, xy, xz, wx],
        [xy, 1 - xx + yy - zz, yz, wy],
        [xz, yz, 1 - xx - yy + zz, wz],
        [wx, wy, wz, 1 + xx + yy + zz],
    ]
    best = rows[0]
    for index in range(1, 4):
        better = rows[index][index] > xp.max(xp.stack([rows[i][i] for i in range(index)]), axis=0)
        best = [xp.where(better, new, old) for new, old in zip(rows[index], best, strict=True)]
    quaternion = xp.stack(best, axis=-1)
    quaternion = quaternion / xp.sqrt(xp.sum(quaternion * quaternion, axis=-1, keepdims=True))
    return xp.where(quaternion[..., 3:] < 0, -quaternion, quaternion)
