# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Cars, vans and trucks as low-polygon meshes with painted sides; and the ego's own body."""

from __future__ import annotations

import cv2
import numpy as np

from selfdepth_ros.synthetic.mesh import Array, MeshBuilder
from selfdepth_ros.synthetic.textures import Rng, noise, to_uint8

PAINTS = ((0.92, 0.92, 0.92), (0.3, 0.3, 0.33), (0.55, 0.57, 0.6), (0.72, 0.2, 0.17),
          (0.2, 0.32, 0.62), (0.8, 0.8, 0.76), (0.2, 0.42, 0.32), (0.75, 0.6, 0.2),
          (0.36, 0.4, 0.44), (0.3, 0.45, 0.6))  # fmt: skip
KINDS = {
    # length, width, belt height, roof height, bonnet height, windscreen foot, roof front,
    # roof rear, rear-window foot (x from the middle, m)
    'car': (4.4, 1.8, 0.92, 1.46, 0.82, 0.95, 0.25, -1.15, -1.75),
    'suv': (4.7, 1.9, 1.05, 1.72, 0.98, 1.15, 0.5, -1.95, -2.25),
    'van': (5.3, 2.0, 1.2, 2.25, 1.1, 1.75, 1.2, -2.6, -2.62),
}


def paint_textures(rng: Rng) -> dict[str, np.ndarray]:
    """Tiles: body side (whole length), nose, glass, wheel, plain paint, cargo side."""
    h, w = 64, 256
    side = 200 * (1 + 0.085 * noise(rng, h, w, 4, 0.85)) * np.linspace(1.1, 0.75, h)[:, None]
    side = np.repeat(side[..., None], 3, -1).astype(np.float32)
    for x in (84, 130, 176):
        cv2.line(side, (x, 2), (x, h - 12), (60, 60, 60), 2)
    for x in (118, 164):
        cv2.rectangle(side, (x, 14), (x + 8, 17), (70, 70, 70), -1)
    side[30:32] *= 0.8
    side[h - 10 :] *= 0.45
    for x in (48, 208):
        cv2.circle(side, (x, h + 2), 26, (25, 25, 25), -1)
    nose = 190 * (1 + 0.05 * noise(rng, 64, 128, 4))[..., None] * np.ones(3, np.float32)
    nose = np.ascontiguousarray(nose.astype(np.float32))
    for x in (12, 94):
        cv2.ellipse(nose, (x + 11, 18), (13, 8), 0, 0, 360, (250, 248, 235), -1)
        cv2.ellipse(nose, (x + 11, 18), (13, 8), 0, 0, 360, (70, 70, 70), 2)
    for y in (22, 28, 34):
        cv2.line(nose, (40, y), (88, y), (40, 40, 40), 3)
    cv2.rectangle(nose, (46, 42), (82, 51), (235, 235, 225), -1)
    nose[56:] *= 0.4
    glass = 66 * (1 + 0.22 * noise(rng, 64, 128, 4, 0.75)) * np.linspace(1.7, 0.7, 64)[:, None]
    glass = np.ascontiguousarray(glass[..., None] * np.float32((0.9, 1.0, 1.1)))
    cv2.line(glass, (64, 0), (64, 63), (24.0, 24.0, 24.0), 7)
    glass[:4] = glass[60:] = glass[:, :5] = glass[:, 123:] = 26
    wheel = np.full((64, 64, 3), 34, np.float32)
    cv2.circle(wheel, (32, 32), 20, (170, 170, 176), -1)
    for k in range(5):
        a = 2 * np.pi * k / 5
        tip = int(32 + 15 * np.cos(a)), int(32 + 15 * np.sin(a))
        cv2.circle(wheel, tip, 5, (46, 46, 48), -1)
    paint = 200 * (1 + 0.09 * noise(rng, 128, 128, 4, 0.8))[..., None] * np.ones(3)
    return {'car_side': to_uint8(side), 'car_nose': to_uint8(nose), 'glass': to_uint8(glass),
            'wheel': to_uint8(wheel), 'paint': to_uint8(paint), 'cargo': _cargo(rng)}  # fmt: skip


def _cargo(rng: Rng) -> np.ndarray:
    out = 205 * (1 + 0.05 * noise(rng, 128, 256, 4))[..., None] * np.ones(3, np.float32)
    out = np.ascontiguousarray(out.astype(np.float32))
    out[:, ::16] *= 0.8
    for y in (30, 62):
        for x in range(24, 220, 17):
            if rng.random() < 0.8:
                box = (x, y), (x + int(rng.integers(4, 13)), y + 22)
                cv2.rectangle(out, *box, (70, 60, 60), int(rng.choice([-1, 3])))
    out[110:] *= 0.5
    return to_uint8(out)


def _wheels(mesh: MeshBuilder, xs: tuple[float, ...], half: float, radius: float) -> None:
    a = np.arange(11) * 2 * np.pi / 10
    ring = np.stack([np.cos(a), np.sin(a)], -1)
    for x in xs:
        for side in (-1, 1):
            y = side * (half + 0.015)
            rim = np.stack(
                [x + radius * ring[:, 0], np.full(11, y), radius * (1 + ring[:, 1])], -1
            )
            inner = rim - [0, side * 0.25, 0]
            hub = np.broadcast_to([x, y, radius], (10, 3))
            uv = np.stack([np.full((10, 2), 0.5), 0.5 + ring[:-1] / 2, 0.5 + ring[1:] / 2], 1)
            order = [0, 1, 2] if side < 0 else [0, 2, 1]
            points = np.stack([hub, rim[:-1], rim[1:]], 1)
            mesh.triangles(points[:, order], uv[:, order], 'wheel')
            tread = np.stack([rim[:-1], rim[1:], inner[1:], inner[:-1]], 1)
            mesh.quads(tread[:, ::-side], 'paint', tint=0.13)


def _sides(mesh: MeshBuilder, profile: Array, bottom: float, half: float, tint) -> None:
    """Vertical body sides below a profile (n, 2) of (x, z), front to rear."""
    length, top = profile[0, 0] - profile[-1, 0], profile[:, 1].max()
    for side in (-1, 1):
        a = np.insert(profile, 1, side * half, axis=1)
        b = a.copy()
        b[:, 2] = bottom
        quads = np.stack([b[1:], b[:-1], a[:-1], a[1:]], 1)
        uv = np.stack(
            [(quads[..., 0] - profile[-1, 0]) / length, (quads[..., 2] - bottom) / (top - bottom)],
            -1,
        )
        order = np.array([0, 1, 2, 0, 2, 3] if side < 0 else [0, 2, 1, 0, 3, 2])
        mesh.triangles(
            quads[:, order].reshape(-1, 3, 3), uv[:, order].reshape(-1, 3, 2), 'car_side', tint
        )


def passenger_vehicle(mesh: MeshBuilder, kind: str, tint, scale: float = 1.0) -> None:
    """A car, suv or van around the origin, nose to +x, standing on z = 0."""
    length, width, belt, roof, bonnet, foot, front, rear, tail = np.array(KINDS[kind]) * scale
    x, h, low = length / 2, width / 2, 0.24
    back = belt if kind != 'car' else belt - 0.04
    profile = np.array([[x, bonnet - 0.14], [foot, belt], [tail, belt], [-x, back]])
    _sides(mesh, profile, low, h, tint)
    strip = [[[q[0], s * h, q[1]] for q in (profile[i], profile[i + 1]) for s in (1, -1)]
             for i in range(3)]  # fmt: skip
    mesh.quads(np.array(strip)[:, [1, 0, 2, 3]][:, ::-1], 'paint', tint=tint)
    nose = [[x, h, low], [x, -h, low], [x, -h, bonnet - 0.14], [x, h, bonnet - 0.14]]
    mesh.quads([nose[::-1][2:] + nose[::-1][:2]], 'car_nose', (2, 1), tint=tint)
    stern = [[-x, h, low], [-x, -h, low], [-x, -h, back], [-x, h, back]]
    mesh.quads([stern], 'car_nose', (2, 1), tint=np.array(tint) * [0.9, 0.55, 0.55])
    a, b = h * 0.93, h * (0.76 if kind != 'van' else 0.9)
    base = np.array([[foot, -a, belt], [foot, a, belt], [tail, a, belt], [tail, -a, belt]])
    top = np.array([[front, -b, roof], [front, b, roof], [rear, b, roof], [rear, -b, roof]])
    walls = np.stack([base, np.roll(base, -1, 0), np.roll(top, -1, 0), top], 1)
    mesh.quads(walls if kind != 'van' else walls[:1], 'glass', (1, 1))
    if kind == 'van':
        mesh.quads(walls[1:], 'cargo', (4, 2.5), tint=tint)
    mesh.quads([top], 'paint', tint=tint)
    mesh.quads([[[x, h, low], [x, -h, low], [-x, -h, low], [-x, h, low]]], 'paint', tint=0.12)
    _wheels(mesh, (x - 0.85, 0.85 - x), h, 0.33)


def truck(mesh: MeshBuilder, tint, cargo_tint, length: float = 7.5) -> None:
    """A box truck around the origin, nose to +x."""
    x, h = length / 2, 1.15
    mesh.box([x - 1.9, -h, 0.45], [x, h, 1.35], 'car_nose', tint, top='paint', bottom=True)
    mesh.box([x - 1.8, -h, 1.35], [x - 0.1, h, 2.3], 'glass', top='paint')
    low, high = [-x, -h - 0.05, 0.8], [x - 2.0, h + 0.05, 3.3]
    mesh.box(low, high, 'cargo', cargo_tint, top='paint', bottom=True)
    _wheels(mesh, (x - 1.0, 1.3 - x), h, 0.46)


def random_vehicle(mesh: MeshBuilder, rng: Rng, trucks: float = 0.06) -> float:
    """Add a vehicle of random kind and paint to an empty builder; returns its length (m)."""
    tint = np.array(PAINTS[rng.integers(len(PAINTS))]) * rng.uniform(0.85, 1.1)
    kind, scale = rng.random(), rng.uniform(0.94, 1.06)
    if kind < trucks:
        length = float(rng.uniform(6.2, 8.5))
        truck(mesh, tint, rng.uniform(0.5, 1.05, 3), length)
        return length
    name = 'van' if kind < trucks + 0.14 else 'suv' if kind < trucks + 0.42 else 'car'
    passenger_vehicle(mesh, name, tint, scale)
    return KINDS[name][0] * scale


def ego_body(mesh: MeshBuilder) -> None:
    """The robot's own car below its roof rig, in base_link: bonnet, roof edges, boot, mirrors."""
    tint = (0.5, 0.53, 0.58)
    roof = 1.44
    mesh.box([-0.85, -0.62, 1.2], [0.5, 0.62, roof], 'paint', tint, bottom=True)
    for side in (-1, 1):
        mesh.box([-0.9, side * 0.72 - 0.06, 1.36], [0.45, side * 0.72 + 0.06, 1.41], 'paint', 0.25)
        mesh.box([0.78, side * 1.08 - 0.13, 1.12], [0.9, side * 1.08 + 0.13, 1.3], 'paint', tint)
        mesh.box([-2.3, side * 0.8 - 0.1, 0.5], [2.0, side * 0.8 + 0.1, 0.95], 'paint', tint)
    mesh.quads([[[2.15, -0.85, 0.78], [2.15, 0.85, 0.78], [0.95, 0.9, 1.0], [0.95, -0.9, 1.0]]],
               'paint', tint=tint)  # fmt: skip
    mesh.quads([[[0.95, -0.8, 1.0], [0.95, 0.8, 1.0], [0.5, 0.62, roof], [0.5, -0.62, roof]]],
               'glass', (1, 1))  # fmt: skip
    mesh.quads([[[-1.35, 0.8, 1.0], [-1.35, -0.8, 1.0], [-0.85, -0.62, roof],
                 [-0.85, 0.62, roof]]], 'glass', (1, 1))  # fmt: skip
    mesh.box([-2.3, -0.9, 0.5], [-1.35, 0.9, 1.02], 'paint', tint)
