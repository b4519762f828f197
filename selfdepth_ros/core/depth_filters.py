# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which pixels of a depth map may become points. In place, on buffers that are made once.

A network blurs the edge between a near and a far surface over a few pixels; in space these pixels
are points that float between the two. Along such a ramp the depth changes steeply from pixel to
pixel, in one sense on both sides, while a pixel at a clean edge goes on smoothly on one side, and
one on a thin pole is nearer than both its neighbours. A road seen at a grazing angle is steep as
well, but there *inverse* z-depth is an affine function of the pixel (any plane, any angle), so its
second difference is zero, whereas a ramp bends within a pixel or two.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8


class FlyingPixels:
    """Finds pixels floating between two surfaces, in maps of inverse depth of one size.

    `slope` and `bend` are first and second difference from pixel to pixel, relative to the
    inverse depth; pixels steeper than the one, within a pixel of more than the other, go.
    Cost: 12 passes over the map per direction, all within the processor's cache.
    """

    def __init__(self, height: int, width: int, slope: float, bend: float) -> None:
        self._shape = (height, width)
        self._slope, self._bend = np.float32(2 * slope), np.float32(bend)
        self._steep_limit, self._bend_limit, self._across, self._curved = np.empty(
            (4, height * width), np.float32
        )
        self._steep, self._bent, self._near_bend = np.empty((3, height * width), bool)

    def remove(
        self, keep: Bool[np.ndarray, 'h w'], inverse_depth: Float32[np.ndarray, 'h w']
    ) -> None:
        """Clear the flying pixels in `keep`. Both arrays are C-contiguous."""
        width = self._shape[1]
        flat_keep, flat_depth = keep.reshape(-1), inverse_depth.reshape(-1)
        np.multiply(flat_depth, self._slope, out=self._steep_limit)
        np.multiply(flat_depth, self._bend, out=self._bend_limit)
        self._remove_along(flat_keep, flat_depth, step=1)
        self._remove_along(flat_keep, flat_depth, step=width)

    def _remove_along(self, keep: Any, inverse_depth: Any, step: int) -> None:
        """One direction: neighbours are `step` apart in memory; the image's border is kept."""
        size = len(inverse_depth)
        inner = slice(step, size - step)
        before, after = inverse_depth[: size - 2 * step], inverse_depth[2 * step :]
        across, curved = self._across[inner], self._curved[inner]
        np.add(before, after, out=curved)
        curved -= inverse_depth[inner]
        curved -= inverse_depth[inner]
        np.abs(curved, out=curved)
        np.subtract(after, before, out=across)
        np.abs(across, out=across)
        across -= curved  # twice the lesser slope where both have one sense, else not positive
        self._steep[:step] = self._steep[size - step :] = False
        self._bent[:step] = self._bent[size - step :] = False
        np.greater(across, self._steep_limit[inner], out=self._steep[inner])
        np.greater(curved, self._bend_limit[inner], out=self._bent[inner])
        if step == 1:  # rows follow each other in memory: no slope across their ends
            self._clear_ends(self._steep)
            self._clear_ends(self._bent)
        near = self._near_bend
        np.copyto(near, self._bent)
        near[step:] |= self._bent[:-step]
        near[:-step] |= self._bent[step:]
        near &= self._steep
        np.greater(keep, near, out=keep)  # keep and not flying

    def _clear_ends(self, flags: Any) -> None:
        rows = flags.reshape(self._shape)
        rows[:, 0] = rows[:, -1] = False


class Margin:
    """Takes out the pixels next to rejected ones as well, `pixels` far in eight directions."""

    def __init__(self, height: int, width: int, pixels: int) -> None:
        self._pixels = pixels
        self._rows = np.empty((height, width), bool)

    def erode(self, keep: Bool[np.ndarray, 'h w']) -> None:
        """Clear in `keep` what lies within the margin of a cleared pixel; the border is none."""
        rows = self._rows
        for _ in range(self._pixels):
            np.copyto(rows, keep)
            rows[:, 1:] &= keep[:, :-1]
            rows[:, :-1] &= keep[:, 1:]
            np.copyto(keep, rows)
            keep[1:] &= rows[:-1]
            keep[:-1] &= rows[1:]


class SkyGrowth:
    """Takes out what the picture says is sky, though the network put it nearer.

    Beside a roof a network lets the roof's depth run out into the plain sky, where no parallax
    could correct it. From pixels above the horizon that are as far as it can say, the sky grows
    over neighbours of nearly the same colour, `reach_px` far; an outline stops it. Everything
    below the horizon stays. Worked on every second pixel: a quarter of the cost.
    """

    def __init__(self, above_horizon: Bool[np.ndarray, 'h w'], reach_px: int, step: int) -> None:
        self._above = above_horizon[::2, ::2]
        self._rounds = (reach_px + 1) // 2
        self._step = step

    def remove(
        self,
        keep: Bool[np.ndarray, 'h w'],
        sky: Bool[np.ndarray, 'h w'],
        image: UInt8[np.ndarray, 'h w 3'],
    ) -> None:
        """Clear in `keep` what grows from `sky` in the RGB `image`."""
        sky = sky[::2, ::2] & self._above
        if not self._rounds or not sky.any():
            return
        # Nothing grows below the horizon: rows without sky above them need no look.
        rows = int(np.flatnonzero(self._above.any(axis=1))[-1]) + 1
        sky, above = sky[:rows], self._above[:rows]
        colors = image[::2, ::2][:rows].astype(np.int16)
        across = np.abs(colors[:, 1:] - colors[:, :-1]).max(axis=2) <= self._step
        down = np.abs(colors[1:] - colors[:-1]).max(axis=2) <= self._step
        for _ in range(self._rounds):
            grown = sky.copy()
            grown[:, 1:] |= sky[:, :-1] & across
            grown[:, :-1] |= sky[:, 1:] & across
            grown[1:] |= sky[:-1] & down
            grown[:-1] |= sky[1:] & down
            grown &= above
            if np.array_equal(grown, sky):
                break
            sky = grown
        large = sky.repeat(2, axis=0).repeat(2, axis=1)
        part = keep[: large.shape[0], : large.shape[1]]
        part &= ~large[: part.shape[0], : part.shape[1]]
