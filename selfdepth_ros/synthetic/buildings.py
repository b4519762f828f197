# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Buildings with painted storeys, roofs, balconies, awnings, porches and bay windows."""

from __future__ import annotations

import numpy as np

from selfdepth_ros.synthetic.facades import BAY_M, GROUND_M
from selfdepth_ros.synthetic.mesh import Array, MeshBuilder
from selfdepth_ros.synthetic.textures import Rng
from selfdepth_ros.synthetic.tiles import GROUND, UPPER

FLOOR_M = 3.0


def building(mesh: MeshBuilder, rng: Rng, bays: int, depth_m: float, floors: int) -> None:
    """A house: front on y = 0 facing -y, x from 0 to 3 * bays, extending to y = depth_m.

    floors counts the storeys above the ground floor.
    """
    width, top = bays * BAY_M, GROUND_M + floors * FLOOR_M
    upper, ground = f'upper{rng.integers(UPPER)}', f'ground{rng.integers(GROUND)}'
    tint = rng.uniform(0.82, 1.12) * rng.uniform(0.95, 1.05, 3)
    start_u, start_v = BAY_M * rng.integers(5), FLOOR_M * rng.integers(5)
    _walls(mesh, width, depth_m, 0.0, GROUND_M, ground, (start_u, 0.0), tint)
    if floors:
        _walls(mesh, width, depth_m, GROUND_M, top, upper, (start_u, start_v), tint)
    _roof(mesh, rng, width, depth_m, top, tint)
    _relief(mesh, rng, bays, floors, upper, (start_u, start_v), tint)


def _walls(mesh: MeshBuilder, w: float, d: float, low: float, high: float, tile: str, start, tint):
    c = np.array([[0, 0], [w, 0], [w, d], [0, d], [0, 0]], float)
    quads = [[[*c[i], low], [*c[i + 1], low], [*c[i + 1], high], [*c[i], high]] for i in range(4)]
    mesh.quads(quads, tile, start_m=start, tint=tint)


def _roof(mesh: MeshBuilder, rng: Rng, w: float, d: float, top: float, tint) -> None:
    if rng.random() < 0.5:
        mesh.box([-0.3, -0.3, top], [w + 0.3, d + 0.3, top + 0.45], 'concrete', tint, bottom=True)
        return
    rise, o = rng.uniform(2.2, 4.2), 0.4
    eave = [[-o, -o, top], [w + o, -o, top], [w + o, d + o, top], [-o, d + o, top]]
    ridge = [[-o, d / 2, top + rise], [w + o, d / 2, top + rise]]
    shade = rng.uniform(0.6, 1.15) * rng.uniform(0.9, 1.1, 3)
    mesh.quads([[eave[0], eave[1], ridge[1], ridge[0]], [eave[2], eave[3], ridge[0], ridge[1]]],
               'roof', tint=shade)  # fmt: skip
    mesh.quads([eave[::-1]], 'concrete', tint=0.7)
    gable = np.array([[[0, 0, top], [0, d, top], [0, d / 2, top + rise]],
                      [[w, d, top], [w, 0, top], [w, d / 2, top + rise]]])  # fmt: skip
    mesh.triangles(gable, gable[..., 1:], 'wall', tint)
    for x in rng.uniform(0.1 * w, 0.9 * w, int(rng.integers(0, 3))):
        mesh.box([x, d / 2 - 0.4, top + rise - 1], [x + 0.7, d / 2 + 0.4, top + rise + 1], 'wall')


def _relief(mesh, rng: Rng, bays: int, floors: int, upper: str, start, tint) -> None:
    kind = rng.random()
    if kind < 0.35 and floors:
        step = int(rng.integers(1, 4))
        for bay in range(int(rng.integers(0, 2)), bays, step):
            for floor in range(floors):
                _balcony(mesh, bay * BAY_M, GROUND_M + floor * FLOOR_M, tint)
    elif kind < 0.6 and floors and bays > 2:
        bay, out = int(rng.integers(0, bays - 1)), rng.uniform(0.7, 1.3)
        low, high = (
            [bay * BAY_M, -out, GROUND_M],
            [(bay + 1) * BAY_M, 0, GROUND_M + floors * FLOOR_M],
        )
        mesh.box(low, high, upper, tint, top='roof', start_m=start, bottom=True)
    if rng.random() < 0.4:
        x = BAY_M * rng.integers(bays)
        colour, reach = rng.uniform(0.3, 1.3, 3), rng.uniform(0.9, 1.6)
        end = x + BAY_M
        mesh.quads([[[x, -reach, 2.5], [end, -reach, 2.5], [end, 0, 3.1], [x, 0, 3.1]]],
                   'cargo', (1.0, 1.25), tint=colour)  # fmt: skip
    if rng.random() < 0.4:
        x = BAY_M * (rng.integers(bays) + 0.5)
        mesh.box([x - 0.9, -1.1, 0], [x + 0.9, 0, 0.32], 'concrete')
        mesh.box([x - 1.0, -1.2, 2.7], [x + 1.0, 0, 2.9], 'concrete', tint, bottom=True)
        for side in (-0.85, 0.85):
            mesh.prism(
                (x + side, -1.05), (0.09, 0.09), (0.32, 2.7), 'concrete', sides=6, cap=False
            )


def _balcony(mesh: MeshBuilder, x: float, z: float, tint: Array) -> None:
    mesh.box([x + 0.3, -1.1, z - 0.1], [x + 2.7, 0, z + 0.1], 'concrete', tint, bottom=True)
    mesh.box([x + 0.3, -1.1, z + 0.1], [x + 2.7, -1.05, z + 1.0], 'metal', tint * 0.9)
    for side in (0.3, 2.65):
        mesh.box([x + side, -1.1, z + 0.1], [x + side + 0.05, 0, z + 1.0], 'metal', tint * 0.9)
