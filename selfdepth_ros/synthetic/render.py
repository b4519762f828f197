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
from selfdepth_ros.synthetic.caster import F32, Caster, PlacedTraffic, Traffic, placed_rays
from selfdepth_ros.synthetic.lens import Lens, make_lens
from selfdepth_ros.synthetic.mesh import Array
from selfdepth_ros.synthetic.shading import Planes, Rays, Shader, put
from selfdepth_ros.synthetic.world import StreetWorld


@dataclass(frozen=True)
class RenderedFrame:
    """What a rig sees: images uint8 (c, h, w, 3) RGB, z_depths float32 (c, h, w) metres along the
    optical axis (sky +inf, the ego body NaN), stamps_ns (c,), world_from_body (c, 4, 4)."""

    images: NDArray[np.uint8]
    z_depths: NDArray[np.float32]
    stamps_ns: NDArray[np.int64]
    world_from_body: Array


@dataclass(frozen=True)
class _Look:
    """What the rays of one camera meet: rays (n, 6), distance and row (n,), n = h * w; busy (n,):
    rays that may meet traffic; poses: world_from_body (4, 4), world_from_movers (m, 4, 4)."""

    camera: int
    stamp_ns: int
    rays: NDArray[np.float32]
    distance: NDArray[np.float32]
    row: NDArray[np.uint32]
    busy: NDArray[np.bool_]
    placed: PlacedTraffic
    world_from_body: Array
    world_from_movers: Array


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
        self.caster = Caster(world, threads)
        self._shader = Shader(world, self.caster.table, self.caster.mover_rows)
        self._map = ThreadPoolExecutor(max_workers=threads).map if threads > 1 else map
        gains = 1 + gain_spread * np.random.default_rng([world.seed, 61]).uniform(-1, 1, 64)
        self._lenses = [
            make_lens(mount, float(gain), gain_spread, self.caster, self._shader)
            for mount, gain in zip(rig.cameras, gains, strict=False)
        ]
        self.ego_masks = np.stack([lens.ego for lens in self._lenses])

    def render(self, stamps_ns: int | Sequence[int]) -> RenderedFrame:
        """The surround frame at one time, or one per camera (ns since the drive's start)."""
        looks = self._look(stamps_ns)
        images = np.stack(list(self._map(self._picture, looks)))
        stamps = np.array([look.stamp_ns for look in looks])
        poses = np.stack([look.world_from_body for look in looks])
        return RenderedFrame(images, self._depths(looks), stamps, poses)

    def z_depths(self, stamps_ns: int | Sequence[int]) -> NDArray[np.float32]:
        """Only the depths (c, h, w) of render(), at a fraction of its cost."""
        return self._depths(self._look(stamps_ns))

    def _look(self, stamps_ns: int | Sequence[int]) -> list[_Look]:
        lenses = self._lenses
        stamps = np.broadcast_to(np.asarray(stamps_ns, np.int64), (len(lenses),))
        world_from_body = self.world.world_from_body(stamps * 1e-9)
        eyes = world_from_body @ np.stack([lens.body_from_camera for lens in lenses])
        traffic = self.caster.traffic(stamps * 1e-9, eyes[:, :3, 3])
        seen, busy = self._may_meet(traffic, eyes)
        placed = self.caster.place(traffic, seen)
        rays = np.empty((len(lenses), *lenses[0].z.shape, 6), F32)
        for i, lens in enumerate(lenses):
            placed_rays(lens.rays, eyes[i, :3, 3], world_from_body[i], out=rays[i])
        flat = rays.reshape(-1, 6)
        distance, row = self.caster.static(flat)
        index = np.flatnonzero(busy)
        self.caster.add_movers(placed, flat, index // busy[0].size, index, distance, row)
        shape = (len(lenses), -1)
        return [
            _Look(i, int(stamps[i]), *parts, placed, world_from_body[i],
                  traffic.world_from_local[i])
            for i, parts in enumerate(zip(
                rays.reshape(*shape, 6), distance.reshape(shape), row.reshape(shape),
                busy.reshape(shape), strict=True,
            ))
        ]  # fmt: skip

    def _may_meet(
        self, traffic: Traffic, world_from_camera: Array
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which movers (c, m) the cameras may see, and the pixels (c, h, w) inside their image
        boxes: only these need a second cast."""
        mask = np.zeros((len(self._lenses), *self._lenses[0].z.shape), bool)
        seen = np.zeros_like(traffic.near)
        camera, mover = np.nonzero(traffic.near)
        pose = world_from_camera[camera]
        corners = self.caster.boxes(traffic, camera, mover) - pose[:, None, :3, 3]
        for k, m, local in zip(camera, mover, corners @ pose[:, :3, :3], strict=True):
            box = self._image_box(int(k), local)
            if box is not None:
                mask[k][box] = True
                seen[k, m] = mask[k][box].size > 0
        return seen, mask

    def _image_box(self, index: int, local: Array) -> tuple[slice, slice] | None:
        """Rows and columns that points in camera axes, and all between them, project into."""
        nearest, farthest = local[:, 2].min(), local[:, 2].max()
        if farthest < 0.2:
            return None
        if nearest < 0.6:
            return (slice(None), slice(None)) if self._in_cone(index, local) else None
        camera = self.rig.cameras[index].camera
        slope = local[:, :2] / local[:, 2:]
        pad = 3 + 0.12 * camera.focal * (np.abs(slope).max() > 0.5) + 0.03 * camera.width
        centre = ((camera.width - 1) / 2, (camera.height - 1) / 2)
        x0, y0 = np.maximum(slope.min(0) * camera.focal + centre - pad, 0).astype(int)
        x1, y1 = np.maximum(slope.max(0) * camera.focal + centre + pad + 1, 0).astype(int)
        return slice(y0, y1), slice(x0, x1)

    def _in_cone(self, index: int, local: NDArray) -> bool:
        """Whether the ball around points in camera axes touches the cone around all its rays."""
        centre = (local.min(0) + local.max(0)) / 2
        radius, away = np.linalg.norm(local - centre, axis=-1).max(), np.linalg.norm(centre)
        if away <= radius:
            return True
        widest = np.arccos(self._lenses[index].z.min()) + 0.02
        return bool(np.arccos(centre[2] / away) - np.arcsin(radius / away) < widest)

    def _depths(self, looks: list[_Look]) -> NDArray[np.float32]:
        depths = np.stack([
            look.distance.reshape(lens.z.shape) * lens.z
            for look, lens in zip(looks, self._lenses, strict=True)
        ])  # fmt: skip
        depths[self.ego_masks] = np.nan
        return depths

    def _picture(self, look: _Look) -> NDArray[np.uint8]:
        lens = self._lenses[look.camera]
        image = self._colours(look, lens)
        body = lens.ego_picture
        seen = image.take(body.pixels, axis=1)
        put(image, body.pixels, seen * (1 - body.cover) + body.colour)
        if lens.vignette is not None:
            image *= lens.vignette
        if self._noise:
            name = [self.world.seed, 62, look.camera, look.stamp_ns & 0xFFFFFFFFFFFF]
            noise = np.random.default_rng(name).standard_normal((image.shape[1], 3), F32)
            image += noise.T * F32(self._noise)
        image += F32(0.5)
        planes = np.clip(image, 0, 255, out=image).astype(np.uint8)
        return cv2.merge([plane.reshape(lens.z.shape) for plane in planes])

    def _colours(self, look: _Look, lens: Lens) -> Planes:
        """Colours of all pixels (3, n): of one ray each, at silhouettes the mean of four."""
        soft = np.zeros(0, np.intp)
        if self._antialias:
            edge = _silhouettes(look.distance.reshape(lens.z.shape)) & ~lens.ego
            soft = np.flatnonzero(edge)
        plain = np.ones(lens.z.size, bool)
        plain[soft] = plain[lens.hidden.ravel()] = False
        single = np.flatnonzero(plain)
        rays, distance, row = self._split(look, lens, soft)
        rays = np.concatenate([look.rays.take(single, axis=0), rays])
        angle = np.full(len(rays), lens.angle.mean() / 2)
        angle[: len(single)] = lens.angle.ravel().take(single)
        met = Rays(
            look.rays[0, :3], np.ascontiguousarray(rays[:, 3:].T),
            np.concatenate([look.distance.take(single), distance]),
            np.concatenate([look.row.take(single), row]), angle,
        )  # fmt: skip
        colours = self._shader.shade(met, look.world_from_movers)
        image = np.zeros((3, lens.z.size), F32)
        put(image, single, colours[:, : len(single)])
        put(image, soft, colours[:, len(single) :].reshape(3, 4, -1).mean(1))
        return image

    def _split(
        self, look: _Look, lens: Lens, pixels: NDArray[np.intp]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint32]]:
        """Cast four rays for each of these pixels: rays (4 n, 6), distances and rows."""
        from_body = lens.sub_rays.reshape(4, -1, 4).take(pixels, axis=1).reshape(-1, 4)
        rays = placed_rays(from_body, look.rays[0, :3], look.world_from_body)
        distance, row = self.caster.static(rays, threads=1)
        index = np.flatnonzero(np.tile(look.busy.take(pixels), 4))
        eye = np.full(len(index), look.camera)
        self.caster.add_movers(look.placed, rays, eye, index, distance, row)
        return rays, distance, row


def _silhouettes(distance: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels where inverse distance bends sharply: two surfaces share the pixel."""
    inverse = 1 / distance
    bend = np.abs(cv2.Laplacian(inverse, cv2.CV_32F, borderType=cv2.BORDER_REPLICATE))
    return bend > 0.012 * inverse + F32(0.0006)
