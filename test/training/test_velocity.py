# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What odometry's distances make of a learned motion: metres, and nothing else."""

import numpy as np
import pytest
import torch

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.losses.motion import distances, velocity_error


@pytest.fixture
def driven(street) -> torch.Tensor:
    """Body poses of three frames of the street, at every camera's stamp."""
    return torch.from_numpy(street.cache.world_from_body[[8, 10, 12]])


def test_distances_are_those_of_the_drive(driven, street):
    moved = np.diff(street.cache.world_from_body[[8, 10, 12], :, :3, 3].mean(1), axis=0)
    assert np.allclose(distances(driven), np.linalg.norm(moved, axis=-1), atol=1e-9)
    assert velocity_error(driven, driven) < 1e-9


@pytest.mark.parametrize('start', [0.2, 5.0])
def test_it_alone_fixes_the_scale_within_2_percent(driven, start):
    """The motion as a network would say it, right but for its length."""
    log_factor = torch.tensor(np.log(start), requires_grad=True)
    optimizer = torch.optim.Adam([log_factor], 0.03)
    for _ in range(300):
        scaled = driven.clone()
        scaled[..., :3, 3] = driven[..., :3, 3] * log_factor.exp()
        loss = velocity_error(scaled, driven)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert log_factor.exp().item() == pytest.approx(1, abs=0.02)


def test_it_says_nothing_of_the_direction(driven):
    turn = SE3.exp(torch.tensor([3.0, -2, 1, 0.3, -0.8, 1.1], dtype=torch.float64))
    elsewhere = turn.matrix @ driven
    assert velocity_error(elsewhere, driven) < 1e-9


def test_a_motion_of_nothing_has_a_gradient_that_is_a_number(driven):
    still = driven[:1].expand(3, -1, -1, -1).clone().requires_grad_()
    velocity_error(still, driven).backward()
    assert still.grad.isfinite().all()
