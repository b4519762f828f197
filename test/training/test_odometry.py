# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Motion from images, against exact tracks and against the street's true odometry."""

from dataclasses import replace

import numpy as np
import pytest

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import load_recipe
from selfdepth_training.odometry import (
    OdometryError,
    Tracks,
    estimate_motion,
    file_name,
    with_visual_odometry,
)

MOTION = np.array([0.5, 0.02, -0.01, 0.002, -0.004, 0.03])


def exact_tracks(rig, metric: float, seed: int = 0) -> list[Tracks]:
    """Points 4 to 30 m away, seen before and after MOTION; a share of them has a depth."""
    rng, found = np.random.default_rng(seed), []
    for index, entry in enumerate(rig.cameras):
        size = entry.camera.width, entry.camera.height
        first = rng.uniform(2, np.subtract(size, 3), (120, 2))
        rays, valid = entry.camera.rays(first)
        depth = rng.uniform(4, 30, len(first))
        points = rays / rays[:, 2:] * depth[:, None]
        body_from_camera = entry.body_from_camera
        after = body_from_camera.inverse() @ SE3.exp(MOTION).inverse() @ body_from_camera
        second, seen = entry.camera.project(after.apply(points))
        good = valid & seen
        depth = np.where(rng.uniform(size=len(first)) < metric, depth, np.nan)
        found.append(Tracks(index, first[good], second[good], depth[good]))
    return found


def test_exact_tracks_give_the_exact_motion(street):
    twist = estimate_motion(exact_tracks(street.rig, 0.3), street.rig, 'z_depth', np.zeros(6))
    np.testing.assert_allclose(twist, MOTION, atol=1e-5)


def test_what_moves_by_itself_is_outvoted(street):
    """A fifth of the corners goes its own way."""
    rng, tracks = np.random.default_rng(1), []
    for track in exact_tracks(street.rig, 0.3):
        own = rng.uniform(size=len(track.first)) < 0.2
        tracks.append(track._replace(second=track.second + own[:, None] * np.array([9.0, 3.0])))
    twist = estimate_motion(tracks, street.rig, 'z_depth', np.zeros(6))
    np.testing.assert_allclose(twist[:3], MOTION[:3], atol=0.01)
    np.testing.assert_allclose(twist[3:], MOTION[3:], atol=1e-3)


def test_metres_come_from_the_corners_with_a_depth(street):
    """Depths that are all a tenth too large make the motion a tenth too large."""
    tracks = [t._replace(depth=1.1 * t.depth) for t in exact_tracks(street.rig, 0.3)]
    twist = estimate_motion(tracks, street.rig, 'z_depth', np.zeros(6))
    assert np.linalg.norm(twist[:3]) == pytest.approx(1.1 * np.linalg.norm(MOTION[:3]), rel=0.03)


def test_too_few_corners_are_one_clear_error(street):
    few = [t._replace(depth=np.full_like(t.depth, np.nan)) for t in exact_tracks(street.rig, 0.3)]
    with pytest.raises(OdometryError, match=r'0 of them with a depth .*Record /odom'):
        estimate_motion(few, street.rig, 'z_depth', np.zeros(6))


def darkened(street, folder, dark: list[int]):
    images = street.cache.images[:7].copy()
    images[dark] = 0
    return replace(
        street.cache, images=images, present=street.cache.present[:7],
        stamps_ns=street.cache.stamps_ns[:7], world_from_body=None, folder=folder,
    )  # fmt: skip


def test_a_dark_frame_moves_on_and_a_dark_recording_is_an_error(street, tmp_path, caplog):
    config = load_recipe('fsm', ['data.width=160', 'data.height=96'])
    cache = darkened(street, tmp_path, [6])
    found = with_visual_odometry(cache, street.rig, config, progress=False).world_from_body
    assert 'move on at the speed before them' in caplog.text
    steps = np.linalg.norm(np.diff(found[:, 0, :3, 3], axis=0), axis=1)
    assert steps[-1] == pytest.approx(steps[-2], rel=0.05)
    (tmp_path / 'dark').mkdir()
    cache = darkened(street, tmp_path / 'dark', list(range(2, 7)))
    with pytest.raises(OdometryError, match=r'of 6 frames of .*Record /odom'):
        with_visual_odometry(cache, street.rig, config, progress=False)
    assert not list((tmp_path / 'dark').iterdir())


def test_a_single_frame_stands(street, tmp_path):
    """As of the leftover of a recording that was split; with overlaps, and of one camera."""
    config = load_recipe('fsm', ['data.width=160', 'data.height=96'])
    for names in (street.rig.names, street.rig.names[:1]):
        cache = replace(
            street.cache, images=street.cache.images[:1, : len(names)], world_from_body=None,
            present=street.cache.present[:1, : len(names)], folder=tmp_path / str(len(names)),
            stamps_ns=street.cache.stamps_ns[:1, : len(names)],
        )  # fmt: skip
        poses = with_visual_odometry(cache, street.rig.subset(names), config, progress=False)
        expected = np.broadcast_to(np.eye(4), (1, len(names), 4, 4))
        np.testing.assert_array_equal(poses.world_from_body, expected)


def test_other_masks_have_poses_of_their_own(street, tmp_path):
    """In one cache, which trainings with and without body_masks may share."""
    cache = replace(
        street.cache, images=street.cache.images[:3], present=street.cache.present[:3],
        stamps_ns=street.cache.stamps_ns[:3], world_from_body=None, folder=tmp_path,
    )  # fmt: skip
    config = load_recipe('fsm', ['data.width=160', 'data.height=96'])
    rigs = street.rig, street.cache.rig
    with_masks, without, again = (
        with_visual_odometry(cache, rig, config, progress=False).world_from_body
        for rig in (*rigs, street.rig)
    )
    assert {path.name for path in tmp_path.iterdir()} == {file_name(rig, config) for rig in rigs}
    assert not np.array_equal(with_masks, without)
    np.testing.assert_array_equal(again, with_masks)


def test_other_settings_of_the_sweep_have_poses_of_their_own(street):
    """Where cameras overlap; a lone camera is not swept."""
    alone = street.rig.subset(street.rig.names[:1])
    settings = (), ('loss.ssim=0.5',), ('network.max_depth_m=60',), ('steps=7', 'loss.spatial=0')
    usual, *swept, other = (load_recipe('fsm', each) for each in settings)
    names = [file_name(street.rig, config) for config in (usual, *swept)]
    assert len(set(names)) == 3
    assert file_name(street.rig, other) == names[0]
    assert len({file_name(alone, config) for config in (usual, *swept)}) == 1


def test_a_damaged_byte_of_kept_poses_is_seen(street, tmp_path, caplog):
    cache = replace(
        street.cache, images=street.cache.images[:3], present=street.cache.present[:3],
        stamps_ns=street.cache.stamps_ns[:3], world_from_body=None, folder=tmp_path,
    )  # fmt: skip
    config = load_recipe('fsm', ['data.width=160', 'data.height=96'])
    path = tmp_path / file_name(street.rig, config)
    found = with_visual_odometry(cache, street.rig, config, progress=False).world_from_body
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    again = with_visual_odometry(cache, street.rig, config, progress=False).world_from_body
    assert 'is damaged' in caplog.text
    np.testing.assert_array_equal(again, found)


@pytest.mark.slow
def test_the_motion_of_the_street_is_found_from_its_images(street, tmp_path):
    """Lengths within a tenth (measured: 7 %; at 320x192 1 %), turns within a tenth of a degree,
    though the images are 160x96."""
    count = 8
    truth = street.cache.world_from_body[:count]
    cache = replace(
        street.cache, images=street.cache.images[:count], present=street.cache.present[:count],
        stamps_ns=street.cache.stamps_ns[:count], world_from_body=None, folder=tmp_path,
    )  # fmt: skip
    config = load_recipe('fsm', ['data.width=160', 'data.height=96'])
    found = with_visual_odometry(cache, street.rig, config, progress=False).world_from_body
    assert found.shape == truth.shape
    for camera in (0, 3):
        true, ours = (
            SE3(poses[:-1, camera]).inverse() @ SE3(poses[1:, camera]) for poses in (truth, found)
        )
        lengths = np.linalg.norm(true.translation, axis=1)
        assert np.linalg.norm(ours.translation, axis=1) == pytest.approx(lengths, rel=0.1)
        turns = np.linalg.norm((true.inverse() @ ours).log()[:, 3:], axis=1)
        assert np.rad2deg(turns.max()) < 0.1
    kept = (tmp_path / file_name(street.rig, config)).stat().st_mtime_ns
    again = with_visual_odometry(cache, street.rig, config, progress=False)
    np.testing.assert_array_equal(again.world_from_body, found)
    assert (tmp_path / file_name(street.rig, config)).stat().st_mtime_ns == kept
