# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Surround images and exact depth of a StreetWorld, each camera at its own time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.synthetic.caster import F32, Caster, Traffic
from selfdepth_ros.synthetic.mesh import Array
from selfdepth_ros.synthetic.shading import Hits, Shader
from selfdepth_ros.synthetic.world import StreetWorld

_SUBPIXELS = ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))
_SUBPIXEL_WIDTH = 128


@dataclass(frozen=True)
class RenderedFrame:
    """What a rig sees: images uint8 (c, h, w, 3) RGB, z_depths float32 (c, h, w) metres along the
    optical axis (sky +inf, the ego body NaN), stamps_ns (c,), world_from_body (c, 4, 4)."""

    images: NDArray[np.uint8]
    z_depths: NDArray[np.float32]
    stamps_ns: NDArray[np.int64]
    world_from_body: Array


@dataclass(frozen=True)
class _Lens:
    """Constant tables of one camera: unit rays (4 + 1 subpixels) in the body frame."""

    rays: NDArray[np.float32]
    sub_rays: NDArray[np.float32]
    z: NDArray[np.float32]
    angle: NDArray[np.float32]
    body_from_camera: Array
    ego: NDArray[np.bool_]
    ego_picture: NDArray[np.float32]
    vignette: NDArray[np.float32]


@dataclass(frozen=True)
class _Cast:
    origin: NDArray[np.float32]
    direction: NDArray[np.float32]
    distance: NDArray[np.float32]
    row: NDArray[np.int64]
    owner: NDArray[np.int64]
    busy: NDArray[np.bool_]


class StreetRenderer:
    """Renders one world with one rig whose cameras share a size. Deterministic per stamp."""

    def __init__(
        self,
        world: StreetWorld,
        rig: Rig,
        antialias: bool = True,
        noise: float | int = 0,
        gain_spread: float | int = 0,
        threads: int = 2,
    ) -> None:
        """antialias: silhouettes get four rays a pixel; noise: sensor noise (standard deviation,
        grey levels); gain_spread: relative spread of the cameras' gains, with mild vignetting."""
        self.world, self.rig = world, rig
        self._antialias, self._noise = antialias, noise
        self.caster = Caster(world)
        self._shader = Shader(world, self.caster.table)
        self._pool = ThreadPoolExecutor(max_workers=threads)
        gains = 1 + gain_spread * np.random.default_rng([world.seed, 61]).uniform(-1, 1, 64)
        self._lenses = [
            self._lens(i, float(gains[i]), gain_spread) for i in range(len(rig.cameras))
        ]
        self.ego_masks = np.stack([lens.ego for lens in self._lenses])

    def render(self, stamps_ns: int | Sequence[int]) -> RenderedFrame:
        """The surround frame at one time, or one per camera (ns since the drive's start)."""
        stamps, world_from_body, traffic, casts = self._look(stamps_ns)
        jobs = [
            self._pool.submit(self._picture, i, cast, world_from_body[i], traffic, int(stamps[i]))
            for i, cast in enumerate(casts)
        ]
        images = np.stack([job.result() for job in jobs])
        depths = np.stack([self._depth(i, cast) for i, cast in enumerate(casts)])
        return RenderedFrame(images, depths, stamps, world_from_body)

    def z_depths(self, stamps_ns: int | Sequence[int]) -> NDArray[np.float32]:
        """Only the depths (c, h, w) of render(), at a fraction of its cost."""
        casts = self._look(stamps_ns)[3]
        return np.stack([self._depth(i, cast) for i, cast in enumerate(casts)])

    def _look(
        self, stamps_ns: int | Sequence[int]
    ) -> tuple[NDArray[np.int64], Array, Traffic, list[_Cast]]:
        stamps = np.broadcast_to(np.asarray(stamps_ns, np.int64), (len(self._lenses),)).copy()
        world_from_body = self.world.world_from_body(stamps * 1e-9)
        lenses = self._lenses
        eyes = [world_from_body[i] @ lens.body_from_camera for i, lens in enumerate(lenses)]
        traffic = self.caster.traffic(stamps * 1e-9, np.array([e[:3, 3] for e in eyes]))
        return stamps, world_from_body, traffic, self._cast(world_from_body, traffic)

    def _lens(self, index: int, gain: float, vignetting: float | int) -> _Lens:
        mount = self.rig.cameras[index]
        camera, pose = mount.camera, np.asarray(mount.body_from_camera.matrix, float)
        rotation = pose[:3, :3]
        v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(float)
        pixels = np.stack([u, v], -1)
        rays = np.asarray(camera.rays(pixels)[0], float)
        z = rays[..., 2]
        sub = np.stack([np.asarray(camera.rays(pixels + o)[0], float) for o in _SUBPIXELS])
        angle = (np.maximum(z, 0.05) ** 1.5 / camera.focal).astype(F32)
        body_rays = (rays @ rotation.T).astype(F32)
        r2 = ((u - camera.width / 2) ** 2 + (v - camera.height / 2) ** 2) / (camera.width / 2) ** 2
        vignette = gain * (1 - min(vignetting * 2, 0.25) * r2 / 2)
        origin = np.broadcast_to(pose[:3, 3].astype(F32), rays.shape)
        return self._with_ego(
            _Lens(body_rays, (sub @ rotation.T).astype(F32), z.astype(F32), angle, pose,
                  np.zeros(0, bool), np.zeros(0, F32), vignette[..., None].astype(F32)), origin
        )  # fmt: skip

    def _with_ego(self, lens: _Lens, origin: NDArray[np.float32]) -> _Lens:
        """The body never moves in the image: cast and shade it once, with soft edges."""
        import open3d as o3d

        layers = []
        for rays in (lens.rays, *lens.sub_rays):
            bundle = np.concatenate([origin, rays], -1)
            hit = self.caster.ego_scene.cast_rays(o3d.core.Tensor(bundle))
            t = hit['t_hit'].numpy()
            row = hit['primitive_ids'].numpy().astype(np.int64)
            inside = np.isfinite(t)
            row = np.where(inside, row, 0) + self.caster.first_row[1]
            o, d = np.moveaxis(origin, -1, 0), np.moveaxis(rays, -1, 0)
            hits = Hits(o, d, o, d, row, np.where(inside, t, F32(1)), lens.angle)
            layers.append((inside, self._shader.shade(hits)))
        cover = np.mean([inside for inside, _ in layers[1:]], axis=0)[..., None]
        total = sum(colour * inside[..., None] for inside, colour in layers[1:]) / 4
        picture = np.concatenate([total, cover], -1).astype(F32)
        ego = layers[0][0] | (cover[..., 0] > 0)
        return _Lens(lens.rays, lens.sub_rays, lens.z, lens.angle, lens.body_from_camera, ego,
                     picture, lens.vignette)  # fmt: skip

    def _rays(
        self, lens: _Lens, body_rays: NDArray, world_from_body: Array
    ) -> NDArray[np.float32]:
        out = np.empty((*body_rays.shape[:-1], 6), F32)
        out[..., :3] = (world_from_body @ lens.body_from_camera)[:3, 3]
        out[..., 3:] = body_rays @ world_from_body[:3, :3].T.astype(F32)
        return out

    def _cast(self, world_from_body: Array, traffic: Traffic) -> list[_Cast]:
        rays = np.stack([
            self._rays(lens, lens.rays, world_from_body[i])
            for i, lens in enumerate(self._lenses)
        ])  # fmt: skip
        distance, row = self.caster.static(rays)
        owner = np.full(distance.shape, -1)
        busy = self._may_meet(traffic, world_from_body)
        self._add_movers(traffic, rays, busy, np.nonzero(busy)[0], distance, row, owner)
        return [
            _Cast(rays[i, 0, 0, :3].reshape(3, 1, 1), _columns(rays[i, ..., 3:]), distance[i],
                  row[i], owner[i], busy[i])
            for i in range(len(rays))
        ]  # fmt: skip

    def _add_movers(self, traffic: Traffic, rays, busy, camera, distance, row, owner) -> None:
        """Cast the busy rays against the traffic as well, in place; camera: of each busy ray."""
        index = np.nonzero(busy)
        moving, mover_row, mover = self.caster.moving(traffic, rays[index], camera)
        nearer = moving < distance[index]
        hit = tuple(i[nearer] for i in index)
        distance[hit], row[hit], owner[hit] = moving[nearer], mover_row[nearer], mover[nearer]

    def _may_meet(self, traffic: Traffic, world_from_body: Array) -> NDArray[np.bool_]:
        """Pixels inside the image boxes of the movers: only these need a second cast."""
        cameras = [mount.camera for mount in self.rig.cameras]
        mask = np.zeros((len(cameras), cameras[0].height, cameras[0].width), bool)
        pairs = np.argwhere(traffic.near)
        for (k, _), corners in zip(pairs, traffic.corners, strict=True):
            eye = world_from_body[k] @ self._lenses[k].body_from_camera
            local = (corners - eye[:3, 3]) @ eye[:3, :3]
            if local[:, 2].max() < 0.2:
                continue
            if local[:, 2].min() < 0.6:
                mask[k] |= self._in_cone(int(k), local)
                continue
            camera = cameras[k]
            slope = local[:, :2] / local[:, 2:]
            pad = 3 + 0.12 * camera.focal * (np.abs(slope).max() > 0.5)
            centre = ((camera.width - 1) / 2, (camera.height - 1) / 2)
            low = slope.min(0) * camera.focal + centre - pad - 0.03 * camera.width
            high = slope.max(0) * camera.focal + centre + pad + 0.03 * camera.width
            x0, y0 = np.maximum(low, 0).astype(int)
            x1, y1 = np.maximum(high + 1, 0).astype(int)
            mask[k, y0:y1, x0:x1] = True
        return mask

    def _in_cone(self, index: int, local: NDArray) -> bool:
        """Whether the ball around points in camera axes touches the cone around all its rays."""
        centre = (local.min(0) + local.max(0)) / 2
        radius, away = np.linalg.norm(local - centre, axis=-1).max(), np.linalg.norm(centre)
        if away <= radius:
            return True
        widest = np.arccos(self._lenses[index].z.min()) + 0.02
        return bool(np.arccos(centre[2] / away) - np.arcsin(radius / away) < widest)

    def _depth(self, index: int, cast: _Cast) -> NDArray[np.float32]:
        lens = self._lenses[index]
        depth = cast.distance * lens.z
        depth[lens.ego] = np.nan
        return depth

    def _hits(self, cast: _Cast, angle: NDArray, traffic: Traffic, camera: int) -> Hits:
        o, d = cast.origin, cast.direction
        local_o, local_d = o, d
        if cast.owner.max() >= 0:
            local_o, local_d = np.broadcast_to(o, d.shape).copy(), d.copy()
            starts = local_o.copy()
            for m in np.unique(cast.owner[cast.owner >= 0]):
                pose = traffic.world_from_local[camera, m].astype(F32)
                at = cast.owner == m
                local_o[:, at] = pose[:3, :3].T @ (starts[:, at] - pose[:3, 3:])
                local_d[:, at] = pose[:3, :3].T @ d[:, at]
        return Hits(o, d, local_o, local_d, cast.row, cast.distance, angle)

    def _picture(
        self, index: int, cast: _Cast, pose: Array, traffic: Traffic, stamp_ns: int
    ) -> NDArray[np.uint8]:
        lens = self._lenses[index]
        image = self._shader.shade(self._hits(cast, lens.angle, traffic, index))
        if self._antialias:
            self._soften(image, index, cast, pose, traffic)
        picture = lens.ego_picture
        image *= 1 - picture[..., 3:]
        image += picture[..., :3]
        image *= lens.vignette
        if self._noise:
            rng = np.random.default_rng([self.world.seed, 62, index, stamp_ns & 0xFFFFFFFFFFFF])
            image += rng.standard_normal(image.shape, F32) * F32(self._noise)
        return np.clip(image + F32(0.5), 0, 255).astype(np.uint8)

    def _soften(self, image, index: int, cast: _Cast, pose: Array, traffic: Traffic) -> None:
        """Replace pixels at silhouettes by the mean of four rays."""
        lens = self._lenses[index]
        edge = _silhouettes(cast) & ~lens.ego
        y, x = np.nonzero(edge)
        if not len(y):
            return
        width = _SUBPIXEL_WIDTH
        body_rays = np.zeros((-(-4 * len(y) // width) * width, 3), F32)
        body_rays[: 4 * len(y)] = lens.sub_rays[:, y, x].reshape(-1, 3)
        body_rays[4 * len(y) :] = lens.rays[0, 0]
        rays = self._rays(lens, body_rays, pose)
        distance, row = self.caster.static(rays)
        owner = np.full(distance.shape, -1)
        busy = np.zeros(distance.shape, bool)
        busy[: 4 * len(y)] = np.tile(cast.busy[y, x], 4)
        camera = np.full(int(busy.sum()), index)
        self._add_movers(traffic, rays, busy, camera, distance, row, owner)
        shape = (len(rays) // width, width)
        sub = _Cast(rays[0, :3].reshape(3, 1, 1), _columns(rays[:, 3:].reshape(*shape, 3)),
                    distance.reshape(shape), row.reshape(shape), owner.reshape(shape),
                    busy.reshape(shape))  # fmt: skip
        angle = np.zeros(shape, F32) + lens.angle.mean() / 2
        colour = self._shader.shade(self._hits(sub, angle, traffic, index))
        image[y, x] = colour.reshape(-1, 3)[: 4 * len(y)].reshape(4, -1, 3).mean(0)


def _columns(directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w, 3) -> (3, h, w), contiguous: dot products walk over each part."""
    return np.ascontiguousarray(np.moveaxis(directions, -1, 0))


def _silhouettes(cast: _Cast) -> NDArray[np.bool_]:
    """Pixels where inverse distance bends sharply: two surfaces share the pixel."""
    inverse = 1 / cast.distance
    bend = np.abs(cv2.Laplacian(inverse, cv2.CV_32F, borderType=cv2.BORDER_REPLICATE))
    sharp = (bend > 0.012 * inverse + 0.0006).astype(np.uint8)
    return sharp > 0
