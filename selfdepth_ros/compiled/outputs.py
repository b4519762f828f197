# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`ScanSteps` and `Thinner` by compiled loops, on buffers that stay: nothing is allocated anew."""

import math

import numpy as np
from jaxtyping import Bool, Float32, Int

from selfdepth_ros.compiled import output_kernels as kernels
from selfdepth_ros.core.downsample import EVERY_HEIGHT, DownsampleConfig
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.scan_steps import ANGLE_MIN

_NO_PIXELS = np.zeros(0, np.int32)


class CompiledScanSteps:
    """See the module; the same scan as that of `NumpyScanSteps`, bit for bit."""

    def __init__(self) -> None:
        self._buffers = np.empty((3, 0), np.float32)

    def nearest(
        self,
        points: Float32[np.ndarray, 'n 3'],
        heights_m: tuple[float, float],
        limits_m: tuple[float, float],
        ranges: Float32[np.ndarray, ' beams'],
    ) -> None:
        """See ScanSteps."""
        if self._buffers.shape[1] < len(points):
            self._buffers = np.empty((3, len(points)), np.float32)
        x, y, distance = self._buffers
        count = kernels.in_band(points, *heights_m, x, y)
        x, y, distance = x[:count], y[:count], distance[:count]
        np.hypot(x, y, out=distance)
        beam = np.arctan2(y, x, out=y)
        beam -= ANGLE_MIN
        beam /= 2 * math.pi / len(ranges)
        kernels.lower(np.rint(beam, out=beam), distance, *limits_m, ranges)

    def mark(
        self,
        depth: Float32[np.ndarray, 'h w'],
        least: Float32[np.ndarray, 'h w'],
        beam: Int[np.ndarray, 'h w'],
        blocked: Bool[np.ndarray, ' beams'],
        unknown: Bool[np.ndarray, ' beams'],
    ) -> None:
        """See ScanSteps."""
        kernels.mark(np.ascontiguousarray(depth), least, beam, blocked, unknown)

    def finish(
        self,
        blocked: Bool[np.ndarray, ' beams'],
        known: Bool[np.ndarray, ' beams'],
        slit: int,
        ranges: Float32[np.ndarray, ' beams'],
    ) -> None:
        """See ScanSteps."""
        kernels.finish(blocked, known, slit, ranges)


class CompiledThinner:
    """See `core.downsample.Thinner`; the same points as `thin_numpy`."""

    def __init__(self) -> None:
        self._chosen = np.empty(0, np.int64)
        self._table = np.empty(0, np.int32)

    def __call__(
        self,
        cloud: PointCloud,
        config: DownsampleConfig,
        width: int,
        heights_m: tuple[float, float] = EVERY_HEIGHT,
    ) -> Int[np.ndarray, ' m']:
        """See Thinner."""
        if len(self._chosen) < len(cloud):
            self._chosen = np.empty(len(cloud), np.int64)
        points, stride = cloud.points, config.stride_px
        pixel = cloud.pixels_given() if stride > 1 else _NO_PIXELS
        count = kernels.candidates(points, pixel, stride, width, *heights_m, self._chosen)
        if config.voxel_m > 0:
            edge, chosen = config.voxel_m, self._chosen[:count]
            count = kernels.first_of_each_voxel(points, edge, chosen, self._slots(count))
        return self._chosen[:count]

    def _slots(self, count: int) -> Int[np.ndarray, ' slots']:
        """The hash table for so many points: at least two slots for each."""
        slots = 1 << (2 * count).bit_length()
        if len(self._table) < slots:
            self._table = np.empty(slots, np.int32)
        return self._table[:slots]
