# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A seeded street world with exact depth, poses and LiDAR, ray-cast with Open3D.

Names are imported when first used: the rig alone needs no Open3D.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    'RenderedFrame': 'render',
    'StreetRenderer': 'render',
    'StreetWorld': 'world',
    'SyntheticError': 'errors',
    'street_rig': 'rig',
    'write_bag': 'synth',
}
__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_HOMES[name]}'), name)
