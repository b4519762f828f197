# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which pixels keep their place in the images although the robot moves: auto-masking's rules.

What moves along with the robot, and all of a robot that stands while its odometry drives, looks
alike in an unwarped source. One pixel is little evidence of that: sampling blurs the warped source
and not the other, plain surfaces look alike either way, and the better of two unwarped sources is
compared even where only the other one's warped view is known. With the true depths of streets at
160x96, four vehicles that keep the robot's pace around it, pixel by pixel finds .93 of what can be
told to move along, but .39 of what it drops stands in the world, .16 of all that stands; votes
find .93, with .07 and .02 (test/training/test_automask.py).

Depth was learned worse by votes all the same (docs/decisions.md). They find less of what moves
along once it is taken for farther than it is: .94 with true depths, .84 at five times those, .07
at infinity; pixel by pixel .96, .90, .44. And they leave to the loss more of what is warped
wrongly because its depth is wrong.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

# Side of the box that votes, pixels, and the share of its votes that is needed. Smaller boxes and
# shares drop more of what stands, larger ones less of what moves along (true depths, 160x96,
# recall / precision: 7 and .65 .93/.91, 9 and .6 .96/.90, 9 and .65 .94/.92, 9 and .7 .91/.93).
BOX_PX = 9
ENOUGH = 0.65


class Compared(NamedTuple):
    """Errors of pixels against each of S sources, warped and unwarped."""

    combined: Float[Tensor, 'n h w']
    """What counts of the warped sources' errors."""
    warped: Float[Tensor, 'n s h w']
    valid: Bool[Tensor, 'n s h w']
    """Where the warped source is known."""
    still: Float[Tensor, 'n s h w']
    """Against the source as it is."""


AutoMask = Callable[[Compared], Bool[Tensor, 'n h w']]
"""Which pixels are dropped. Where no source is known it may say anything."""


def by_pixel(errors: Compared) -> Bool[Tensor, 'n h w']:
    """The best unwarped source fits the pixel as well as the warped ones (Godard et al. 2019)."""
    return ~(errors.combined < errors.still.amin(1))


def by_votes(errors: Compared) -> Bool[Tensor, 'n h w']:
    """Most pixels of a box around fit the unwarped source better, for each source that is known.

    A pixel votes on each source by itself, and only where the warped source is known. Noise and
    plain surfaces are of two minds, and stay.
    """
    known = errors.valid.to(errors.still)
    votes = ~(errors.warped < errors.still) * known
    share = _box_mean(votes) / _box_mean(known).clamp(min=1e-6)
    return torch.where(errors.valid, share, 1.0).amin(1) >= ENOUGH


def _box_mean(x: Float[Tensor, 'n s h w']) -> Float[Tensor, 'n s h w']:
    """With zeros around the image; one axis after the other, which takes a quarter of the time."""
    rows = functional.avg_pool2d(x, (BOX_PX, 1), 1, (BOX_PX // 2, 0))
    return functional.avg_pool2d(rows, (1, BOX_PX), 1, (0, BOX_PX // 2))


AUTOMASKS: dict[str, AutoMask] = {'pixel': by_pixel, 'votes': by_votes}
