# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images, depth and poses of the street world agree with each other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from selfdepth_ros.synthetic import StreetRenderer, street_rig
from selfdepth_ros.synthetic.lidar import StreetLidar
from selfdepth_ros.synthetic.rig import LIDAR_XYZ

SECOND = 10**9
STAMPS = [2 * SECOND + k * 3_000_000 for k in range(6)]


def world_from_camera(frame, rig, i):
    return frame.world_from_body[i] @ np.asarray(rig.cameras[i].body_from_camera.matrix)


def points_of(frame, rig, i):
    """World points (h, w, 3) of camera i's true depth; NaN where there is none."""
    camera = rig.cameras[i].camera
    v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(float)
    rays = np.asarray(camera.rays(np.stack([u, v], -1))[0])
    z = np.where(np.isfinite(frame.z_depths[i]), frame.z_depths[i], np.nan)
    points = rays / rays[..., 2:] * z[..., None]
    pose = world_from_camera(frame, rig, i)
    return points @ pose[:3, :3].T + pose[:3, 3]


def look(points, frame, rig, i):
    """Pixels, z and visibility of world points in camera i."""
    pose = world_from_camera(frame, rig, i)
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    pixels, valid = rig.cameras[i].camera.project(np.nan_to_num(local, nan=-1.0))
    return np.asarray(pixels), local[..., 2], np.asarray(valid) & np.isfinite(local[..., 2])


def depth_at(depth, pixels):
    """Depth between pixels: inverse depth is linear on planes. NaN at silhouettes and the body."""
    maps = np.moveaxis(pixels.astype(np.float32), -1, 0)
    inverse = 1 / depth
    bend = np.abs(cv2.Laplacian(inverse, cv2.CV_32F))
    flat = np.where(bend < 0.02 * inverse, inverse, np.nan).astype(np.float32)
    return 1 / np.maximum(cv2.remap(flat, *maps, cv2.INTER_LINEAR), 1e-6)


def agreement(truth, z):
    """Share of points whose depth is the truth's within 1 %, among those not hidden."""
    unoccluded = np.isfinite(truth) & (z < truth * 1.05) & (z > 1)
    return np.mean(np.abs(truth - z)[unoccluded] < 0.01 * truth[unoccluded]), unoccluded.sum()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(
    renderer, other_renderer, make_renderer
):
    frame = renderer.render(STAMPS)
    again = make_renderer(5, threads=1).render(STAMPS)
    other = other_renderer.render(STAMPS)
    assert frame.images.tobytes() == again.images.tobytes()
    assert frame.z_depths.tobytes() == again.z_depths.tobytes()
    assert np.mean(frame.images == other.images) < 0.3


def test_a_point_has_one_place_in_the_world_whichever_camera_sees_it(renderer):
    rig, frame = renderer.rig, renderer.render(2 * SECOND)
    for i in range(6):
        j = (i + 1) % 6
        pixels, z, seen = look(points_of(frame, rig, i), frame, rig, j)
        truth = depth_at(frame.z_depths[j], pixels)
        share, count = agreement(np.where(seen, truth, np.nan), z)
        assert count > 200
        assert share > 0.97, rig.names[i]


def test_lidar_and_cameras_measure_the_same_surfaces(renderer):
    rig, frame = renderer.rig, renderer.render(2 * SECOND)
    scan = StreetLidar(renderer.caster, rings=32, azimuths=512).scan(2 * SECOND)
    assert len(scan.points) > 5000 and scan.ring.max() < 32
    assert np.linalg.norm(scan.points, axis=-1).max() <= 100
    pose = frame.world_from_body[0]
    points = (scan.points + LIDAR_XYZ) @ pose[:3, :3].T + pose[:3, 3]
    for i in range(6):
        pixels, z, seen = look(points, frame, rig, i)
        truth = depth_at(frame.z_depths[i], pixels[:, None])[:, 0]
        share, count = agreement(np.where(seen, truth, np.nan), z)
        assert count > 100
        assert share > 0.95, rig.names[i]


def test_lidar_has_no_returns_from_the_ego_body(renderer):
    points = StreetLidar(renderer.caster).scan(SECOND).points + np.float32(LIDAR_XYZ)
    inside = (np.abs(points[:, 0]) < 2.3) & (np.abs(points[:, 1]) < 0.9) & (points[:, 2] < 1.5)
    assert not inside[points[:, 2] > 0.3].any()


def test_the_body_is_nan_the_sky_inf_and_the_rest_positive(renderer):
    frame = renderer.render(STAMPS)
    body, sky = np.isnan(frame.z_depths), np.isposinf(frame.z_depths)
    assert np.array_equal(body, renderer.ego_masks)
    for i, name in enumerate(renderer.rig.names):
        if name != 'camera_front':
            assert 0.01 < body[i].mean() < 0.35, name
    assert 0.01 < sky.mean() < 0.4
    assert not sky[:, -10:].any()
    assert (frame.z_depths[~body & ~sky] > 0).all()


def test_the_body_looks_the_same_in_every_frame(renderer):
    a, b = renderer.render(SECOND).images, renderer.render(3 * SECOND).images
    for i, mask in enumerate(renderer.ego_masks):
        inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3))) > 0
        assert np.array_equal(a[i][inner], b[i][inner])


def photometric_error(renderer, sign):
    """Mean grey level difference between t and t + 0.1 s warped by true depth and pose."""
    rig = renderer.rig
    now, later = renderer.render(2 * SECOND), renderer.render(2 * SECOND + SECOND // 10)
    errors = []
    for i in range(6):
        a, b = world_from_camera(now, rig, i), world_from_camera(later, rig, i)
        wrong = a @ np.linalg.inv(b) @ a
        target = b if sign > 0 else wrong
        local = (points_of(now, rig, i) - target[:3, 3]) @ target[:3, :3]
        pixels, valid = rig.cameras[i].camera.project(np.nan_to_num(local, nan=-1.0))
        maps = np.moveaxis(np.asarray(pixels, np.float32), -1, 0)
        warped = cv2.remap(later.images[i], *maps, cv2.INTER_LINEAR).astype(float)
        depth = depth_at(later.z_depths[i], np.asarray(pixels))
        seen = np.asarray(valid) & np.isfinite(depth)
        if sign > 0:
            seen &= np.abs(depth - local[..., 2]) < 0.05 * depth
        errors.append(np.abs(warped - now.images[i]).mean(-1)[seen])
    return float(np.concatenate(errors).mean())


def test_true_depth_and_pose_explain_the_next_image_and_a_reversed_pose_does_not(renderer):
    right, wrong = photometric_error(renderer, 1), photometric_error(renderer, -1)
    assert right < 5
    assert wrong > 4 * right


def test_noise_and_gain_touch_the_images_only(renderer):
    rough = StreetRenderer(renderer.world, renderer.rig, noise=4.0, gain_spread=0.05)
    clean, noisy = renderer.render(STAMPS), rough.render(STAMPS)
    assert np.array_equal(clean.z_depths, noisy.z_depths, equal_nan=True)
    assert 1 < np.abs(clean.images.astype(int) - noisy.images).mean() < 20
    assert noisy.images.tobytes() == rough.render(STAMPS).images.tobytes()


def test_depth_alone_is_the_same_depth(renderer):
    assert renderer.z_depths(STAMPS).tobytes() == renderer.render(STAMPS).z_depths.tobytes()


def test_distorted_lenses_see_the_same_world(renderer):
    rig = street_rig(160, 96, distorted=True)
    frame = StreetRenderer(renderer.world, rig).render(2 * SECOND)
    straight = renderer.render(2 * SECOND)
    pixels, z, seen = look(points_of(frame, rig, 0), straight, renderer.rig, 0)
    truth = depth_at(straight.z_depths[0], pixels)
    assert agreement(np.where(seen, truth, np.nan), z)[0] > 0.97


def row_constants(depths):
    """Per camera and row, the median depth."""
    out = np.full(depths.shape[1:3], 10.0)
    for c, y in np.ndindex(*out.shape):
        d = depths[:, c, y].ravel()
        d = d[(d > 1) & (d < 60)]
        if len(d):
            out[c, y] = np.median(d)
    return out


def test_a_constant_per_row_and_camera_is_no_solution(renderer, other_renderer, make_renderer):
    unseen = [make_renderer(seed) for seed in (11, 12)]
    train, test = (
        np.stack([r.z_depths(t * SECOND) for r in renderers for t in range(8)])
        for renderers in ([renderer, other_renderer], unseen)
    )
    guess = np.broadcast_to(row_constants(train)[None, :, :, None], test.shape)
    counted = (test > 1) & (test < 60)
    assert np.mean(np.abs(guess - test)[counted] / test[counted]) > 0.40


def test_the_drive_is_smooth_and_within_its_speeds(renderer):
    t = np.arange(0, 8, 0.02)
    poses = renderer.world.world_from_body(t)
    speed = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=-1) / 0.02
    assert speed.max() < 9.5
    assert np.abs(np.diff(speed)).max() < 0.1
    assert poses[:, :3, :3] @ poses[:, :3, :3].swapaxes(1, 2) == pytest.approx(
        np.broadcast_to(np.eye(3), (len(t), 3, 3)), abs=1e-12
    )


def test_no_ray_that_meets_traffic_is_left_out(renderer, monkeypatch):
    stamps = [k * SECOND for k in (2, 4, 6)]
    lidar = StreetLidar(renderer.caster, azimuths=256)

    def measured():
        scans = [lidar.scan(stamp).points.tobytes() for stamp in stamps]
        return [renderer.z_depths(stamp).tobytes() for stamp in stamps], scans

    chosen = measured()
    shape = renderer.ego_masks.shape
    for share, same in ((1, True), (0, False)):  # all rays; none, to know that there is traffic
        monkeypatch.setattr(
            StreetRenderer,
            '_may_meet',
            lambda self, traffic, eyes, k=share: (traffic.near, np.full(shape, k > 0)),
        )
        monkeypatch.setattr(
            StreetLidar,
            '_may_meet',
            lambda self, traffic, eye, rays, k=share: np.arange(k * len(rays)),
        )
        for found, before in zip(measured(), chosen, strict=True):
            assert (found == before) == same
