# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The seeded set of textures of one street world, by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.synthetic import facades
from selfdepth_ros.synthetic import textures as tex
from selfdepth_ros.synthetic.atlas import Atlas, TileSize
from selfdepth_ros.synthetic.vehicles import paint_textures

UPPER, GROUND, CLOTHES = 10, 8, 6
_UPPER_SIZE = TileSize(facades.TEXELS, facades.TEXELS, facades.SPAN_M, facades.SPAN_M)
_GROUND_SIZE = TileSize(facades.TEXELS, 128, facades.SPAN_M, facades.GROUND_M)

TILES = {
    'asphalt': TileSize(1024, 1024, 20, 20),
    'dash': TileSize(32, 512, 0.625, 12),
    'line': TileSize(32, 512, 0.625, 12),
    'zebra': TileSize(256, 128, 6, 3),
    'slabs': TileSize(512, 512, 8, 8),
    'cobbles': TileSize(512, 512, 7, 7),
    'grass': TileSize(512, 512, 11, 11),
    'leaves': TileSize(512, 512, 6, 6),
    'leaves2': TileSize(512, 512, 6, 6),
    'bark': TileSize(64, 256, 1, 4),
    'concrete': TileSize(256, 256, 5, 5),
    'metal': TileSize(128, 128, 2, 2),
    'wall': TileSize(256, 256, 3.2, 3.2),
    'roof': TileSize(256, 256, 6, 6),
    'fence': TileSize(256, 128, 4, 2),
    'posters': TileSize(256, 256, 4, 4),
    'signs': TileSize(128, 128, 2, 2),
    **{f'clothes{i}': TileSize(64, 64, 1.6, 1.8) for i in range(CLOTHES)},
    **{f'upper{i}': _UPPER_SIZE for i in range(UPPER)},
    **{f'ground{i}': _GROUND_SIZE for i in range(GROUND)},
    'car_side': TileSize(256, 64, 1, 1),
    'car_nose': TileSize(128, 64, 2, 1),
    'glass': TileSize(128, 64, 1, 1),
    'wheel': TileSize(64, 64, 1, 1),
    'paint': TileSize(128, 128, 2, 2),
    'cargo': TileSize(256, 128, 4, 2.5),
}
"""All tiles of any world: a street can be laid while another process paints them."""


def make_atlas() -> Atlas:
    """The atlas of any world, still to be painted."""
    return Atlas(list(TILES.values()))


def paint_atlas(seed: int) -> NDArray[np.uint8]:
    """The atlas' image in the world with this seed."""
    return make_atlas().draw(_paint(seed))


def _paint(seed: int) -> list[NDArray[np.uint8]]:
    """The texture (h, w, 3) of every tile, in the order of TILES."""
    rng = np.random.default_rng([seed, 21])
    road = tex.asphalt(rng)
    slab = rng.uniform(118, 158) * rng.uniform(0.93, 1.05, 3)
    images = {
        'asphalt': road,
        'dash': tex.dashes(rng, 512, 32, road[200:], 0.5, 256),
        'line': tex.dashes(rng, 512, 32, road[:, 300:], 1.0, 256),
        'zebra': tex.zebra(rng, 128, 256, road, 6),
        'slabs': tex.bricks(rng, 512, 512, 16, 16, slab, 0.09, 0.66),
        'cobbles': tex.bricks(rng, 512, 512, 48, 32, slab * 0.8, 0.14, 0.6),
        'grass': tex.grass(rng),
        'leaves': tex.leaves(rng),
        'leaves2': tex.leaves(rng),
        'bark': tex.bark(rng),
        'concrete': tex.plaster(rng, 256, 256, (150, 148, 144)),
        'metal': tex.plaster(rng, 128, 128, (112, 116, 120)),
        'wall': tex.bricks(rng, 256, 256, 32, 12, (158, 104, 84), 0.14, 1.1),
        'roof': tex.bricks(rng, 256, 256, 24, 20, (140, 84, 68), 0.12, 0.5),
        'fence': tex.planks(rng, 128, 256, 24, rng.uniform(70, 170, 3)),
        'posters': tex.posters(rng, 256, 256, 3, 3),
        'signs': tex.posters(rng, 128, 128, 2, 2),
    }
    images |= {f'clothes{i}': _clothes(rng) for i in range(CLOTHES)}
    painted = {name: tex.to_uint8(image) for name, image in images.items()}
    painted |= {f'upper{i}': facades.upper_floors(rng) for i in range(UPPER)}
    painted |= {f'ground{i}': facades.ground_floor(rng) for i in range(GROUND)}
    painted |= paint_textures(rng)
    return [painted[name] for name in TILES]


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
