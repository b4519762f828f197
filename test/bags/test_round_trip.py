# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What was written into a bag is what is read out of it, bit for bit."""

import numpy as np
import pytest
import yaml
from rosbags.interfaces import QosDurability
from rosbags.rosbag2 import Reader

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.core.se3 import SE3, interpolate_poses

START, PERIOD = 1_700_000_000_000_000_000, 100_000_000


def picture(camera, frame, shape):
    return np.random.default_rng([camera, frame]).integers(0, 256, (*shape, 3), dtype=np.uint8)


def same_rigs(one, other):
    return (
        one.names == other.names
        and one.body_frame == other.body_frame
        and all(
            a.camera == b.camera
            and a.frame_id == b.frame_id
            and np.allclose(a.body_from_camera.matrix, b.body_from_camera.matrix, atol=1e-12)
            for a, b in zip(one.cameras, other.cameras, strict=True)
        )
    )


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('compressed', [False, True])
def test_everything_comes_back(record, rig, storage, compressed):
    reader = BagReader(record(storage=storage, compressed=compressed))
    assert reader.cameras == rig.names
    assert same_rigs(reader.rig(), rig)
    frames = list(reader.surround_frames())
    assert len(frames) == 8
    for number, frame in enumerate(frames):
        assert frame.stamps_ns == tuple(START + number * PERIOD + c * 3_000_000 for c in range(3))
        for index, image in enumerate(frame.images):
            np.testing.assert_array_equal(image, picture(index, number, image.shape[:2]))
    assert reader.report.clean
    assert (reader.report.complete_sets, reader.report.partial_sets) == (8, 0)


def test_odometry_is_interpolated_at_the_stamps(record):
    reader = BagReader(record())
    stamps, poses = reader.odometry()
    assert stamps.dtype == np.int64
    assert poses.shape == (40, 4, 4)
    at = np.array([[START, START + PERIOD // 2], [START + 3 * PERIOD, START + 99 * PERIOD]])
    body, valid = interpolate_poses(stamps, poses, at)
    np.testing.assert_array_equal(valid, [[True, True], [True, False]])
    np.testing.assert_allclose(body.translation[..., 0][valid], [0, 0.05, 0.3], atol=1e-9)


def test_lidar_comes_in_the_body_frame(record):
    clouds = list(BagReader(record()).lidar())
    assert [stamp for stamp, _ in clouds] == [START + frame * PERIOD for frame in range(8)]
    # The LiDAR sits at (0.5, 0, 1.5) with optical axes: its z is ahead, its x to the right.
    np.testing.assert_allclose(clouds[2][1], [[2.5, -2, -0.5]] * 2, atol=1e-6)


def test_depth_truth_comes_with_its_camera(record):
    reader = BagReader(record(frames=2))
    truth = list(reader.depth_truth())
    assert reader.has_depth_truth
    assert [camera for camera, _, _ in truth] == [0, 1, 2, 0, 1, 2]
    for _, stamp, depth in truth:
        np.testing.assert_array_equal(depth, np.float32(stamp % 97))


def test_the_tolerance_is_below_half_a_period(record):
    assert BagReader(record()).tolerance_ns == 45_000_000
    assert BagReader(record(frames=1)).tolerance_ns == 50_000_000
    assert BagReader(record(frames=1), tolerance_ns=7).tolerance_ns == 7


def test_a_bag_without_odometry_has_none(record):
    reader = BagReader(record(odometry=False))
    assert reader.odometry() is None


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_one_file_without_its_metadata_is_enough(record, storage):
    (file,) = [f for f in record(storage=storage).iterdir() if f.suffix in {'.mcap', '.db3'}]
    reader = BagReader(file)
    assert sum(all(frame.present) for frame in reader.surround_frames()) == 8


def test_memory_holds_a_few_sets_only(record):
    frames = BagReader(record(frames=40)).surround_frames()
    first = next(frames)
    assert first.stamp_ns == START  # the rest of the bag is not needed for it
    frames.close()


def test_metadata_is_that_of_humble_and_tf_static_is_latched(record):
    path = record()
    about = yaml.safe_load((path / 'metadata.yaml').read_text())['rosbag2_bagfile_information']
    assert about['version'] == 8
    with Reader(path) as reader:
        durability = {
            link.topic: link.ext.offered_qos_profiles[0].durability for link in reader.connections
        }
    assert durability.pop('/tf_static') is QosDurability.TRANSIENT_LOCAL
    assert set(durability.values()) == {QosDurability.VOLATILE}


def test_an_existing_path_is_refused(tmp_path):
    with pytest.raises(BagError, match='exists already'):
        BagWriter(tmp_path)


def test_a_bag_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / 'drive'
    with pytest.raises(ZeroDivisionError), BagWriter(path) as bag:
        bag.write_odometry('/odom', 1, SE3.identity())
        assert not path.exists()
        _ = 1 // 0
    assert list(tmp_path.iterdir()) == []


def test_two_types_on_one_topic_are_refused(tmp_path):
    with pytest.raises(BagError, match='cannot carry'), BagWriter(tmp_path / 'drive') as bag:
        bag.write_odometry('/odom', 1, SE3.identity())
        bag.write_cloud('/odom', 1, 'lidar', np.zeros((1, 3)))


def test_unknown_storage_is_refused(tmp_path):
    with pytest.raises(BagError, match='mcap, sqlite3'):
        BagWriter(tmp_path / 'drive', storage='tape')


def test_cameras_go_round_leftwards_from_the_front_whatever_they_are_called(record):
    names = (('camera_front', '/z/main'), ('camera_left', '/b'), ('camera_right', '/a'))
    assert BagReader(record(rename=names)).cameras == ('z_main', 'b', 'a')


def test_a_mapping_file_chooses_cameras_and_their_order(record, rig, tmp_path):
    mapping = tmp_path / 'topics.yaml'
    mapping.write_text(
        'cameras:\n'
        '  right: {image: /camera_right/image_raw, info: /camera_right/camera_info}\n'
        '  front: {image: /camera_front/image_raw, info: /camera_front/camera_info,\n'
        '          frame: camera_left_optical_frame}\n'
    )
    reader = BagReader(record(), mapping)
    assert reader.cameras == ('right', 'front')
    assert reader.odometry() is None
    read = reader.rig()['front']
    assert read.camera == rig['camera_front'].camera
    np.testing.assert_allclose(
        read.body_from_camera.matrix, rig['camera_left'].body_from_camera.matrix, atol=1e-12
    )
    assert sum(1 for _ in reader.surround_frames()) == 8


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('cameras: {}', 'cameras is missing'),
        ('cameras: {a: {image: /a}}', 'info is missing'),
        ('cameras: {a: {image: /a, infos: /b}}', 'did you mean info'),
        ('cameras: {a: {image: [1], info: /b}}', 'expected a text'),
        ('cameras: {a: {image: /a, info: /b, stamp_offset_ms: late}}', "found 'late', expected a"),
        ('cameras: {a: {image: /a, info: /b, stamp_offset_ms: true}}', 'found True, expected a'),
        ('cameras: {a: {image: /a, info: /b, stamp_offset_ms: .nan}}', 'found nan, expected a'),
        ('cameras: {a: {image: /a, info: /b, stamp_offset_ms: -801}}', 'from -800 to 800 ms'),
        ('cameras: [', 'cannot be read'),
        ('3', 'expected a mapping'),
    ],
)
def test_mapping_files_with_mistakes_are_explained(record, tmp_path, text, words):
    mapping = tmp_path / 'topics.yaml'
    mapping.write_text(text)
    with pytest.raises(BagError, match=words):
        BagReader(record(frames=1), mapping)


def test_transforms_may_be_chained_through_other_frames(tmp_path, rig, record):
    path = tmp_path / 'chained'
    front = rig.cameras[0]
    mast = SE3.exp(np.array([0.2, 0.0, 1.0, 0.0, 0.0, 0.7]))
    with BagWriter(path) as bag:
        inner = mast.inverse() @ front.body_from_camera
        bag.write_tf_static([('mast', front.frame_id, inner)], START)
        bag.write_tf_static([('footprint', 'base_link', SE3.identity())], START)
        bag.write_tf_static([('footprint', 'mast', mast)], START)
        bag.write_camera_info('/front/camera_info', START, front.frame_id, front.camera)
        bag.write_image('/front/image_raw', START, front.frame_id, picture(0, 0, (24, 32)))
    pose = BagReader(path).rig()['front'].body_from_camera
    np.testing.assert_allclose(pose.matrix, front.body_from_camera.matrix, atol=1e-12)
