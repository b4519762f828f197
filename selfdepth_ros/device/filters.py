# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which pixels may become points: `core.depth_filters` for all cameras at once, on tensors.

The same float32 operations in the same order, so the same pixels. Nothing here waits for the
device: what ends early there when nothing is left to do goes on here.
"""

from typing import Any

from jaxtyping import Bool, Float32, UInt8


def grow_sky(
    sky: Bool[Any, 'c h w'],
    above: Bool[Any, 'c h w'],
    images: UInt8[Any, 'c h w 3'],
    reach_px: int,
    step: int,
    keep: Bool[Any, 'c h w'],
) -> None:
    """Clear in `keep` what grows from `sky` above the horizon; see `SkyGrowth`."""
    rounds = (reach_px + 1) // 2
    if not rounds:
        return
    above = above[:, ::2, ::2]
    sky = sky[:, ::2, ::2] & above
    colors = images[:, ::2, ::2].short()
    across = (colors[:, :, 1:] - colors[:, :, :-1]).abs().amax(dim=-1) <= step
    down = (colors[:, 1:] - colors[:, :-1]).abs().amax(dim=-1) <= step
    for _ in range(rounds):
        grown = sky.clone()
        grown[:, :, 1:] |= sky[:, :, :-1] & across
        grown[:, :, :-1] |= sky[:, :, 1:] & across
        grown[:, 1:] |= sky[:, :-1] & down
        grown[:, :-1] |= sky[:, 1:] & down
        sky = grown.logical_and_(above)
    _, height, width = keep.shape
    large = sky.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    keep &= ~large[:, :height, :width]


def erode(keep: Bool[Any, 'c h w'], pixels: int) -> None:
    """Clear in `keep` what lies within so many pixels of a cleared one; see `Margin`."""
    for _ in range(pixels):
        rows = keep.clone()
        rows[:, :, 1:] &= keep[:, :, :-1]
        rows[:, :, :-1] &= keep[:, :, 1:]
        keep.copy_(rows)
        keep[:, 1:] &= rows[:, :-1]
        keep[:, :-1] &= rows[:, 1:]


def drop_flying(
    inverse: Float32[Any, 'c h w'], slope: float, bend: float, keep: Bool[Any, 'c h w']
) -> None:
    """Clear in `keep` what floats between two surfaces; see `FlyingPixels`."""
    for dim in (2, 1):
        size = inverse.shape[dim]
        before, here, after = (inverse.narrow(dim, at, size - 2) for at in range(3))
        curved = (before + after).sub_(here).sub_(here).abs_()
        across = (after - before).abs_().sub_(curved)
        bent = inverse.new_zeros(inverse.shape, dtype=bool)
        bent.narrow(dim, 1, size - 2).copy_(curved > here * bend)
        near = bent.clone()
        near.narrow(dim, 1, size - 1).logical_or_(bent.narrow(dim, 0, size - 1))
        near.narrow(dim, 0, size - 1).logical_or_(bent.narrow(dim, 1, size - 1))
        flying = (across > here * (2 * slope)) & near.narrow(dim, 1, size - 2)
        keep.narrow(dim, 1, size - 2).logical_and_(~flying)
