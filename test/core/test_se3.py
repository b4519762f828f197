# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms obey the laws of their group, in NumPy and torch, gradients included."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from selfdepth_ros.core.errors import GeometryError
from selfdepth_ros.core.se3 import SE3, interpolate, interpolate_poses


def vectors(size, limit):
    return arrays(np.float64, size, elements=st.floats(-limit, limit))


# Tiny angles (series), ordinary ones, and up to almost half a turn.
ANGLES = st.one_of(st.floats(0, 1e-6), st.floats(0, 3.0), st.floats(3.0, math.pi - 1e-5))


@st.composite
def twists(draw):
    axis = draw(vectors(3, 1.0).filter(lambda v: np.linalg.norm(v) > 0.1))
    rotation = axis / np.linalg.norm(axis) * draw(ANGLES)
    return np.concatenate([draw(vectors(3, 100.0)), rotation])


def close(first: SE3, second: SE3, tolerance: float = 1e-9) -> bool:
    return bool(np.allclose(first.matrix, second.matrix, rtol=0, atol=tolerance))


@given(twists(), twists(), twists())
def test_composition_is_associative(first, second, third):
    a_from_b, b_from_c, c_from_d = map(SE3.exp, (first, second, third))
    assert close((a_from_b @ b_from_c) @ c_from_d, a_from_b @ (b_from_c @ c_from_d))


@given(twists())
def test_identity_and_inverse(twist):
    pose = SE3.exp(twist)
    assert close(pose @ SE3.identity(), pose)
    assert close(pose @ pose.inverse(), SE3.identity())
    assert close(pose.inverse() @ pose, SE3.identity())


@given(twists(), twists(), vectors((5, 3), 50.0))
def test_composition_moves_points_as_the_parts_do(first, second, points):
    a_from_b, b_from_c = SE3.exp(first), SE3.exp(second)
    together = (a_from_b @ b_from_c).apply(points)
    np.testing.assert_allclose(together, a_from_b.apply(b_from_c.apply(points)), atol=1e-9)


@given(twists(), vectors((2, 3), 50.0))
def test_distances_and_handedness_are_kept(twist, points):
    pose = SE3.exp(twist)
    moved = pose.apply(points)
    before, after = np.linalg.norm(points[0] - points[1]), np.linalg.norm(moved[0] - moved[1])
    assert after == pytest.approx(before, abs=1e-9)
    assert np.linalg.det(pose.rotation) == pytest.approx(1)


@given(twists())
def test_log_undoes_exp(twist):
    # Near half a turn the axis is known to sqrt(rounding) only.
    np.testing.assert_allclose(SE3.exp(twist).log(), twist, atol=1e-6)


@given(twists())
def test_exp_undoes_log(twist):
    pose = SE3.exp(twist)
    assert close(SE3.exp(pose.log()), pose, 1e-7)


@given(twists())
def test_quaternion_round_trip(twist):
    pose = SE3.exp(twist)
    xyzw = pose.quaternion()
    assert np.linalg.norm(xyzw) == pytest.approx(1)
    assert xyzw[3] >= 0
    assert close(SE3.from_quaternion(xyzw, pose.translation), pose)
    assert close(SE3.from_quaternion(-3 * xyzw, pose.translation), pose)


@pytest.mark.parametrize(
    ('axis', 'expected'), [(0, [0, -0.5, 2]), (1, [3, 0, 1]), (2, [-1, 2, 0.5])]
)
def test_a_quarter_turn_is_right_handed(axis, expected):
    """Forward, left, up (REP-103): a turn about z carries x to y."""
    twist = np.zeros(6)
    twist[3 + axis] = math.pi / 2
    point = np.array([[0.0, 2.0, 0.5], [-1.0, 0.0, 3.0], [2.0, 1.0, 0.5]][axis])
    np.testing.assert_allclose(SE3.exp(twist).apply(point), expected, atol=1e-12)


@pytest.mark.parametrize('axis', np.eye(3))
def test_half_turns_have_a_log_and_a_quaternion(axis):
    rotation = 2 * np.outer(axis, axis) - np.eye(3)
    pose = SE3.from_rotation_translation(rotation, np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(np.abs(pose.log()[3:]), math.pi * axis, atol=1e-12)
    assert close(SE3.exp(pose.log()), pose)


def test_a_batch_aligns_with_the_leading_dimensions():
    rng = np.random.default_rng(0)
    poses = SE3.exp(rng.normal(size=(4, 6)))
    for shape in [(4, 3), (4, 7, 3), (4, 5, 6, 3), (1, 7, 3), (4, 0, 3)]:
        points = rng.normal(size=shape)
        moved = poses.apply(points)
        for index in range(4):
            alone = poses[index].apply(points[index % shape[0]])
            np.testing.assert_allclose(moved[index], alone, atol=1e-12)
    one = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(poses.apply(one)[2], poses[2].apply(one))
    assert close(SE3.stack([poses[0], poses[1]]), poses[:2])


def test_points_keep_their_dtype():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(6, 3)).astype(np.float32)
    pose = SE3.exp(rng.normal(size=6))
    assert pose.apply(points).dtype == np.float32
    assert pose.inverse().rotate(points).dtype == np.float32
    assert SE3.exp(points.reshape(3, 6)).log().dtype == np.float32
    tensor = torch.as_tensor(points)
    assert pose.like(tensor).apply(tensor).dtype == torch.float32


@given(twists(), twists(), vectors((4, 3), 10.0))
def test_torch_says_what_numpy_says(first, second, points):
    expected = SE3.exp(first) @ SE3.exp(second).inverse()
    tensors = [torch.as_tensor(value) for value in (first, second, points)]
    pose = SE3.exp(tensors[0]) @ SE3.exp(tensors[1]).inverse()
    np.testing.assert_allclose(pose.matrix.numpy(), expected.matrix, atol=1e-9)
    np.testing.assert_allclose(pose.apply(tensors[2]).numpy(), expected.apply(points), atol=1e-9)
    np.testing.assert_allclose(pose.quaternion().numpy(), expected.quaternion(), atol=1e-7)


@pytest.mark.parametrize('angle', [0.0, 1e-9, 1e-3, 0.49, 0.51, 2.0, 3.1])
def test_gradients_are_right_at_every_angle(angle):
    axis = torch.tensor([0.48, 0.6, 0.64], dtype=torch.float64)
    twist = torch.cat([torch.tensor([1.0, -2.0, 0.5]), angle * axis]).requires_grad_()
    point = torch.tensor([[0.3, -1.0, 4.0]], dtype=torch.float64)
    other = SE3.exp(torch.tensor([0.1, 0.2, 0.3, 0.3, 0.1, -0.2], dtype=torch.float64))

    def everything(value):
        pose = SE3.exp(value)
        halfway = interpolate(other, pose, 0.3)
        return pose.inverse().apply(point), SE3.exp(pose.log()).matrix, halfway.matrix

    assert torch.autograd.gradcheck(everything, twist)


@given(twists(), twists(), st.floats(0, 1))
def test_interpolation_meets_both_ends_and_is_symmetric(first, second, fraction):
    start, end = SE3.exp(first), SE3.exp(second)
    assert close(interpolate(start, end, 0.0), start, 1e-7)
    assert close(interpolate(start, end, 1.0), end, 1e-7)
    turn = np.linalg.norm((start.inverse() @ end).log()[3:])
    if turn < 3.0:  # at half a turn both ways round are shortest
        there, back = interpolate(start, end, fraction), interpolate(end, start, 1 - fraction)
        assert close(there, back, 1e-7)
        travelled = np.linalg.norm((start.inverse() @ there).log()[3:])
        assert travelled == pytest.approx(fraction * turn, abs=1e-6)


def trajectory(gap_ns=20_000_000, count=6):
    stamps_ns = 1_700_000_000_000_000_000 + gap_ns * np.arange(count)
    speed = np.array([10.0, 0.0, 0.0, 0.0, 0.0, 0.3])
    return stamps_ns, SE3.exp(np.arange(count)[:, None] * 0.02 * speed)


def test_poses_between_stamps():
    stamps_ns, poses = trajectory()
    found, valid = interpolate_poses(stamps_ns, poses.matrix, stamps_ns)
    assert valid.all()
    assert close(found, poses)
    between, valid = interpolate_poses(stamps_ns, poses.matrix, stamps_ns[1] + 5_000_000)
    assert valid
    assert close(between, interpolate(poses[1], poses[2], 0.25))
    grid, valid = interpolate_poses(stamps_ns, poses.matrix, stamps_ns.reshape(2, 3) + 1)
    assert grid.matrix.shape == (2, 3, 4, 4)
    assert valid.tolist() == [[True, True, True], [True, True, False]]


def test_poses_outside_the_trajectory_or_in_a_gap_are_invalid_and_finite():
    stamps_ns, poses = trajectory(gap_ns=400_000_000)
    at_ns = np.array([stamps_ns[0] - 1, stamps_ns[0], stamps_ns[0] + 1, stamps_ns[-1] + 10**12])
    found, valid = interpolate_poses(stamps_ns, poses.matrix, at_ns, max_gap_ns=300_000_000)
    assert valid.tolist() == [False, True, False, False]
    assert np.isfinite(found.matrix).all()
    assert close(found[3], poses[-1])


def test_a_single_pose_is_valid_at_its_stamp():
    found, valid = interpolate_poses(np.array([5]), np.eye(4)[None], np.array([4, 5, 6]))
    assert valid.tolist() == [False, True, False]
    assert np.isfinite(found.matrix).all()


@pytest.mark.parametrize('stamps', [[], [3, 2], [1, 1]])
def test_a_trajectory_out_of_order_is_refused(stamps):
    poses = np.tile(np.eye(4), (len(stamps), 1, 1))
    with pytest.raises(GeometryError, match='order of time'):
        interpolate_poses(np.array(stamps, dtype=np.int64), poses, 1)


@pytest.mark.parametrize('xyzw', [np.zeros(4), np.full(4, np.nan)])
def test_a_quaternion_without_direction_is_refused(xyzw):
    with pytest.raises(GeometryError, match='quaternion'):
        SE3.from_quaternion(xyzw, np.zeros(3))
