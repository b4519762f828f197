# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Protocols: what they count, what they say of themselves, and what averaging over a flip is."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.main import main
from selfdepth_ros.cli.rig_file import rig_told, with_rig_file
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.rig import save_rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.inference.engine import DepthPrediction
from selfdepth_training.evaluate import BAND_EDGES_M, evaluate
from selfdepth_training.metrics import DepthMetrics
from selfdepth_training.predict import flip_averaged, surround_predictor
from selfdepth_training.protocols import PROTOCOLS, EvaluationConfig, protocol
from selfdepth_training.truth import frame_truths


@pytest.fixture(scope='module')
def reader(street):
    return BagReader(street.bag)


def wall(images: np.ndarray, focal: np.ndarray) -> DepthPrediction:
    """A wall 10 m away, as z-depth."""
    return DepthPrediction(np.full(images.shape[:3], 10, np.float32))


@pytest.mark.parametrize(
    ('name', 'version', 'least_m', 'most_m', 'crop', 'moved'),
    [
        ('street', 2, 1.0, 60.0, 'none', True),
        ('ddad', 1, 0.0, 200.0, 'none', True),
        ('nuscenes', 2, 0.1, 80.0, 'none', True),
        ('kitti-eigen', 2, 1e-3, 80.0, 'garg', False),
    ],
)
def test_the_figures_of_each_protocol(name, version, least_m, most_m, crop, moved):
    found = protocol(name)
    assert (found.config.min_depth_m, found.config.max_depth_m) == (least_m, most_m)
    assert found.config.crop == crop
    assert not found.config.flip
    assert found.config.ego_motion == moved
    assert str(found) == f'{name}/{version}'
    assert not found.changed
    assert set(PROTOCOLS) == {'street', 'ddad', 'nuscenes', 'kitti-eigen'}


def test_a_protocol_of_defaults_is_the_street():
    assert protocol('street').config == EvaluationConfig()


def test_changes_are_told():
    changed = protocol('ddad', max_depth_m=80.0, flip=True, every=5)
    assert (
        str(changed)
        == 'ddad/1, changed: max_depth_m 80.0 instead of 200.0, flip True instead of False'
    )
    told = json.loads(json.dumps(changed.to_dict()))
    assert told['name'] == 'ddad'
    assert told['version'] == 1
    assert told['settings']['max_depth_m'] == 80
    assert told['changed']['flip'] == {'protocol': False, 'used': True}
    assert '0 to 80 m' in changed.describe()
    assert 'flip-averaged' in changed.describe()


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match="Found protocol 'dad', expected one of street, ddad"):
        protocol('dad')
    with pytest.raises(ConfigError, match='expected min_depth_m < max_depth_m'):
        protocol('street', min_depth_m=70.0)


def test_garg_s_crop_of_a_kitti_image():
    """375 rows and 1242 columns: 153 to 370, and 44 to 1196."""
    config = EvaluationConfig(crop='garg')
    v, u = (axis.ravel() for axis in np.indices((375, 1242)))
    kept = config.counts(u, v, 1242, 375).reshape(375, 1242)
    rows, columns = np.flatnonzero(kept.any(1)), np.flatnonzero(kept.any(0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (153, 370, 44, 1196)
    assert kept[153:371, 44:1197].all()
    assert EvaluationConfig().counts(u, v, 1242, 375).all()


def test_a_crop_is_applied_to_the_truth(reader):
    rig, config = reader.rig(), EvaluationConfig(crop='garg', every=40)
    for truth in next(iter(frame_truths(reader, rig, config))).cameras:
        assert (truth.v.min(), truth.v.max()) == (39, 94)
        assert (truth.u.min(), truth.u.max()) == (5, 153)


def test_masks_count_only_when_asked(reader, street):
    seen = [
        sum(len(t.u) for t in next(iter(frame_truths(reader, rig, config))).cameras)
        for rig, config in (
            (masked_left(street.rig), EvaluationConfig(every=40)),
            (masked_left(street.rig), EvaluationConfig(every=40, without_body=False)),
        )
    ]
    assert seen[0] < 0.6 * seen[1]


def masked_left(rig):
    """The rig, with the left half of every image called the robot's own body."""
    half = np.zeros((96, 160), bool)
    half[:, :80] = True
    return replace(rig, cameras=tuple(replace(c, self_occlusion=half) for c in rig.cameras))


def test_lidar_moved_with_the_robot_fits_the_image_better(street, helpers):
    """Cameras fire up to 16 ms after the sweep: at 10 m/s the side cameras' points are aside."""
    reader, agree = helpers.OnlyLidar(street.bag), {}
    rows = {tuple(stamps): index for index, stamps in enumerate(street.cache.stamps_ns.tolist())}
    for moved in (True, False):
        close = []
        config = EvaluationConfig(every=8, ego_motion=moved)
        for frame, truths in frame_truths(reader, street.rig, config):
            depth = street.z_depths[rows[frame.stamps_ns]]
            for camera, truth in enumerate(truths):
                there = depth[camera, truth.v, truth.u]
                close.append(np.abs(truth.z_depth_m - there) < 0.02 * there)
        agree[moved] = np.concatenate(close).mean()
    assert agree[True] > agree[False] + 0.005


def test_predictions_of_nothing_have_finite_errors(reader):
    """DDAD's protocol begins at 0 m; the logarithm of 0 is not counted."""
    config = protocol('ddad', every=40).config
    depths = [np.full((96, 160), 1e-9, np.float32)] * 6
    assert np.isfinite(
        evaluate(lambda frame: depths, reader, reader.rig(), config).mean.metric
    ).all()


def test_bands_add_up_to_the_whole(reader):
    """Errors of the bands, weighted with their pixels, are the errors of all pixels."""
    config = EvaluationConfig(every=20)
    predict = surround_predictor(wall, reader.rig(), 160, 96, 'z_depth')
    scores = evaluate(predict, reader, reader.rig(), config)
    truths = [t for _, found in frame_truths(reader, reader.rig(), config) for t in found]
    true = np.concatenate([truth.z_depth_m for truth in truths])
    true = true[(true > 1) & (true < 60)]
    bands = scores.mean.bands
    assert sum(band.count for band in bands) == len(true)
    for low, high, band in zip(BAND_EDGES_M, BAND_EDGES_M[1:], bands, strict=False):
        inside = true[(true >= low) & (true < high)]
        assert band.count == len(inside)
        if len(inside):
            assert band.bias == pytest.approx(np.mean(10 / inside - 1), rel=1e-5)
            assert band.metrics().abs_rel == pytest.approx(
                np.mean(np.abs(10 / inside - 1)), rel=1e-5
            )
    listed = scores.to_dict()['cameras']['mean']['bands']
    assert [band['from_m'] for band in listed] == [0, 5, 10, 20, 40]


def columns(images: np.ndarray, focal: np.ndarray) -> DepthPrediction:
    """Depth that sees the image: 1 m and a metre per level of red; sure where it is green."""
    red, green = images[..., 0].astype(np.float32), images[..., 1].astype(np.float32)
    return DepthPrediction(1 + red, green / 255)


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_a_network_without_left_and_right_is_not_changed_by_flipping(width, seed):
    images = np.random.default_rng(seed).integers(0, 255, (2, 3, width, 3), np.uint8)
    focal = np.ones(2, np.float32)
    found, expected = flip_averaged(columns)(images, focal), columns(images, focal)
    assert np.allclose(found.depth, expected.depth, rtol=1e-6)
    assert np.allclose(found.confidence, expected.confidence, rtol=1e-6)


def test_flipping_by_hand():
    """10 m, and 20 m for mirrored images: 13.3 m in between, each alone at one border.

    The confidences, .4 and .8, have the plain mean.
    """
    asked = []

    def infer(images: np.ndarray, focal: np.ndarray) -> DepthPrediction:
        asked.append(images)
        one = np.full(images.shape[:3], len(asked), np.float32)
        return DepthPrediction(10 * one, one * np.float32(0.4))

    images = np.zeros((1, 2, 101, 3), np.uint8)
    images[..., 0] = np.arange(101)
    found = flip_averaged(infer)(images, np.ones(1, np.float32))
    depth, confidence = found.depth[0, 0], found.confidence[0, 0]
    assert (asked[1] == images[:, :, ::-1]).all()
    assert np.allclose(depth[:6], 20)
    assert np.allclose(depth[10:91], 40 / 3)
    assert np.allclose(depth[95:], 10)
    assert np.allclose(confidence[[0, 50, 100]], [0.8, 0.6, 0.4])
    # Half way in the ramps: three quarters of one, a quarter of the other.
    assert 1 / np.interp(7.5, np.arange(101), 1 / depth) == pytest.approx(
        1 / (0.25 / 10 + 0.75 / 20)
    )


def test_the_command_tells_protocol_and_changes(street, tmp_path, capsys):
    out = tmp_path / 'scores.json'
    options = ['--protocol', 'nuscenes', '--flip', '--every', '20', '--json', str(out)]
    model, copy = 'selfdepth_ros/models/street', tmp_path / 'copy'
    copy.symlink_to(street.bag)
    assert main(['evaluate', model, str(street.bag), str(copy), *options]) == 0
    printed = capsys.readouterr().out
    assert 'protocol nuscenes/2, changed: flip True instead of False' in printed
    assert re.search(r'0\.1 to 80 m, native size, no crop, flip-averaged', printed)
    told = json.loads(out.read_text())
    assert (told['protocol']['name'], told['protocol']['version']) == ('nuscenes', 2)
    assert told['protocol']['changed'] == {'flip': {'protocol': False, 'used': True}}
    assert set(told['model']['cameras']['mean']['metric']) == set(DepthMetrics._fields)
    assert set(told['bags']) == {str(street.bag), str(copy)}
    one, other = (told['bags'][name]['cameras']['mean'] for name in told['bags'])
    assert one == other and 2 * one['images'] == told['model']['cameras']['mean']['images']
    assert re.search(rf'^{copy} +0\.', printed, re.MULTILINE)


@pytest.mark.parametrize('change', ['nothing', 'pose', 'lens'])
def test_a_rig_file_of_other_poses_or_lenses_is_told(street, tmp_path, caplog, change):
    """A tenth of a degree, or a hundredth of the focal length; the file counts."""
    first, *others = masked_left(street.rig).cameras
    if change == 'pose':
        turn = SE3.exp(np.array([0, 0, 0, 0, 0, np.radians(0.1)]))
        first = replace(first, body_from_camera=turn @ first.body_from_camera)
    if change == 'lens':
        first = replace(first, camera=replace(first.camera, fx=1.01 * first.camera.fx))
    # A training's file is of the network's size, and may have a camera more.
    spare = replace(first, name='spare')
    cameras = (first, *others, spare)
    save_rig(replace(street.rig, cameras=cameras).scaled(96, 64), tmp_path / 'rig.yaml')
    rig = with_rig_file(street.cache.rig, tmp_path / 'rig.yaml')
    assert all(entry.self_occlusion.mean() == pytest.approx(0.5) for entry in rig.cameras)
    moved = SE3.stack([entry.body_from_camera for entry in (first, *others)])
    np.testing.assert_allclose(rig.body_from_cameras().matrix, moved.matrix, atol=1e-9)
    for entry, there, recorded in zip(
        rig.cameras, (first, *others), street.cache.rig.cameras, strict=True
    ):
        expected = there.camera.scaled(recorded.camera.width, recorded.camera.height)
        assert entry.camera.fx == pytest.approx(expected.fx)
    if change == 'nothing':
        assert not caplog.records
    else:
        (record,) = caplog.records
        assert 'its poses and lenses count' in record.message
        assert f'{first.name}: ' in record.message


def test_who_has_no_masks_is_told_where_they_come_from(street, tmp_path):
    """Not to give --rig where it was given, and has none."""
    file, measured = tmp_path / 'rig.yaml', 'a training has measured them in its rig.yaml)'
    bare = [replace(entry, self_occlusion=None) for entry in street.rig.cameras]
    rig = replace(street.rig, cameras=tuple(bare))
    save_rig(rig, file)
    assert rig_told(rig, None).endswith(f'0 of 6 cameras (--rig gives them: {measured}')
    told = rig_told(with_rig_file(rig, file), file)
    assert told.endswith(f'0 of 6 cameras ({file} has none: {measured}')
    assert rig_told(masked_left(street.rig), file).endswith('6 of 6 cameras')
