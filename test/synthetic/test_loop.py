# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The loop of the synthetic rig: every image goes out when the robot is where it was taken."""

import numpy as np
import pytest

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.synthetic import street_rig
from selfdepth_ros.synthetic.loop import RenderedLoop, there_and_back

MS = 1_000_000
PERIOD = 100 * MS


@pytest.fixture
def rig() -> Rig:
    """Three cameras."""
    whole = street_rig(64, 48)
    return whole.subset(whole.names[:3])


def drive(times_ns) -> SE3:
    """A robot that drives straight on, 10 m/s."""
    poses = np.tile(np.eye(4), (len(times_ns), 1, 1))
    poses[:, 0, 3] = np.asarray(times_ns) * 1e-8
    return SE3(poses)


def loop_of(rig: Rig, frames: int, spread_ms: int = 15) -> RenderedLoop:
    fires = np.random.default_rng(1).integers(0, spread_ms * MS + 1, (frames, 3))
    fires[0, :2] = 0, spread_ms * MS
    return RenderedLoop(
        rig, [[]] * frames, np.zeros((frames, 3, 1, 1), np.float32), fires, PERIOD, drive
    )


@pytest.mark.parametrize('frames', [2, 5])
def test_the_robot_is_where_each_image_was_taken(rig: Rig, frames: int) -> None:
    loop = loop_of(rig, frames)
    taken = loop.poses_of_images()[..., 0, 3]
    cycle = 2 * (frames - 1)
    for step in range(1, 4 * cycle):
        if step % (cycle // 2) == 0:  # where it turns, the robot cannot be on both ways at once
            continue
        frame = there_and_back(step, frames)
        fired_ns = step * PERIOD + loop.delays_ns(step)
        x_m = drive([loop.time_ns(int(ns)) for ns in fired_ns]).translation[:, 0]
        np.testing.assert_allclose(x_m, taken[frame], atol=1e-9)


@pytest.mark.parametrize('frames', [1, 2, 5])
def test_the_robot_never_leaps_and_no_camera_fires_before_its_step(rig: Rig, frames: int) -> None:
    loop = loop_of(rig, frames)
    times = np.array([loop.time_ns(ns) for ns in range(0, 20 * PERIOD, MS)])
    assert np.abs(np.diff(times)).max() <= MS
    assert times.min() >= 0
    assert times.max() <= (frames - 1) * PERIOD + loop.spread_ns
    for step in range(20):
        delays_ns = loop.delays_ns(step)
        assert delays_ns.min() >= 0
        assert delays_ns.max() <= loop.spread_ns < PERIOD


@pytest.mark.parametrize('count', [1, 2, 5])
def test_a_loop_goes_there_and_back_without_a_leap(count: int) -> None:
    played = [there_and_back(step, count) for step in range(40)]
    assert set(played) == set(range(count))
    assert all(abs(b - a) == (count > 1) for a, b in zip(played, played[1:], strict=False))
