# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What never changes about one camera: its rays, and the robot's own body in its image."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from selfdepth_ros.core.rig import RigCamera
from selfdepth_ros.synthetic.caster import F32, Caster, with_one
from selfdepth_ros.synthetic.mesh import Array
from selfdepth_ros.synthetic.shading import Planes, Rays, Shader

_SUBPIXELS = ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))

_UP = F32([0, 0, 1])
"""Where rays that nothing depends on look: it costs least there."""


@dataclass(frozen=True)
class EgoPicture:
    """The body in an image of n pixels: at pixels (b,), a share cover (b,) of each is body, and
    that share's colour planes (3, b)."""

    pixels: NDArray[np.intp]
    cover: NDArray[np.float32]
    colour: Planes


@dataclass(frozen=True)
class Lens:
    """Constant tables of one camera (h, w): unit rays and four rays per pixel in the body frame,
    (..., 4) as placed_rays takes them; z of a unit ray, the angle between rays (rad), what is body
    (ego), what nothing else can be seen of (hidden: body, and so are its neighbours), vignette
    (None: 1 everywhere)."""

    rays: NDArray[np.float32]
    sub_rays: NDArray[np.float32]
    z: NDArray[np.float32]
    angle: NDArray[np.float32]
    body_from_camera: Array
    ego: NDArray[np.bool_]
    hidden: NDArray[np.bool_]
    ego_picture: EgoPicture
    vignette: NDArray[np.float32] | None


def make_lens(
    mount: RigCamera, gain: float, vignetting: float | int, caster: Caster, shader: Shader
) -> Lens:
    """Tables of one camera; gain: of the sensor; vignetting: relative, 0 for none."""
    camera, pose = mount.camera, np.asarray(mount.body_from_camera.matrix, float)
    rotation = pose[:3, :3]
    v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(float)
    pixels = np.stack([u, v], -1)
    rays = np.asarray(camera.rays(pixels)[0], float)
    z = rays[..., 2]
    sub = np.stack([np.asarray(camera.rays(pixels + o)[0], float) for o in _SUBPIXELS])
    angle = (np.maximum(z, 0.05) ** 1.5 / camera.focal).astype(F32)
    body_rays, sub_rays = (rays @ rotation.T).astype(F32), (sub @ rotation.T).astype(F32)
    ego, picture = _ego(body_rays, sub_rays, pose[:3, 3].astype(F32), angle, caster, shader)
    hidden = _inner(picture, ego.shape)
    body_rays[hidden] = _UP
    return Lens(with_one(body_rays), with_one(sub_rays), z.astype(F32), angle, pose, ego, hidden,
                picture, _vignette(u, v, gain, vignetting))  # fmt: skip


def _vignette(u: Array, v: Array, gain: float, vignetting: float | int) -> Array | None:
    height, width = u.shape
    r2 = ((u - width / 2) ** 2 + (v - height / 2) ** 2) / (width / 2) ** 2
    out = (gain * (1 - min(vignetting * 2, 0.25) * r2 / 2)).astype(F32)
    return None if (out == 1).all() else out.ravel()


def _ego(
    rays: NDArray[np.float32], sub_rays: NDArray[np.float32], eye: NDArray[np.float32],
    angle: NDArray[np.float32], caster: Caster, shader: Shader,
) -> tuple[NDArray[np.bool_], EgoPicture]:  # fmt: skip
    """The body never moves in the image: cast and shade it once, with soft edges."""
    layers = []
    for layer in (rays, *sub_rays):
        bundle = np.concatenate([np.broadcast_to(eye, layer.shape), layer], -1)
        hit = caster.ego_scene.cast_rays(o3d.core.Tensor(bundle))
        distance = hit['t_hit'].numpy().ravel()
        index = np.flatnonzero(np.isfinite(distance))
        row = hit['primitive_ids'].numpy().ravel()[index] + caster.first_row[1]
        direction = np.ascontiguousarray(layer.reshape(-1, 3)[index].T)
        met = Rays(eye, direction, distance[index], row, angle.ravel()[index])
        colour = np.zeros((4, len(distance)), F32)
        colour[3, index] = 1
        colour[:3, index] = shader.shade(met)
        layers.append(colour)
    total = sum(layers[1:]) / 4
    pixels = np.flatnonzero(total[3])
    ego = (layers[0][3] > 0) | (total[3] > 0)
    return ego.reshape(angle.shape), EgoPicture(pixels, total[3, pixels], total[:3, pixels])


def _inner(picture: EgoPicture, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Pixels that are all body and whose neighbours are: no ray beyond them matters."""
    whole = np.zeros(shape, np.uint8)
    whole.ravel()[picture.pixels] = picture.cover == 1
    return cv2.erode(whole, np.ones((3, 3), np.uint8)) > 0
