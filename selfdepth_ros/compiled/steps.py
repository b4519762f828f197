# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`FusionSteps` by compiled loops, two cameras at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numba
import numpy as np
from jaxtyping import Bool, Float32, Int32, Shaped, UInt8

from selfdepth_ros.compiled import kernels
from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.fusion_steps import CameraTables, ItemT, ResultT

DESCRIPTION = f'compiled (numba {numba.__version__})'
_THREADS = ThreadPoolExecutor(2, 'fusion')
"""Two already take all that the memory gives; they are started by the first cloud."""


class _Scratch(NamedTuple):
    """Buffers of one camera; the masks are bytes."""

    keep: UInt8[np.ndarray, 'h w']
    inverse: Float32[np.ndarray, 'h w']
    first: UInt8[np.ndarray, 'h w']
    second: UInt8[np.ndarray, 'h w']
    sky: UInt8[np.ndarray, 'half_h half_w']
    queue: Int32[np.ndarray, ' half_h*half_w']


class CompiledSteps:
    """See the module; the same points as `NumpySteps`, bit for bit."""

    def __init__(self, tables: Sequence[CameraTables], config: FusionConfig) -> None:
        self._tables, self._config = tables, config
        self._scratch = [_scratch(*own.far.shape) for own in tables]

    def each(self, work: Callable[[ItemT], ResultT], items: Sequence[ItemT]) -> list[ResultT]:
        """See FusionSteps: by two threads."""
        return list(_THREADS.map(work, items))

    def keep(
        self, index: int, depth: Float32[np.ndarray, 'h w'], image: UInt8[np.ndarray, 'h w 3']
    ) -> Bool[np.ndarray, 'h w']:
        """See FusionSteps."""
        tables, config = self._tables[index], self._config
        keep, inverse, first, second, sky, queue = self._scratch[index]
        kernels.in_range(np.ascontiguousarray(depth), tables.far, tables.near, inverse, keep)
        kernels.grow_sky(
            inverse,
            tables.sky,
            tables.above_horizon,
            np.ascontiguousarray(image),
            (config.sky_reach_px + 1) // 2,
            config.sky_step,
            sky,
            queue,
            keep,
        )
        kernels.erode(config.margin_px, first, keep)
        if config.flying_slope > 0:
            limits = np.float32(2 * config.flying_slope), np.float32(config.flying_bend)
            kernels.drop_flying(inverse, *limits, first, second, keep)
        return keep.view(bool)

    def place(
        self,
        rays: Float32[np.ndarray, '3 pixels'],
        origin: Float32[np.ndarray, '3'],
        depth: Float32[np.ndarray, 'h w'],
        image: UInt8[np.ndarray, 'h w 3'],
        mask: Bool[np.ndarray, 'h w'],
        records: Shaped[np.ndarray, ' n'],
        pixel: Int32[np.ndarray, ' n'],
    ) -> None:
        """See FusionSteps."""
        kernels.place(
            rays,
            origin,
            np.ravel(depth),
            np.ravel(image),
            mask.view(np.uint8).reshape(-1),
            records.view(np.float32),
            records.view(np.uint32),
            pixel,
        )


def _scratch(height: int, width: int) -> _Scratch:
    size, half = (height, width), ((height + 1) // 2, (width + 1) // 2)
    return _Scratch(
        keep=np.empty(size, np.uint8),
        inverse=np.empty(size, np.float32),
        first=np.empty(size, np.uint8),
        second=np.empty(size, np.uint8),
        sky=np.empty(half, np.uint8),
        queue=np.empty(half[0] * half[1], np.int32),
    )
