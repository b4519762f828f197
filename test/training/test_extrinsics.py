# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Planted errors of the cameras' poses: from exact sightings, and from the street's images."""

from dataclasses import replace

import numpy as np
import pytest

from selfdepth_ros.cli import calibrate
from selfdepth_ros.cli.main import main
from selfdepth_ros.core import so3
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.rig import load_rig, save_rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import load_recipe
from selfdepth_training.data.cache import with_rig
from selfdepth_training.extrinsics import ExtrinsicsError, Limits, Refined, refine
from selfdepth_training.extrinsics.bundle import (
    FINE,
    WIDE,
    Bundle,
    State,
    adjusted,
    correction,
    covariance,
)
from selfdepth_training.extrinsics.refine import Losses
from selfdepth_training.extrinsics.select import needed, untold
from selfdepth_training.extrinsics.sightings import (
    Points,
    Sightings,
    joined_points,
    joined_sightings,
)

SIGMA = Limits().sigma(6)


def planted(rig, deg, metres, seed=0, only=None):
    """`rig` with each camera turned by `deg` and shifted by `metres`, each way at random."""
    rng, poses = np.random.default_rng(seed), []
    for index, entry in enumerate(rig.cameras):
        turn, shift = rng.normal(size=(2, 3))
        wrong = only is None or index in only
        turn *= wrong * np.radians(deg) / np.linalg.norm(turn)
        shift *= wrong * metres / np.linalg.norm(shift)
        pose = entry.body_from_camera
        matrix = SE3.from_rotation_translation(
            so3.exp(turn) @ pose.rotation, pose.translation + shift
        ).matrix
        poses.append(matrix)
    return rig.with_poses(SE3(np.stack(poses)))


def drive_of(turning, frames=12):
    """Body poses (k, 6, 4, 4): half a metre a frame, and some degrees, to the left, then right.

    On an arc of one radius, cameras farther ahead are as cameras that look aside.
    """
    pose, found = SE3.identity(), []
    for frame in range(frames):
        found.append(pose.matrix)
        turn = np.radians(turning) * (1 if frame < frames // 2 else -1)
        pose = pose @ SE3.exp(np.array([0.5, 0, 0, 0, 0, turn]))
    return np.repeat(np.stack(found)[:, None], 6, 1)


def exact_bundle(rig, poses, away=1.0):
    """Corners 3 to 20 m away, seen without error in every camera that sees them; some moved."""
    rng = np.random.default_rng(1)
    points, sightings, count = [], [], 0
    for frame in range(2, len(poses) - 2):
        for camera, entry in enumerate(rig.cameras):
            pixel = rng.uniform(2, [157, 93], (25, 2))
            distance = rng.uniform(3, 20, (25, 1))
            body = entry.body_from_camera.apply(entry.camera.rays(pixel)[0] * distance)
            world = SE3(poses[frame, camera]).apply(body)
            points.append(Points(np.full(25, camera), np.full(25, frame), pixel))
            for other in range(frame - 2, frame + 3):
                for index, lens in enumerate(rig.cameras):
                    if (other, index) == (frame, camera):
                        continue
                    there = (SE3(poses[other, index]) @ lens.body_from_camera).inverse()
                    seen, valid = lens.camera.project(there.apply(world))
                    which = np.flatnonzero(valid)
                    seen = seen + away * (rng.uniform(size=(25, 1)) < 0.05)
                    every = np.full(len(which), index), np.full(len(which), other)
                    sightings.append(Sightings(which + count, *every, seen[which]))
            count += 25
    cameras = tuple(entry.camera for entry in rig.cameras)
    return Bundle(cameras, poses, joined_points(points), joined_sightings(sightings))


def solved(bundle, start, sigma=SIGMA):
    state = State(start, np.full(len(bundle.points.camera), 0.05))
    return adjusted(bundle, start, state, sigma, WIDE[:1] * 6 + WIDE + FINE)


def test_slopes_are_the_differences(street):
    """The derivatives by turns, shifts and distances, against small steps of each."""
    rig = street.rig
    bundle = exact_bundle(rig, drive_of(2.0, 6))
    state = State(rig.body_from_cameras(), np.full(len(bundle.points.camera), 0.1))
    slopes = bundle.slopes(state)
    rng = np.random.default_rng(0)
    change = 1e-6 * rng.normal(size=36)
    poses, each = state.body_from_camera, change.reshape(6, 6)
    moved = SE3.from_rotation_translation(
        so3.exp(each[:, :3]) @ poses.rotation, poses.translation + each[:, 3:]
    )
    farther = 1e-6 * rng.normal(size=len(state.inverse_m))
    then = bundle.slopes(State(moved, state.inverse_m + farther))
    told = slopes.by_camera @ change + slopes.by_point * farther[bundle.sightings.point][:, None]
    good = slopes.valid & then.valid
    np.testing.assert_allclose((then.residual - slopes.residual)[good], told[good], atol=2e-7)


def test_planted_errors_are_found_from_exact_sightings(street):
    """All six wrong by 2 degrees and 3 cm, a twentieth of the sightings wrong by a pixel: turns to
    .03 degrees, shifts relative to each other to 3 mm."""
    wrong = planted(street.rig, 2.0, 0.03).body_from_cameras()
    bundle = exact_bundle(street.rig, drive_of(3.0))
    found = solved(bundle, wrong)
    left = correction(street.rig.body_from_cameras(), found.body_from_camera)
    assert np.degrees(np.abs(left[:, :3])).max() < 0.03
    apart = left[:, 3:] - left[:, 3:].mean(0)
    assert np.abs(apart).max() < 3e-3


@pytest.mark.parametrize(('turning', 'told'), [(0.0, False), (10.0, True)])
def test_what_a_drive_does_not_tell_is_said(street, turning, told):
    """A straight drive tells no common shift and no common roll; the common height is never told
    on level ground."""
    rig = street.rig
    bundle = exact_bundle(rig, drive_of(turning))
    start = rig.body_from_cameras()
    found = untold(covariance(bundle, solved(bundle, start), SIGMA, 5), SIGMA, rig.names)
    assert 'z of all cameras together' in found
    assert ('x of all cameras together' not in found) == told
    assert ('roll of all cameras together' not in found) == told
    assert not any('yaw' in line or 'pitch' in line for line in found)


def test_the_fewest_corrections_that_explain_are_needed(street):
    """A right rig needs none, a bumped camera needs its own, and six wrong ones need all; where
    half of them are shifted the others are no reference."""
    rig = street.rig
    bundle = exact_bundle(rig, drive_of(1.0))
    for only, expected in (((), 0), ((2,), 2), ((0, 2, 4), 9), (None, 12)):
        wrong = planted(rig, 1.0, 0.03, only=only).body_from_cameras()
        state = solved(bundle, wrong)
        matrix = bundle.normal(bundle.slopes(state), FINE[-1]).matrix
        chosen = needed(matrix, correction(wrong, state.body_from_camera).ravel(), SIGMA)
        assert chosen.sum() == expected
        if only == (2,):
            assert chosen[2].all()


@pytest.fixture(scope='module')
def config():
    return load_recipe('fsm', ['data.width=160', 'data.height=96'])


@pytest.fixture(scope='module')
def short(street):
    """The first frames of the drive: enough, and quick."""
    cache, count = street.cache, 14
    return replace(
        cache, images=cache.images[:count], present=cache.present[:count],
        stamps_ns=cache.stamps_ns[:count], world_from_body=cache.world_from_body[:count],
    )  # fmt: skip


@pytest.mark.slow
def test_a_bumped_camera_is_put_right_and_no_other_is_moved(street, short, config):
    """From images of 160x96: 2 degrees and 3 cm become a tenth and 1.5 cm."""
    wrong = planted(street.rig, 2.0, 0.03, only=(1,))
    found = refine([with_rig(short, wrong)], wrong, config, progress=False)
    assert found.applied.any(1).tolist() == [False, True, False, False, False, False]
    left = correction(street.rig.body_from_cameras(), found.body_from_camera)
    assert np.degrees(np.linalg.norm(left[1, :3])) < 0.1
    assert np.linalg.norm(left[1, 3:]) < 0.015
    assert found.borne_out


@pytest.mark.slow
def test_a_right_rig_is_left_alone(street, short, config):
    found = refine([short], street.rig, config, progress=False)
    assert not found.applied.any()
    np.testing.assert_array_equal(
        found.body_from_camera.matrix, street.rig.body_from_cameras().matrix
    )


@pytest.mark.slow
def test_the_command_writes_the_corrected_rig_which_train_takes(street, record, tmp_path, capsys):
    bag = record(frames=22)
    wrong, right, out = (tmp_path / name for name in ('wrong.yaml', 'right.yaml', 'run'))
    save_rig(planted(street.rig, 2.0, 0.03), wrong)
    assert main(['calibrate', str(bag), '--rig', str(wrong), '--save', str(right)]) == 0
    told = capsys.readouterr().out
    assert 'not told by these recordings: z of all cameras together' in told
    left = correction(street.rig.body_from_cameras(), load_rig(right).body_from_cameras())
    # Ten metres straight on hardly tell the roll that all share, but the rest.
    assert np.degrees(np.linalg.norm(left[:, :3], axis=1)).max() < 1.0
    apart = left - left.mean(0)
    assert np.degrees(np.linalg.norm(apart[:, :3], axis=1)).max() < 0.2
    # Such a drive tells each shift to one or two centimetres an axis: the command says so.
    assert np.sqrt((apart[:, 3:] ** 2).sum(1).mean()) < 0.025
    train = ['train', str(bag), '--out', str(out), '--set', 'data.width=64']
    train += ['--set', 'data.height=64', '--set', 'data.frames=2', '--steps', '1']
    assert main([*train, '--rig', str(right)]) == 0
    np.testing.assert_array_equal(
        load_rig(out / 'rig.yaml').body_from_cameras().matrix,
        load_rig(right).body_from_cameras().matrix,
    )
    assert main([*train, '--resume', '--rig', str(wrong)]) == 2
    assert 'with another rig' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('how', 'message'),
    [({'still': True}, 'a robot that moved 0.0 m'), ({'odometry': False}, 'Record /odom')],
)
def test_a_robot_that_stands_or_has_no_odometry_is_one_clear_error(
    record, tmp_path, capsys, how, message
):
    out = tmp_path / 'rig.yaml'
    assert main(['calibrate', str(record(**how)), '--save', str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_rig_without_a_camera_is_refused(street):
    had, lacks = (', '.join(street.rig.names[:n]) for n in (3, None))
    told = f'Found a rig file of {had}, expected .* recording: {lacks}. .* mapping file'
    with pytest.raises(CalibrationError, match=told):
        with_rig(street.cache, replace(street.rig, cameras=street.rig.cameras[:3]))


def test_a_rig_in_another_frame_than_the_odometry_is_refused(street):
    """Its poses would be taken for those in the frame that moves."""
    with pytest.raises(CalibrationError, match='poses in imu_link, expected base_link'):
        with_rig(street.cache, replace(street.rig, body_frame='imu_link'))


def test_without_corners_nothing_is_told(street, config):
    dark = replace(street.cache, images=np.zeros_like(street.cache.images))
    with pytest.raises(ExtrinsicsError, match='texture and light'):
        refine([dark], street.rig, config, progress=False)


SHIFT = SE3.exp(np.array([0.01, 0, 0, 0, 0, 0]))


def all_shifted(caches, rig, config, limits) -> Refined:
    """What `refine` may give: every camera a centimetre ahead of where `rig` has it."""
    none, losses = np.zeros((len(rig), 3)), Losses(np.ones(len(rig)), np.ones(len(rig)))
    applied = np.zeros((len(rig), 2), bool)
    poses = SHIFT @ rig.body_from_cameras()
    return Refined(poses, none, none, none, none, applied, losses, losses, (), 0, 0)


@pytest.mark.parametrize('cameras', [6, 4], ids=['other order', 'more cameras than the bag'])
def test_a_rig_file_s_cameras_keep_their_own_poses(
    street, record, tmp_path, monkeypatch, capsys, cameras
):
    """In whatever order the file names them; those that no bag has stay as they are, and all of
    them keep their masks."""
    monkeypatch.setattr(calibrate, 'refine', all_shifted)
    file, out, names = tmp_path / 'file.yaml', tmp_path / 'out.yaml', street.rig.names[:cameras]
    save_rig(street.rig.subset(street.rig.names[::-1]), file)
    bag = record(frames=3, cameras=names)
    command = ['calibrate', str(bag), '--rig', str(file), '--width', '64', '--save', str(out)]
    assert main(command) == 0
    found = load_rig(out)
    assert found.names == street.rig.names[::-1]
    for entry in found.cameras:
        before = street.rig[entry.name]
        moved = SHIFT @ before.body_from_camera if entry.name in names else before.body_from_camera
        np.testing.assert_array_equal(entry.body_from_camera.matrix, moved.matrix)
        np.testing.assert_array_equal(entry.self_occlusion, before.self_occlusion)
    told = f'no {", ".join(street.rig.names[:3:-1])}: kept as in {file}'
    assert (told in capsys.readouterr().out) == (cameras == 4)


def test_recordings_of_different_cameras_are_one_clear_error(
    street, record, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(calibrate, 'refine', all_shifted)
    whole, part = record(frames=3), record('fewer', frames=3, cameras=street.rig.names[:4])
    out = tmp_path / 'out.yaml'
    command = ['calibrate', str(whole), str(part), '--width', '64', '--save', str(out)]
    assert main(command) == 2
    assert 'Calibrate recordings of one rig together' in capsys.readouterr().err
    assert not out.exists()
