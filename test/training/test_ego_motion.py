# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One motion for the rig: twists carried by the extrinsics, averaged with any weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.synthetic import street_rig
from selfdepth_training.config import OptimizerConfig, load_recipe
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.losses.surround import AFTER, NOW
from selfdepth_training.networks.ego_motion import OUTPUT_SCALE, EgoMotionNetwork, carried

SMALL = (
    'network.encoder=[8, 8, 16, 16, 16]', 'network.decoder=[8, 8, 8, 8]', 'data.width=160',
    'data.height=96', 'precision=32-true',
)  # fmt: skip
twists = st.lists(st.floats(-0.9, 0.9), min_size=6, max_size=6)


def extrinsics() -> SE3:
    """Body from each of six cameras, float64."""
    return SE3(torch.from_numpy(street_rig(64, 64).body_from_cameras().matrix))


@given(twists)
@settings(max_examples=50, deadline=None)
def test_carried_is_the_adjoint(values):
    """exp(Ad_X xi) = X exp(xi) X^-1, exactly: camera motion seen from the body."""
    xi = torch.tensor(values, dtype=torch.float64).expand(1, 6, 6)
    body_from_camera = extrinsics()
    there = SE3.exp(carried(xi, body_from_camera)).matrix[0]
    expected = body_from_camera @ SE3.exp(xi[0]) @ body_from_camera.inverse()
    assert torch.allclose(there, expected.matrix, atol=1e-9)


def test_carried_to_first_order():
    xi = torch.full((1, 6, 6), 1e-5, dtype=torch.float64)
    body_from_camera = extrinsics()
    conjugated = body_from_camera @ SE3.exp(xi[0]) @ body_from_camera.inverse()
    assert torch.allclose(
        torch.eye(4).double() + hat(carried(xi, body_from_camera)[0]), conjugated.matrix, atol=1e-8
    )


def hat(twist: torch.Tensor) -> torch.Tensor:
    """The 4x4 matrices of twists (n, 6)."""
    out = torch.zeros(len(twist), 4, 4, dtype=twist.dtype)
    x, y, z = twist[:, 3:].T
    out[:, 0, 1], out[:, 0, 2], out[:, 1, 2] = -z, y, -x
    out[:, 1, 0], out[:, 2, 0], out[:, 2, 1] = z, -y, x
    out[:, :3, 3] = twist[:, :3]
    return out


def test_carried_is_linear_and_undone_by_the_inverse():
    rng = np.random.default_rng(0)
    a, b = (torch.from_numpy(rng.normal(size=(2, 6, 6))) for _ in range(2))
    rig = extrinsics()
    assert torch.allclose(carried(a + 2 * b, rig), carried(a, rig) + 2 * carried(b, rig))
    assert torch.allclose(carried(carried(a, rig), rig.inverse()), a)


class _Answers(nn.Module):
    """A head that says what it is told, whatever it is shown."""

    def __init__(self, answers: torch.Tensor) -> None:
        super().__init__()
        self.answers = answers

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.answers.flatten(0, 1)[..., None, None].expand(-1, -1, *features.shape[2:])


def pair_of_frames() -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.rand(2, 2, 6, 3, 64, 64, generator=torch.manual_seed(1))
    return images[0], images[1]


@pytest.mark.parametrize('seed', range(5))
def test_a_motion_that_all_cameras_agree_on_is_returned_whatever_the_weights(seed):
    rng = np.random.default_rng(seed)
    body_twist = torch.from_numpy(rng.normal(size=(2, 1, 6)) * 0.3).expand(2, 6, 6)
    rig = extrinsics()
    camera_twist = carried(body_twist, rig.inverse()) / torch.tensor(OUTPUT_SCALE)
    weights = torch.from_numpy(rng.normal(size=(2, 6, 2)) * 5)
    network = EgoMotionNetwork(width=8).eval()
    network.head = _Answers(torch.cat([camera_twist, weights], -1).float())
    with torch.no_grad():
        found = network(*pair_of_frames(), rig)
    assert torch.allclose(found, body_twist[:, 0].float(), atol=1e-5)


@pytest.mark.parametrize('wrong', range(6))
def test_a_camera_that_disagrees_counts_for_its_weight_and_the_others_recover_its_motion(wrong):
    """Five cameras say the body's motion, one says another.

    At equal weights a sixth of its error is left, with less trust in it less; the common motion,
    carried back to the camera, is its own.
    """
    rig = extrinsics()
    truth = torch.tensor([0.8, 0.03, -0.01, 0.002, -0.004, 0.05], dtype=torch.float64)
    camera_truth = carried(truth.expand(1, 6, 6), rig.inverse())
    error = torch.tensor([0.1, -0.2, 0.15, 0.02, 0.03, -0.01], dtype=torch.float64)
    off = torch.zeros(1, 6, 6, dtype=torch.float64)
    off[0, wrong] = error
    in_body = carried(off, rig)[0, wrong]
    network = EgoMotionNetwork(width=8).eval()
    for trust, share in ((0.0, 1 / 6), (-3.0, 1 / (1 + 5 * np.exp(3.0))), (-30.0, 0.0)):
        weights = torch.zeros(1, 6, 2, dtype=torch.float64)
        weights[0, wrong] = trust
        network.head = _Answers(
            torch.cat([(camera_truth + off) / torch.tensor(OUTPUT_SCALE), weights], -1).float()
        )
        with torch.no_grad():
            found = network(*(frame[:1] for frame in pair_of_frames()), rig).double()
        assert torch.allclose(found[0], truth + share * in_body, atol=1e-6)
    recovered = carried(found[:, None].expand(1, 6, 6), rig.inverse())[0, wrong]
    assert torch.allclose(recovered, camera_truth[0, wrong], atol=1e-5)


def test_a_camera_that_is_absent_has_no_say():
    """Whatever its weight; where none is present, all have."""
    rig, answers = extrinsics(), torch.zeros(2, 6, 8)
    answers[:, 2, :6], answers[:, 2, 6:] = 1.0, 5.0
    network = EgoMotionNetwork(width=8).eval()
    network.head = _Answers(answers)
    present = torch.ones(2, 6, dtype=torch.bool)
    present[0, 2] = False
    frames = pair_of_frames()
    with torch.no_grad():
        every = network(*frames, rig)
        found = network(*frames, rig, present)
        none = network(*frames, rig, torch.zeros_like(present))
    assert not found[0].any() and every[0].abs().max() > 0.05
    assert torch.equal(found[1], every[1]) and torch.equal(none, every)


def test_the_learned_motion_does_not_depend_on_an_image_that_is_missing(street):
    """Of the middle frame, which is in both pairs, or of the last one."""
    config = load_recipe('fsm', ['data.with_odometry=learned', *SMALL])
    learner = SurroundLearner(config, [street.rig], learn_motion=True).eval()
    whole = SampleSource([street.cache], config.data).draw(0, 0)

    def motion(frame: int, grey: int) -> torch.Tensor:
        images, present = whole.images.clone(), whole.present.clone()
        images[frame, 3], present[frame, 3] = grey, False
        with torch.no_grad():
            said = learner._motion(replace(whole, images=images, present=present))
        assert said.learned
        return said.world_from_body.matrix

    for frame in (NOW, AFTER):
        assert torch.equal(motion(frame, 0), motion(frame, 200))


def test_a_fresh_network_says_hardly_moved():
    torch.manual_seed(0)
    network = EgoMotionNetwork(width=8).eval()
    with torch.no_grad():
        found = network(*pair_of_frames(), extrinsics())
    assert found.shape == (2, 6)
    assert found.abs().max() < 0.05


def test_the_first_steps_of_the_optimizer_are_those_of_a_drive():
    """Told to go and to turn as far as it can, a fresh network says some centimetres and less than
    two degrees after ten steps of AdamW: robots turn by that from frame to frame."""
    torch.manual_seed(0)
    network = EgoMotionNetwork(width=16)
    frames, rig = pair_of_frames(), extrinsics()
    optimizer = torch.optim.AdamW(network.parameters(), OptimizerConfig().learning_rate)
    for _ in range(10):
        optimizer.zero_grad()
        found = network(*frames, rig)
        (found[:, 2] + found[:, 5]).sum().backward()
        optimizer.step()
    with torch.no_grad():
        moved, turned = network(*frames, rig)[:, [2, 5]].abs().mean(0)
    assert 0.02 < moved < 0.5
    assert 0.1 < torch.rad2deg(turned) < 2
