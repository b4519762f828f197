# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The seeded set of textures of one street world, by name."""

from __future__ import annotations

import numpy as np

from selfdepth_ros.synthetic import facades
from selfdepth_ros.synthetic import textures as tex
from selfdepth_ros.synthetic.atlas import Texture
from selfdepth_ros.synthetic.vehicles import paint_textures

UPPER, GROUND, CLOTHES = 10, 8, 6
_VEHICLE_SIZES_M = {'paint': (2, 2), 'cargo': (4, 2.5), 'car_nose': (2, 1)}


def _metric(image: np.ndarray, width_m: float | int, height_m: float | int) -> Texture:
    h, w = image.shape[:2]
    return Texture(tex.to_uint8(image), (w / width_m, h / height_m))


def make_tiles(seed: int) -> dict[str, Texture]:
    """Every texture of the world with this seed."""
    rng = np.random.default_rng([seed, 21])
    road = tex.asphalt(rng)
    slab = rng.uniform(118, 158) * rng.uniform(0.93, 1.05, 3)
    tiles = {
        'asphalt': _metric(road, 20, 20),
        'dash': _metric(tex.dashes(rng, 512, 32, road[200:], 0.5, 256), 0.625, 12),
        'line': _metric(tex.dashes(rng, 512, 32, road[:, 300:], 1.0, 256), 0.625, 12),
        'zebra': _metric(tex.zebra(rng, 128, 256, road, 6), 6, 3),
        'slabs': _metric(tex.bricks(rng, 512, 512, 16, 16, slab, 0.09, 0.66), 8, 8),
        'cobbles': _metric(tex.bricks(rng, 512, 512, 48, 32, slab * 0.8, 0.14, 0.6), 7, 7),
        'grass': _metric(tex.grass(rng), 11, 11),
        'leaves': _metric(tex.leaves(rng), 6, 6),
        'leaves2': _metric(tex.leaves(rng), 6, 6),
        'bark': _metric(tex.bark(rng), 1.0, 4),
        'concrete': _metric(tex.plaster(rng, 256, 256, (150, 148, 144)), 5, 5),
        'metal': _metric(tex.plaster(rng, 128, 128, (112, 116, 120)), 2, 2),
        'wall': _metric(tex.bricks(rng, 256, 256, 32, 12, (158, 104, 84), 0.14, 1.1), 3.2, 3.2),
        'roof': _metric(tex.bricks(rng, 256, 256, 24, 20, (140, 84, 68), 0.12, 0.5), 6, 6),
        'fence': _metric(tex.planks(rng, 128, 256, 24, rng.uniform(70, 170, 3)), 4, 2),
        'posters': _metric(tex.posters(rng, 256, 256, 3, 3), 4, 4),
        'signs': _metric(tex.posters(rng, 128, 128, 2, 2), 2, 2),
    }
    for i in range(CLOTHES):
        tiles[f'clothes{i}'] = _metric(_clothes(rng), 1.6, 1.8)
    for i in range(UPPER):
        tiles[f'upper{i}'] = _metric(facades.upper_floors(rng), facades.SPAN_M, facades.SPAN_M)
    for i in range(GROUND):
        tiles[f'ground{i}'] = _metric(facades.ground_floor(rng), facades.SPAN_M, facades.GROUND_M)
    for name, image in paint_textures(rng).items():
        tiles[name] = _metric(image, *_VEHICLE_SIZES_M.get(name, (1, 1)))
    return tiles


def _clothes(rng: np.random.Generator) -> np.ndarray:
    """A person from shoes (bottom) to hair (top), wrapped around: (64, 64, 3) for 1.8 m."""
    out = np.zeros((64, 64, 3), np.float32)
    out[:4] = rng.uniform(30, 120)
    out[4:9] = np.array((205, 165, 140)) * rng.uniform(0.5, 1.05)
    out[9:32] = rng.uniform(30, 230, 3)
    out[9:32:6] *= rng.uniform(0.5, 1.1)
    out[32:60] = rng.uniform(25, 150, 3)
    out[32:60, 28:36] *= 0.6
    out[60:] = 30
    return out * (1 + 0.12 * tex.noise(rng, 64, 64, 8))[..., None]
