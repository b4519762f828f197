# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What odometry says of a learned motion: how far it went."""

import torch
from jaxtyping import Float
from torch import Tensor


def velocity_error(
    learned: Float[Tensor, 't c 4 4'], measured: Float[Tensor, 't c 4 4'], sign: float = 1.0
) -> Tensor:
    """Mean difference of the distances moved from frame to frame, metres.

    `sign` is -1 for a learned motion that is known to go the wrong way: then it is as far off as
    both distances together, and shrinks until it turns.

    Poses are world_from_body at each camera's stamp. Guizilini et al., "3D packing for
    self-supervised monocular depth estimation", 2020, eq. 7: it needs no direction, so a wheel's
    speed would do.
    """
    return (sign * distances(learned) - distances(measured)).abs().mean()


def distances(world_from_body: Float[Tensor, 't c 4 4']) -> Float[Tensor, ' s']:
    """Metres between the frames, each taken at its cameras' mean position."""
    steps = torch.diff(world_from_body[:, :, :3, 3].mean(1), dim=0)
    # A norm has no gradient at zero.
    return (steps.square().sum(-1) + 1e-12).sqrt()
