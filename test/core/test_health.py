# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Who is to blame, where pictures lie, which scale depths have: in a drum of noise."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from selfdepth_ros.core.cameras import PinholeCamera, pixel_grid
from selfdepth_ros.core.health import LOOKS, HealthConfig, RigHealth, Seen, culprits
from selfdepth_ros.core.odometry_scale import FACTORS, OdometryScale, factor_of
from selfdepth_ros.core.overlap import Overlap
from selfdepth_ros.core.picture import look_at
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.sampling import bilinear, nearest
from selfdepth_ros.core.se3 import SE3

WIDTH, HEIGHT = 160, 96
OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
RADIUS_M = 8.0
RING = [(0, 1), (1, 2), (2, 3), (0, 3)]


def camera(name: str, yaw_deg: float) -> RigCamera:
    angle = math.radians(yaw_deg)
    turn = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    pose = SE3.from_rotation_translation(turn @ OPTICAL, turn @ np.array([0.3, 0, 0]))
    lens = PinholeCamera(WIDTH, HEIGHT, 55.0, 55.0, WIDTH / 2 - 0.5, HEIGHT / 2 - 0.5)
    return RigCamera(name, lens, pose, name)


@pytest.fixture(scope='module')
def rig() -> Rig:
    """Four cameras, each with 110 degrees, 90 degrees apart."""
    return Rig(tuple(camera(name, 90.0 * i) for i, name in enumerate(('a', 'b', 'c', 'd'))))


def turned(rig: Rig, index: int, degrees: float, axis: int) -> Rig:
    """The rig with one camera turned about an axis of its optical frame."""
    twist = np.zeros(6)
    twist[3 + axis] = math.radians(degrees)
    entry = rig.cameras[index]
    moved = replace(entry, body_from_camera=entry.body_from_camera @ SE3.exp(twist))
    return replace(rig, cameras=(*rig.cameras[:index], moved, *rig.cameras[index + 1 :]))


@pytest.fixture(scope='module')
def wallpaper() -> np.ndarray:
    """Noise of several sizes, by azimuth and height."""
    rng = np.random.default_rng(3)
    picture = np.zeros((512, 2048))
    for size in (4, 8, 32):
        rough = rng.uniform(0, 255, (512 // size, 2048 // size))
        picture += np.kron(rough, np.ones((size, size))) / 3
    return picture


def see(rig: Rig, wallpaper: np.ndarray, forward_m: float = 0.0) -> Seen:
    """What the rig sees inside a drum of noise around a place `forward_m` behind it."""
    images, depths = [], []
    for entry in rig.cameras:
        rays, _ = entry.camera.rays(pixel_grid(WIDTH, HEIGHT))
        origin = entry.body_from_camera.translation + [forward_m, 0, 0]
        rays_body = entry.body_from_camera.rotate(rays)
        a = (rays_body[..., :2] ** 2).sum(-1)
        b = rays_body[..., :2] @ origin[:2]
        far = (-b + np.sqrt(b * b - a * (origin[:2] @ origin[:2] - RADIUS_M**2))) / a
        place = origin + far[..., None] * rays_body
        x = (np.arctan2(place[..., 1], place[..., 0]) / math.tau + 0.5) * 2047
        y = np.clip(256 + place[..., 2] * 40, 0, 511)
        grey = bilinear(wallpaper, np.stack([x, y], axis=-1))
        images.append(np.repeat(grey[..., None], 3, axis=-1).astype(np.uint8))
        depths.append((far * rays[..., 2]).astype(np.float32))
    return Seen(np.array(images), np.array(depths), (True,) * len(rig.cameras))


def watch(rig: Rig, seen: Seen, **more: Any) -> dict[str, str]:
    """Problems by camera after enough looks."""
    health = RigHealth(rig, 'z_depth')
    for second in range(2 * LOOKS):
        found = health.look(seen, float(second), HealthConfig(), **more)
    return {
        name: item.problem for name, item in zip(rig.names, found, strict=True) if item.problem
    }


def test_a_camera_is_to_blame_when_all_its_pairs_are_bad() -> None:
    assert culprits([], RING) == []
    assert culprits([(0, 1), (1, 2)], RING) == [1]
    assert culprits([(0, 1)], RING) == []
    chain = [(0, 1), (1, 2)]
    assert culprits([(0, 1)], chain) == [0]
    assert culprits(chain, chain) == [1]
    assert culprits([(0, 1)], [(0, 1)]) == [0, 1]


def test_a_healthy_rig_is_quiet(rig: Rig, wallpaper: np.ndarray) -> None:
    assert watch(rig, see(rig, wallpaper)) == {}


@pytest.mark.parametrize('axis', [0, 1], ids=['pitch', 'yaw'])
@pytest.mark.parametrize('index', [0, 2])
def test_the_camera_that_was_turned_is_named(
    rig: Rig, wallpaper: np.ndarray, index: int, axis: int
) -> None:
    seen = see(turned(rig, index, 4.0, axis), wallpaper)
    problems = watch(rig, seen)
    assert list(problems) == [rig.names[index]]
    assert 'disagrees with its neighbours' in problems[rig.names[index]]


def test_the_angle_is_told(rig: Rig, wallpaper: np.ndarray) -> None:
    overlap = Overlap(rig, 0, 1, 'z_depth')
    for degrees in (0.0, 3.0, 6.0):
        seen = see(turned(rig, 0, degrees, 1), wallpaper)
        comparison = overlap.compare(seen.images, seen.depths)
        assert overlap.turn_deg(comparison.spectrum) == pytest.approx(degrees, abs=1.0)


def test_pictures_of_different_places_do_not_match(rig: Rig, wallpaper: np.ndarray) -> None:
    overlap, seen = Overlap(rig, 0, 1, 'z_depth'), see(rig, wallpaper)
    other = np.random.default_rng(0).integers(0, 255, seen.images.shape).astype(np.uint8)
    images = np.concatenate([seen.images[:1], other[1:]])
    assert math.isnan(overlap.turn_deg(overlap.compare(images, seen.depths).spectrum))


def test_depths_are_compared_with_the_neighbours(rig: Rig, wallpaper: np.ndarray) -> None:
    overlap, seen = Overlap(rig, 0, 1, 'z_depth'), see(rig, wallpaper)
    assert overlap.compare(seen.images, seen.depths).disagreement < 0.02
    wrong = seen.depths.copy()
    wrong[1] *= 1.5
    found = overlap.compare(seen.images, wrong).disagreement
    assert found == pytest.approx(math.log(1.5), abs=0.02)


@pytest.mark.parametrize('factor', [0.7, 1.0, 1.4])
def test_the_scale_of_depths_is_told_by_motion(
    rig: Rig, wallpaper: np.ndarray, factor: float
) -> None:
    before, later = see(rig, wallpaper), see(rig, wallpaper, 0.7)
    later_from_before = SE3.exp(np.array([-0.7, 0, 0, 0, 0, 0]))
    for index in (1, 3):  # they look to the sides
        scale = OdometryScale(rig.cameras[index], 'z_depth')
        curve = scale.curve(
            before.images[index], before.depths[index] * np.float32(factor), later.images[index],
            later_from_before,
        )  # fmt: skip
        step = FACTORS[1] / FACTORS[0]
        assert abs(math.log(factor_of(curve) / factor)) < math.log(step)
    standing = scale.curve(before.images[3], before.depths[3], before.images[3], SE3.identity())
    assert standing is None


def test_the_camera_with_another_scale_is_named(rig: Rig, wallpaper: np.ndarray) -> None:
    before, later = see(rig, wallpaper), see(rig, wallpaper, 0.7)
    motion = SE3(np.tile(SE3.exp(np.array([-0.7, 0, 0, 0, 0, 0])).matrix, (4, 1, 1)))
    assert watch(rig, later, before=before, now_from_before=motion) == {}
    wrong = before.depths.copy()
    wrong[1] *= 1.4
    problems = watch(rig, later, before=before._replace(depths=wrong), now_from_before=motion)
    assert list(problems) == ['b']
    assert 'times those of the odometry' in problems['b']


def test_dark_and_blurred_cameras_are_named_not_their_neighbours(
    rig: Rig, wallpaper: np.ndarray
) -> None:
    seen = see(rig, wallpaper)
    dark, blurred = seen.images.copy(), seen.images.astype(float)
    dark[2] //= 20
    for _ in range(12):
        blurred[2] = (blurred[2] + np.roll(blurred[2], 1, 0) + np.roll(blurred[2], 1, 1)) / 3
    assert watch(rig, seen._replace(images=dark)) == {'c': 'dark or covered'}
    blurred_bytes = blurred.astype(np.uint8)
    assert watch(rig, seen._replace(images=blurred_bytes)) == {'c': 'blurred or dirty'}


def noise(seen: Seen, sigma: float, where: np.ndarray | None = None) -> Seen:
    """The same moment with grey and the noise of the sensors, in some pixels or in all."""
    rng = np.random.default_rng(5)
    grey = np.clip(rng.normal(90, sigma, seen.images.shape), 0, 255).astype(np.uint8)
    images = grey if where is None else np.where(where[..., None], grey, seen.images)
    return seen._replace(images=images)


def watch_after(rig: Rig, usual: Seen, then: Seen) -> set[tuple[str, str]]:
    """Problems by camera, whatever was told at any look at `then`."""
    health, told = RigHealth(rig, 'z_depth'), set()
    for second in range(24):
        seen = usual if second < 4 else then
        found = health.look(seen, float(second), HealthConfig())
        told |= {(n, c.problem) for n, c in zip(rig.names, found, strict=True) if c.problem}
    return told


@pytest.mark.parametrize('sigma', [0.0, 2.0, 60.0])
def test_where_nothing_is_to_be_seen_nobody_is_to_blame(
    rig: Rig, wallpaper: np.ndarray, sigma: float
) -> None:
    """A tunnel, fog: noise of the sensors, in the end as strong as what was to be seen before."""
    seen = see(rig, wallpaper)
    assert watch_after(rig, seen, noise(seen, sigma)) == set()


@pytest.mark.parametrize('at_once', [True, False])
def test_a_camera_before_a_blank_wall_is_not_dirty(
    rig: Rig, wallpaper: np.ndarray, at_once: bool
) -> None:
    seen, wall = see(rig, wallpaper), []
    for entry in rig.cameras:
        rays, _ = entry.camera.rays(pixel_grid(WIDTH, HEIGHT))
        body = entry.body_from_camera.rotate(rays)
        wall.append(np.abs(np.arctan2(body[..., 1], body[..., 0])) > math.radians(115))
    before_wall = noise(seen, 1.0, np.array(wall))
    assert watch_after(rig, before_wall if at_once else seen, before_wall) == set()
    alone = before_wall.images.copy()
    alone[[0, 1, 3]] = seen.images[[0, 1, 3]]
    dirty = watch_after(rig, seen, before_wall._replace(images=alone))
    assert dirty == {('c', 'blurred or dirty')}


def test_a_camera_whose_picture_no_longer_matches_is_named(
    rig: Rig, wallpaper: np.ndarray
) -> None:
    seen = see(rig, wallpaper)
    other = seen.images.copy()
    other[1] = other[1, ::-1, ::-1]
    told = watch_after(rig, seen, seen._replace(images=other))
    assert {name for name, _ in told} == {'b'}
    assert any('picture not matched' in problem for _, problem in told)


def test_a_problem_is_told_after_some_looks_with_its_age_and_goes(
    rig: Rig, wallpaper: np.ndarray
) -> None:
    health, seen = RigHealth(rig, 'z_depth'), see(rig, wallpaper)
    dark = seen.images.copy()
    dark[2] = 0
    found = [health.look(seen._replace(images=dark), 10.0 + i, HealthConfig()) for i in range(5)]
    assert [bool(item[2].problem) for item in found] == [False, False, True, True, True]
    assert found[-1][2].describe(14.0) == 'dark or covered (since 4 s)'
    for second in range(20):
        last = health.look(seen, 20.0 + second, HealthConfig())
    assert last[2].describe(40.0) == ''


def test_after_a_long_pause_only_what_is_usual_counts(rig: Rig, wallpaper: np.ndarray) -> None:
    health, seen = RigHealth(rig, 'z_depth'), see(rig, wallpaper)
    dark = seen._replace(images=seen.images // np.array([1, 1, 20, 1])[:, None, None, None])
    dark = dark._replace(images=dark.images.astype(np.uint8))
    for second, now in enumerate([seen] * 4 + [dark] * 8):
        found = health.look(now, float(second), HealthConfig())
    assert found[2].problem
    health.forget()
    assert health.look(seen, 3600.0, HealthConfig())[2].problem == ''


def test_a_look_sees_brightness_and_detail() -> None:
    flat = np.full((48, 64, 3), 90, np.uint8)
    stripes = flat.copy()
    stripes[:, ::2] = 110
    assert look_at(flat) == (90.0, 0.0)
    assert look_at(stripes).brightness == pytest.approx(100, abs=1)
    assert look_at(stripes).sharpness == pytest.approx(10)


def test_samples_of_an_image() -> None:
    image = np.arange(12.0).reshape(3, 4)
    pixels = np.array([[1.5, 0.5], [0.0, 2.0], [9.0, 9.0]])
    assert bilinear(image, pixels).tolist() == [3.5, 8.0, 11.0]
    valid = np.array([True, True, False])
    assert nearest(image, np.array([[0.6, 0.4], [3.0, 2.0], [9.0, 9.0]]), valid).tolist() == [
        1,
        11,
        0,
    ]
