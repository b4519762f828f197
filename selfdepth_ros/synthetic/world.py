# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""StreetWorld: everything about one seeded street that does not depend on a camera."""

from __future__ import annotations

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from selfdepth_ros.synthetic import textures
from selfdepth_ros.synthetic.layout import Street, lay_street, plan_drive
from selfdepth_ros.synthetic.lightmap import Lightmap, bake
from selfdepth_ros.synthetic.mesh import NORMAL, TINT, Array, MeshBuilder, Surfaces
from selfdepth_ros.synthetic.movers import make_movers
from selfdepth_ros.synthetic.tiles import TILES, make_atlas, paint_atlas
from selfdepth_ros.synthetic.vehicles import ego_body


class StreetWorld:
    """A street, its traffic and the ego's drive from t = 0 to duration_s; the same for one seed.

    World frame: x forward along the street's beginning, y left, z up, metres, road at z = 0.
    """

    def __init__(self, seed: int, duration_s: float | int = 16.0, paint: bool = True) -> None:
        """Build meshes, textures and baked light (seconds).

        paint: whether to paint the textures too; without, `atlas.image` is to be set before
        anything is rendered, and only the atlas of the same seed will do.
        """
        self.seed, self.duration_s = seed, duration_s
        self.drive, section, end_m = plan_drive(seed, duration_s)
        self.atlas = make_atlas()
        if paint:
            self.atlas.image = paint_atlas(seed)
        mesh = MeshBuilder({name: i for i, name in enumerate(TILES)}, self.atlas.scales)
        self.street = Street(self.drive.line, section, mesh, end_m)
        lay_street(self.street, seed)
        self.movers = make_movers(seed, self.street, self.drive, duration_s)
        self._light(np.random.default_rng([seed, 51]))
        self._shade(mesh)
        self.scene = make_scene(self.static)
        self.lightmap: Lightmap = bake(self.scene, self.street, self.sun)

    def _light(self, rng: np.random.Generator) -> None:
        elevation, azimuth = np.deg2rad(rng.uniform(32, 62)), rng.uniform(0, 6.28)
        flat = np.cos(elevation)
        self.sun = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
        self.zenith = np.array((96, 138, 196)) * rng.uniform(0.85, 1.1)
        self.horizon = np.array((206, 214, 222)) * rng.uniform(0.92, 1.05)
        self.clouds: NDArray[np.float32] = textures.sky(rng)
        self.haze_m = float(rng.uniform(350, 700))

    def _shade(self, mesh: MeshBuilder) -> None:
        self.static = self._lit(mesh.build())
        body = mesh.child()
        ego_body(body)
        self.ego = self._lit(body.build())
        self.mover_surfaces = [self._lit(m.surfaces) for m in self.movers]

    def _lit(self, surfaces: Surfaces) -> Surfaces:
        """Fixed Lambert light from the sun and the sky, folded into the tint."""
        table = surfaces.table.copy()
        normal = table[:, NORMAL]
        light = 0.52 + 0.42 * np.abs(normal @ self.sun) + 0.12 * np.abs(normal[:, 2])
        table[:, TINT] *= light[:, None]
        return Surfaces(surfaces.triangles, table.astype(np.float32))

    def world_from_body(self, t_s: Array | float) -> Array:
        """Exact ego poses (..., 4, 4) at times (s)."""
        return self.drive.world_from_body(t_s)


def make_scene(surfaces: Surfaces) -> o3d.t.geometry.RaycastingScene:
    """An Open3D scene whose primitive ids are the rows of the surface table."""
    scene = o3d.t.geometry.RaycastingScene()
    add_triangles(scene, surfaces.triangles)
    return scene


def add_triangles(scene: o3d.t.geometry.RaycastingScene, triangles: NDArray[np.float32]) -> None:
    """Add triangles (n, 3, 3) to a scene."""
    index = np.arange(len(triangles) * 3, dtype=np.uint32).reshape(-1, 3)
    scene.add_triangles(
        o3d.core.Tensor(np.ascontiguousarray(triangles.reshape(-1, 3))), o3d.core.Tensor(index)
    )
