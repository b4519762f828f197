# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What stands in a street: trees, lamps, signs, bins, people, hedges, advertising columns."""

from __future__ import annotations

import numpy as np

from selfdepth_ros.synthetic.mesh import Array, MeshBuilder
from selfdepth_ros.synthetic.textures import Rng
from selfdepth_ros.synthetic.tiles import CLOTHES


def _sphere() -> tuple[Array, Array]:
    """Vertices and faces of a unit sphere of 80 triangles."""
    g = (1 + 5**0.5) / 2
    v = [[-1, g, 0], [1, g, 0], [-1, -g, 0], [1, -g, 0], [0, -1, g], [0, 1, g], [0, -1, -g],
         [0, 1, -g], [g, 0, -1], [g, 0, 1], [-g, 0, -1], [-g, 0, 1]]  # fmt: skip
    f = [[0, 11, 5], [0, 5, 1], [0, 1, 7], [0, 7, 10], [0, 10, 11], [1, 5, 9], [5, 11, 4],
         [11, 10, 2], [10, 7, 6], [7, 1, 8], [3, 9, 4], [3, 4, 2], [3, 2, 6], [3, 6, 8],
         [3, 8, 9], [4, 9, 5], [2, 4, 11], [6, 2, 10], [8, 6, 7], [9, 8, 1]]  # fmt: skip
    corners = np.array(v, float)[np.array(f)]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    faces = np.concatenate(
        [np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    )
    points = faces / np.linalg.norm(faces, axis=-1, keepdims=True)
    unique, index = np.unique(points.reshape(-1, 3).round(6), axis=0, return_inverse=True)
    return unique, index.reshape(-1, 3)


_VERTICES, _FACES = _sphere()


def blob(mesh: MeshBuilder, rng: Rng, centre: Array, radii: Array, tile: str, tint: float) -> None:
    """A lumpy ellipsoid with a texture wrapped per face along its dominant axis."""
    lumps = _VERTICES * rng.uniform(0.82, 1.12, (len(_VERTICES), 1))
    points = (lumps * radii + centre)[_FACES]
    normal = np.abs(np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]))
    axis = normal.argmax(-1)
    pick = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    uv = np.take_along_axis(points, pick[:, None, :].repeat(3, 1), 2)
    mesh.triangles(points, uv, tile, tint)


def tree(mesh: MeshBuilder, rng: Rng, size: float = 1.0) -> None:
    """A trunk and a crown of two to four lumps."""
    trunk, radius = rng.uniform(1.9, 3.0) * size, rng.uniform(0.12, 0.24) * size
    mesh.prism((0, 0), (radius * 1.2, radius * 0.8), (0, trunk + 0.8), 'bark', sides=7, cap=False)
    tile, tint = ('leaves', 'leaves2')[rng.integers(2)], rng.uniform(0.75, 1.1)
    for k in range(int(rng.integers(2, 5))):
        spread = 0.8 * size if k else 0.0
        centre = rng.normal(0, 1, 3) * [spread, spread, 0.5 * size] + [0, 0, trunk + 1.5 * size]
        radii = rng.uniform((1.1, 1.1, 1.0), (1.9, 1.9, 1.7)) * size
        blob(mesh, rng, centre, radii, tile, tint * rng.uniform(0.9, 1.1))


def lamp(mesh: MeshBuilder, rng: Rng) -> None:
    """A street lamp with an arm towards +y."""
    height = rng.uniform(5.0, 7.5)
    mesh.prism((0, 0), (0.11, 0.07), (0, height), 'metal', sides=7, cap=False)
    mesh.box([-0.05, 0, height - 0.1], [0.05, 1.3, height], 'metal')
    mesh.box([-0.14, 0.9, height - 0.22], [0.14, 1.6, height - 0.1], 'metal', 0.7, bottom=True)


def sign(mesh: MeshBuilder, rng: Rng) -> None:
    """A post with one or two plates."""
    height = rng.uniform(2.4, 3.2)
    mesh.prism((0, 0), (0.045, 0.045), (0, height), 'metal', sides=6)
    for k in range(int(rng.integers(1, 3))):
        top, half = height - 0.8 * k, rng.uniform(0.26, 0.42)
        start = rng.uniform(0, 2, 2)
        mesh.box([0.05, -half, top - 0.72], [0.09, half, top], 'signs', start_m=start, bottom=True)


def person(mesh: MeshBuilder, rng: Rng, tile: str | None = None) -> None:
    """A person-sized figure: legs, torso, head."""
    tile = tile or f'clothes{rng.integers(CLOTHES)}'
    k = rng.uniform(0.9, 1.08)
    for side in (-1, 1):
        mesh.prism((0, 0.1 * side), (0.08, 0.1), (0, 0.85 * k), tile, sides=6, wrap_m=1.6)
    corners = [(0.17, 0.23), (0.85, 0.95), (0.23, 0.2), (0.95, 1.5)]
    mesh.prism((0, 0), corners[0], (0.8 * k, 0.95 * k), tile, sides=8, wrap_m=1.6)
    start = mesh.child()
    start.prism((0, 0), corners[2], (0, 0.53 * k), tile, sides=8, wrap_m=1.6)
    start.prism((0, 0), (0.11, 0.11), (0.56 * k, 0.8 * k), tile, sides=7, wrap_m=1.6)
    _shift_v(start, 0.95)
    lift = np.eye(4)
    lift[2, 3] = 0.95 * k
    mesh.append(start, lift)


def _shift_v(mesh: MeshBuilder, metres: float) -> None:
    mesh._parts = [(p, uv + [0, metres], *rest) for p, uv, *rest in mesh._parts]


def bin_or_box(mesh: MeshBuilder, rng: Rng) -> None:
    """A wheelie bin, a switch cabinet or a planter."""
    kind = rng.integers(3)
    if kind == 0:
        tint = ((0.3, 0.6, 0.35), (0.35, 0.45, 0.8), (0.8, 0.7, 0.25), (0.5, 0.5, 0.5))
        mesh.box(
            [-0.3, -0.35, 0], [0.3, 0.35, 1.1], 'paint', np.array(tint[rng.integers(4)]) * 0.8
        )
    elif kind == 1:
        mesh.box([-0.2, -0.5, 0], [0.2, 0.5, 1.3], 'concrete', rng.uniform(0.7, 1.0, 3))
        mesh.box([0.2, -0.4, 0.2], [0.21, 0.4, 1.1], 'posters', start_m=rng.uniform(0, 4, 2))
    else:
        mesh.box([-0.5, -0.5, 0], [0.5, 0.5, 0.6], 'slabs', 0.9)
        blob(mesh, rng, np.array([0, 0, 0.8]), np.array([0.5, 0.5, 0.4]), 'leaves2', 1.0)


def column(mesh: MeshBuilder, rng: Rng) -> None:
    """An advertising column."""
    mesh.prism((0, 0), (0.62, 0.62), (0, 2.9), 'posters', sides=12, cap=False, wrap_m=4.0)
    mesh.prism((0, 0), (0.75, 0.1), (2.9, 3.3), 'metal', sides=12)


def hedge(mesh: MeshBuilder, rng: Rng, length: float) -> None:
    """A hedge, garden wall or fence along x, from -length/2 to length/2."""
    x, kind = length / 2, rng.integers(3)
    start = rng.uniform(0, 6, 2)
    if kind == 0:
        mesh.box([-x, -0.35, 0], [x, 0.35, rng.uniform(0.9, 1.7)], 'leaves', start_m=start)
    elif kind == 1:
        high = rng.uniform(0.7, 1.6)
        mesh.box([-x, -0.14, 0], [x, 0.14, high], 'wall', start_m=(start[0], 0))
        mesh.box([-x, -0.19, high], [x, 0.19, high + 0.08], 'concrete')
    else:
        high = rng.uniform(1.0, 1.7)
        mesh.box([-x, -0.04, 0], [x, 0.04, high], 'fence', start_m=(start[0], 0))


FURNITURE = {'tree': tree, 'lamp': lamp, 'sign': sign, 'person': person, 'box': bin_or_box,
             'column': column}  # fmt: skip
