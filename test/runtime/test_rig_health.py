# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The shipped model on an unseen street: a healthy rig is quiet, a turned camera is named."""

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.health import HealthConfig, RigHealth, Seen
from selfdepth_ros.core.rig import Rig, load_rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.inference import load_engine
from selfdepth_ros.pipeline import SurroundDepth
from selfdepth_ros.shipped import DEMO_SEED, shipped
from selfdepth_ros.synthetic import StreetRenderer, StreetWorld, street_rig

MOMENTS_S = np.arange(1.0, 9.0)
LATER_S = 0.1
TURNS_DEG = {'yaw': (0.0, 3.0, 0.0), 'pitch': (3.0, 0.0, 0.0)}
pytestmark = pytest.mark.slow


class Drive(NamedTuple):
    """What was seen at some moments, and where the body was at each image."""

    seen: list[Seen]
    world_from_body: list[SE3]


@pytest.fixture(scope='module')
def rig() -> Rig:
    return load_rig(shipped('rig.yaml'))


@pytest.fixture(scope='module')
def world() -> StreetWorld:
    return StreetWorld(DEMO_SEED, 12.0)


@pytest.fixture(scope='module')
def pipeline(rig) -> SurroundDepth:
    return SurroundDepth(load_engine(shipped('model.onnx')), rig)


def drive(world, pipeline, at_s, turn_deg=(0.0, 0.0, 0.0)) -> Drive:
    """Drive with every camera turned about its own axes, and see with the model."""
    turn = SE3.exp(np.array([0, 0, 0, *np.radians(turn_deg)]))
    real = street_rig()
    moved = [replace(c, body_from_camera=c.body_from_camera @ turn) for c in real.cameras]
    renderer = StreetRenderer(world, replace(real, cameras=tuple(moved)))
    seen, poses = [], []
    for second in at_s:
        frame = renderer.render(int(second * 1e9))
        stamps = tuple(int(stamp) for stamp in frame.stamps_ns)
        result = pipeline(SurroundFrame(stamps[0], tuple(frame.images), stamps))
        seen.append(Seen(np.array(frame.images), result.depths.copy(), (True,) * len(stamps)))
        poses.append(SE3(frame.world_from_body))
    return Drive(seen, poses)


@pytest.fixture(scope='module')
def healthy(world, pipeline) -> Drive:
    return drive(world, pipeline, MOMENTS_S)


@pytest.fixture(scope='module', params=TURNS_DEG)
def turned(request, world, pipeline) -> Drive:
    return drive(world, pipeline, MOMENTS_S, TURNS_DEG[request.param])


def problems(rig: Rig, moments: list[Seen]) -> dict[str, str]:
    """What was said of any camera at any moment."""
    health, told = RigHealth(rig, 'z_depth'), {}
    for second, seen in enumerate(moments):
        found = health.look(seen, float(second), HealthConfig())
        told |= {n: c.problem for n, c in zip(rig.names, found, strict=True) if c.problem}
    return told


def with_camera(seen: Seen, other: Seen, index: int) -> Seen:
    """The same moment with one camera as it is in `other`."""
    images, depths = seen.images.copy(), seen.depths.copy()
    images[index], depths[index] = other.images[index], other.depths[index]
    return seen._replace(images=images, depths=depths)


def test_a_healthy_rig_is_quiet_all_the_way(rig, world, pipeline, healthy):
    later = drive(world, pipeline, MOMENTS_S + LATER_S)
    health = RigHealth(rig, 'z_depth')
    for second in range(len(MOMENTS_S)):
        motion = later.world_from_body[second].inverse() @ healthy.world_from_body[second]
        found = health.look(
            later.seen[second], float(second), HealthConfig(), healthy.seen[second], motion
        )
        assert [item.problem for item in found] == [''] * len(rig)
    assert max(item.turn_deg for item in found) < 1.0
    assert all(0.85 < item.scale < 1.18 for item in found)


@pytest.mark.parametrize('index', range(6))
def test_a_camera_turned_by_three_degrees_is_named_and_no_other(rig, healthy, turned, index):
    pairs = zip(healthy.seen, turned.seen, strict=True)
    told = problems(rig, [with_camera(seen, other, index) for seen, other in pairs])
    assert list(told) == [rig.names[index]]
    assert 'disagrees with its neighbours' in told[rig.names[index]]


def test_a_camera_that_is_bumped_on_the_way_is_named(rig, healthy, turned):
    bumped = [with_camera(s, t, 0) for s, t in zip(healthy.seen, turned.seen, strict=True)]
    assert problems(rig, healthy.seen[:2]) == {}
    assert list(problems(rig, healthy.seen[:2] + bumped[2:])) == [rig.names[0]]


@pytest.mark.parametrize('index', [0, 4])
def test_a_dirty_and_a_covered_camera_are_named_and_no_other(rig, healthy, index):
    dirty, covered = [], []
    for seen in healthy.seen:
        blurred, black = seen.images.copy(), seen.images.copy()
        blurred[index] = cv2.GaussianBlur(blurred[index], (0, 0), 5)
        black[index] //= 20
        dirty.append(seen._replace(images=blurred))
        covered.append(seen._replace(images=black))
    name = rig.names[index]
    assert problems(rig, dirty) == {name: 'blurred or dirty'}
    assert problems(rig, covered) == {name: 'dark or covered'}
