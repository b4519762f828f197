# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Periodic, seeded textures with detail at many scales: noise, ground, walls, leaves, metal."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]
Rng = np.random.Generator


def noise(rng: Rng, h: int, w: int, coarsest: int, roughness: float = 0.6) -> Image:
    """Periodic noise (h, w), zero mean and unit deviation, octaves from coarsest cells a side."""
    out = np.zeros((h, w), np.float32)
    cells, gain = coarsest, 1.0
    while cells <= max(h, w):
        rows, columns = min(cells, h), min(cells, w)
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        out += gain * _upsample(grid, h, w)
        cells, gain = cells * 2, gain * roughness
    return (out - out.mean()) / (out.std() + 1e-6)


def _upsample(grid: Image, h: int, w: int) -> Image:
    """Enlarge (rows, columns) to (h, w), bicubic and periodic."""
    rows, columns = grid.shape
    if (rows, columns) == (h, w):
        return grid
    fy, fx = h // rows, w // columns
    padded = cv2.copyMakeBorder(grid, 2, 2, 2, 2, cv2.BORDER_WRAP)
    big = cv2.resize(padded, ((columns + 4) * fx, (rows + 4) * fy), interpolation=cv2.INTER_CUBIC)
    return big[2 * fy : 2 * fy + h, 2 * fx : 2 * fx + w]


def tint(grey: Image, colour: Any) -> Image:
    """Grey (h, w) times a colour (0 to 255) -> (h, w, 3)."""
    return grey[..., None] * np.asarray(colour, np.float32)


def to_uint8(image: Image) -> NDArray[np.uint8]:
    """Round and clip (h, w, 3) to uint8."""
    flat = image.reshape(len(image), -1)
    return cv2.add(flat, 0, dtype=cv2.CV_8U).reshape(image.shape)


def colour_noise(rng: Rng, h: int, w: int, coarsest: int, strength: float) -> Image:
    """Faint periodic variation of hue, (h, w, 3) around 1."""
    return 1 + strength * np.stack([noise(rng, h, w, coarsest) for _ in range(3)], -1)


def asphalt(rng: Rng, size: int = 1024) -> Image:
    """Grain, patches, cracks and stains."""
    grey = 1 + 0.10 * noise(rng, size, size, 4, 0.7) + 0.11 * noise(rng, size, size, size // 4)
    for _ in range(7):
        x, y, w, h = rng.integers(0, size - 220, 2).tolist() + rng.integers(60, 220, 2).tolist()
        grey[y : y + h, x : x + w] *= rng.uniform(0.72, 1.18)
        cv2.rectangle(grey, (x, y), (x + w, y + h), float(rng.uniform(0.5, 0.7)), 2)
    for _ in range(26):
        points = np.cumsum(rng.normal(0, 16, (24, 2)) + rng.normal(0, 12, 2), 0)
        points += rng.uniform(150, size - 150, 2)
        cv2.polylines(grey, [points.astype(np.int32)], False, float(rng.uniform(0.5, 0.75)), 2)
    for _ in range(40):
        centre = tuple(int(c) for c in rng.integers(20, size - 20, 2))
        axes = tuple(int(a) for a in rng.integers(3, 16, 2))
        cv2.ellipse(grey, centre, axes, 0, 0, 360, float(rng.uniform(0.45, 1.35)), -1)
    base = rng.uniform(98, 124)
    return tint(grey, (base, base, base * rng.uniform(0.98, 1.05)))


def bricks(
    rng: Rng, h: int, w: int, rows: int, columns: int, colour, spread: float, mortar: float
) -> Image:
    """Bricks or slabs in running bond, each of its own shade; (h, w, 3)."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    row = np.floor(y * rows / h)
    across = x * columns / w + 0.5 * (row % 2)
    shade = rng.normal(1, spread, (rows, columns)).astype(np.float32)
    hue = rng.normal(1, spread / 3, (rows, columns, 3)).astype(np.float32)
    index = row.astype(int) % rows, np.floor(across).astype(int) % columns
    joint_y = np.abs((y + 0.5) * rows / h % 1 - 0.5) > 0.5 - 0.9 * rows / h
    joint_x = np.abs((across + 0.5 * columns / w) % 1 - 0.5) > 0.5 - 0.9 * columns / w
    grey = shade[index] * (1 + 0.07 * noise(rng, h, w, 8, 0.8))
    out = tint(grey, colour) * hue[index]
    joint = (joint_x | joint_y)[..., None]
    out = np.where(joint, out.mean() * mortar * np.ones(3, np.float32), out)
    return out * (1 + 0.07 * noise(rng, h, w, 2))[..., None]


def plaster(rng: Rng, h: int, w: int, colour) -> Image:
    """Rough coat with rain streaks and stains."""
    grey = 1 + 0.05 * noise(rng, h, w, 4, 0.75) + 0.05 * noise(rng, h, w, min(h, w) // 4)
    streaks = cv2.blur(noise(rng, h, w, 16), (1, max(h // 6, 3)), borderType=cv2.BORDER_REFLECT)
    return tint(grey * (1 + 0.09 * streaks / (streaks.std() + 1e-6)), colour)


def grass(rng: Rng, size: int = 512) -> Image:
    """Lawn with bare patches."""
    grey = 1 + 0.16 * noise(rng, size, size, 4, 0.75) + 0.16 * noise(rng, size, size, size // 4)
    lawn = tint(grey, (rng.uniform(78, 104), rng.uniform(105, 128), rng.uniform(52, 70)))
    bare = 1 / (1 + np.exp(-4 * (noise(rng, size, size, 4) - 1.2)))[..., None]
    return lawn * (1 - bare) + tint(grey, (140, 122, 98)) * bare


def leaves(rng: Rng, size: int = 512) -> Image:
    """Foliage: blotches of light and dark at three scales."""
    grey = 1 + 0.22 * noise(rng, size, size, 8, 0.8) + 0.22 * noise(rng, size, size, size // 8)
    colour = rng.uniform((62, 88, 36), (104, 122, 60))
    return tint(np.maximum(grey, 0.25), colour) * colour_noise(rng, size, size, 16, 0.05)


def bark(rng: Rng, h: int = 256, w: int = 64) -> Image:
    """Vertical furrows."""
    lines = cv2.blur(noise(rng, h, w, 16, 0.9), (1, 15), borderType=cv2.BORDER_REFLECT)
    grey = 1 + 0.3 * lines / lines.std() + 0.1 * noise(rng, h, w, 16)
    return tint(np.maximum(grey, 0.3), (104, 88, 72))


def planks(rng: Rng, h: int, w: int, boards: int, colour) -> Image:
    """Vertical boards with gaps (fences, gates)."""
    x = np.arange(w) * boards / w
    shade = rng.normal(1, 0.14, boards)[x.astype(int)]
    gap = np.where(x % 1 < 2.2 * boards / w, 0.35, 1.0)
    grain = cv2.blur(noise(rng, h, w, 16, 0.9), (1, 9), borderType=cv2.BORDER_REFLECT)
    return tint((shade * gap)[None] * (1 + 0.12 * grain), colour)


def posters(rng: Rng, h: int, w: int, columns: int, rows: int) -> Image:
    """Sheets with blocks and lines of print."""
    out = plaster(rng, h, w, (150, 146, 138))
    cell_h, cell_w = h // rows, w // columns
    for r in range(rows):
        for c in range(columns):
            y, x = r * cell_h + 2, c * cell_w + 2
            sheet = np.ones((cell_h - 4, cell_w - 4, 3), np.float32) * rng.uniform(40, 230, 3)
            for _ in range(9):
                a = tuple(int(k) for k in rng.integers(0, (cell_w, cell_h)))
                size = rng.integers(3, (cell_w, cell_h // 4))
                b = int(a[0] + size[0]), int(a[1] + size[1])
                cv2.rectangle(sheet, a, b, tuple(rng.uniform(20, 250, 3).tolist()), -1)
            out[y : y + cell_h - 4, x : x + cell_w - 4] = sheet
    return out * (1 + 0.06 * noise(rng, h, w, 8))[..., None]


def dashes(rng: Rng, h: int, w: int, ground: Image, fill: float, period: int) -> Image:
    """A painted line along v (fill 1 = unbroken) on the given ground tile."""
    out = ground[:h, :w].copy()
    paint = 215 * (1 + 0.08 * noise(rng, h, w, 8)) * (1 - 0.25 * (noise(rng, h, w, 8) > 1.3))
    y = np.arange(h) % period < fill * period
    x = np.abs(np.arange(w) - w / 2 + 0.5) < w * 0.15
    mask = (y[:, None] & x[None])[..., None]
    return np.where(mask, paint[..., None] * np.float32((1, 1, 0.96)), out)


def zebra(rng: Rng, h: int, w: int, ground: Image, bars: int) -> Image:
    """Bars across u on the given ground tile."""
    out = ground[:h, :w].copy()
    x = (np.arange(w) * bars / w) % 1 < 0.5
    worn = noise(rng, h, w, 16) < 1.2
    paint = 210 * (1 + 0.06 * noise(rng, h, w, 8))
    return np.where((worn & x[None])[..., None], paint[..., None] * np.ones(3, np.float32), out)


def sky(rng: Rng, size: int = 512) -> NDArray[np.float32]:
    """Faint clouds: cover (size, size), 0 to 1, periodic."""
    return np.clip(0.32 + 0.3 * noise(rng, size, size, 4, 0.55), 0, 1)
