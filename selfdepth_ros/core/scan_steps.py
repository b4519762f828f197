# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The work per point, pixel and beam of a scan.

`ScanSteps` is done here with NumPy, the reference; `selfdepth_ros.compiled` does it without
allocating, where its compiler is installed.
"""

import math
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int

ANGLE_MIN = -math.pi
"""Direction of the first beam: straight back."""


@runtime_checkable
class ScanSteps(Protocol):
    """Steps of a scan; beams go once around the body, from ANGLE_MIN to the left."""

    def nearest(
        self,
        points: Float32[np.ndarray, 'n 3'],
        heights_m: tuple[float, float],
        limits_m: tuple[float, float],
        ranges: Float32[np.ndarray, ' beams'],
    ) -> None:
        """Lower `ranges` to the nearest point of each beam, -inf if that is nearer than the limit.

        Only points with z within `heights_m` count, and those no further than the second limit.
        """
        ...

    def mark(
        self,
        depth: Float32[np.ndarray, 'h w'],
        least: Float32[np.ndarray, 'h w'],
        beam: Int[np.ndarray, 'h w'],
        blocked: Bool[np.ndarray, ' beams'],
        unknown: Bool[np.ndarray, ' beams'],
    ) -> None:
        """Set `blocked` for the beams of pixels whose depth is between 0 and `least`.

        And `unknown` where it is NaN, 0 or less. Where `least` is NaN a pixel does not matter.
        """
        ...

    def finish(
        self,
        blocked: Bool[np.ndarray, ' beams'],
        known: Bool[np.ndarray, ' beams'],
        slit: int,
        ranges: Float32[np.ndarray, ' beams'],
    ) -> None:
        """Make blocked beams -inf, whatever is behind, and unknown ones of the free (+inf) NaN.

        Then give free beams between two obstacles the range of the nearer, if they are at most
        `slit`: no pixel may have looked through them. Outlines lose some, and beams may be finer.
        """
        ...


def narrow_gaps(
    marked: Bool[np.ndarray, ' beams'], slit: int
) -> Iterator[Int[np.ndarray, ' gap']]:
    """Give the beams of each opening between two marked ones that is at most `slit` beams wide."""
    found = np.flatnonzero(marked)
    gaps = np.diff(found, append=found[:1] + len(marked)) - 1
    for index in np.flatnonzero((gaps > 0) & (gaps <= slit)):
        yield (found[index] + 1 + np.arange(gaps[index])) % len(marked)


class NumpyScanSteps:
    """The reference."""

    def nearest(
        self,
        points: Float32[np.ndarray, 'n 3'],
        heights_m: tuple[float, float],
        limits_m: tuple[float, float],
        ranges: Float32[np.ndarray, ' beams'],
    ) -> None:
        """See ScanSteps."""
        low, high = heights_m
        band = points[(points[:, 2] >= low) & (points[:, 2] <= high), :2]
        distance = np.hypot(band[:, 0], band[:, 1])
        near = distance <= limits_m[1]
        azimuth = np.arctan2(band[near, 1], band[near, 0])
        beam = np.rint((azimuth - ANGLE_MIN) / (2 * math.pi / len(ranges))).astype(np.intp)
        np.minimum.at(ranges, beam % len(ranges), distance[near])
        ranges[ranges < limits_m[0]] = -np.inf

    def mark(
        self,
        depth: Float32[np.ndarray, 'h w'],
        least: Float32[np.ndarray, 'h w'],
        beam: Int[np.ndarray, 'h w'],
        blocked: Bool[np.ndarray, ' beams'],
        unknown: Bool[np.ndarray, ' beams'],
    ) -> None:
        """See ScanSteps."""
        with np.errstate(invalid='ignore'):
            told = depth > 0
            near = told & (depth < least)
        blocked[beam[near]] = True
        unknown[beam[~told & ~np.isnan(least)]] = True

    def finish(
        self,
        blocked: Bool[np.ndarray, ' beams'],
        known: Bool[np.ndarray, ' beams'],
        slit: int,
        ranges: Float32[np.ndarray, ' beams'],
    ) -> None:
        """See ScanSteps."""
        ranges[blocked] = -np.inf
        ranges[np.isposinf(ranges) & ~known] = np.nan
        for beams in narrow_gaps(ranges < np.inf, slit):  # -inf too, NaN not
            ends = ranges[[beams[0] - 1, (beams[-1] + 1) % len(ranges)]]
            ranges[beams[np.isposinf(ranges[beams])]] = ends.min()
