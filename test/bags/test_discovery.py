# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which of a graph's topics are taken for cameras, odometry and LiDAR."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdepth_ros.bags.discovery import (
    COMPRESSED,
    IMAGE,
    ODOMETRY,
    POINT_CLOUD,
    BagTopics,
    cameras_of_rig,
    discover,
    topic_patterns,
)
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.main import main
from selfdepth_ros.core.frames import POINT, PointCloud
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages.clouds import PointExtras, pack_points

CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
CAMERAS = {
    '/cam_front/image_raw': IMAGE,
    '/cam_front/camera_info': CAMERA_INFO,
    '/cam_rear/image_raw/compressed': COMPRESSED,
    '/cam_rear/camera_info': CAMERA_INFO,
}


def found(others, **counts):
    """What is discovered among the cameras and others, all with messages unless told."""
    topics = CAMERAS | others
    return discover(topics, dict.fromkeys(topics, 5) | counts)


def test_pictures_without_camera_info_are_told_and_no_camera():
    topics = found({'/detector/debug_image': IMAGE, '/web/image': COMPRESSED})
    assert [camera.name for camera in topics.cameras] == ['cam_front', 'cam_rear']
    assert topics.notes == (
        '/detector/debug_image is not taken for a camera: /detector/camera_info is not there',
        '/web/image is not taken for a camera: /web/camera_info is not there',
    )


def test_another_transport_of_a_camera_is_no_camera():
    topics = found({'/cam_front/image_raw/zstd': COMPRESSED})
    assert topics == found({})
    assert topics.cameras[0].image == '/cam_front/image_raw'
    alone = {'/a/image_raw/zstd': COMPRESSED, '/b/image_raw': IMAGE, '/b/camera_info': CAMERA_INFO}
    assert [camera.name for camera in discover(alone, dict.fromkeys(alone, 1)).cameras] == ['b']


def test_topics_on_which_nothing_came_are_told_and_no_camera():
    silent = {'/spare/image_raw': IMAGE, '/spare/camera_info': CAMERA_INFO}
    topics = found(silent, **dict.fromkeys(silent, 0))
    assert topics.cameras == found({}).cameras
    assert 'not taken for a camera: /spare/camera_info has no message' in topics.notes[0]


def test_a_camera_named_like_the_others_is_not_left_out_unasked():
    """Nor one that lacks images only: what it lacks is an error of whoever reads."""
    for others, counts in (
        ({'/cam_left/image_raw': IMAGE}, {}),
        (
            {'/cam_left/image_raw': IMAGE, '/cam_left/camera_info': CAMERA_INFO},
            {'/cam_left/image_raw': 0},
        ),
    ):
        topics = found(others, **counts)
        assert [camera.name for camera in topics.cameras] == ['cam_front', 'cam_left', 'cam_rear']
        assert not topics.notes


def test_without_one_whole_camera_all_are_complained_about():
    alone = {'/detector/debug_image': IMAGE, '/web/image': IMAGE}
    assert len(discover(alone, dict.fromkeys(alone, 1)).cameras) == 2


@pytest.fixture
def written(recording, tmp_path):
    """Write a bag with something else beside the rig's own topics."""
    return lambda **how: recording.Recording(**how).write(tmp_path / 'drive')


def test_a_bag_with_a_detectors_picture_is_fit(written, capsys, caplog):
    def debug_image(bag, now):
        bag.write_image('/detector/debug_image', now, 'detector', np.zeros((4, 4, 3), np.uint8))

    bag = written(frames=30, beside=debug_image)
    assert main(['doctor', str(bag)]) == 0
    printed = capsys.readouterr().out
    assert 'warning: /detector/debug_image is not taken for a camera' in printed
    reader = BagReader(bag)
    assert sorted(reader.cameras) == ['camera_front', 'camera_left', 'camera_right']
    assert '/detector/debug_image' in str(reader.report) and reader.report.clean
    assert '/detector/debug_image is not taken' in caplog.text


def cloud_of(*names):
    return SimpleNamespace(fields=[SimpleNamespace(name=name) for name in names])


def pose_in(frame):
    return SimpleNamespace(header=SimpleNamespace(frame_id=frame))


def chosen(kind, messages, **counts):
    """What is taken of topics of one type, given their first messages."""
    topics = CAMERAS | dict.fromkeys(messages, kind)
    return discover(topics, dict.fromkeys(topics, 5) | counts, messages.get)


@pytest.mark.parametrize(
    ('clouds', 'lidar'),
    [
        # A depth camera has three times the messages of a LiDAR.
        ({'/camera/depth/color/points': None, '/velodyne_points': None}, '/velodyne_points'),
        ({'/oak/points': cloud_of(*'xyz', 'rgb'), '/scan3d': None}, '/scan3d'),
        ({'/a/cloud': cloud_of(*'xyz'), '/b/cloud': cloud_of(*'xyz', 'ring')}, '/b/cloud'),
        ({'/lidar/points': None, '/a/velodyne_points': None}, '/lidar/points'),
        ({'/surround/points': None, '/surround/obstacles': None, '/z': None}, '/z'),
        ({'/surround_depth/points': None}, None),
        ({'/renamed': cloud_of(*'xyz', 'rgb', 'camera')}, None),
        ({'/camera/depth/points': None}, '/camera/depth/points'),  # there is no other
    ],
)
def test_the_lidar_is_neither_a_depth_camera_nor_the_nodes_own(clouds, lidar):
    first, *_ = clouds
    assert chosen(POINT_CLOUD, clouds, **{first: 15}).lidar == lidar


@pytest.mark.parametrize(
    ('poses', 'odometry'),
    [
        ({'/odometry/global': pose_in('map'), '/odometry/local': pose_in('odom')}, 1),
        ({'/a/odom': pose_in('map'), '/b/odom': pose_in('odom')}, 1),
        ({'/a/odom': pose_in('/world'), '/b/odom': pose_in('camera_init')}, 1),
        ({'/odom': pose_in('odom'), '/odometry/filtered': pose_in('odom')}, 1),
        ({'/odom': pose_in('odom'), '/odometry/filtered': pose_in('map')}, 0),
        ({'/odometry/gps': pose_in('odom'), '/wheel/odom': pose_in('odom')}, 1),
        ({'/wheel/odom': pose_in('odom'), '/odom': pose_in('odom')}, 1),
        ({'/a/odom': pose_in('odom'), '/b/odom': pose_in('odom')}, 0),
        ({'/odometry/global': None, '/odometry/local': None}, 1),  # of a live graph
    ],
)
def test_odometry_is_continuous_and_fused_where_that_can_be_told(poses, odometry):
    first, _ = poses
    topics = chosen(ODOMETRY, poses, **{first: 6})
    assert topics.odometry == list(poses)[odometry]
    assert f'{topics.odometry} is taken for odometry (before' in topics.notes[0]


def test_one_candidate_is_taken_without_a_word():
    messages = {'/map/odom': pose_in('map')}
    assert chosen(ODOMETRY, messages) == chosen(ODOMETRY, {'/map/odom': None})
    assert chosen(ODOMETRY, messages).odometry == '/map/odom'
    assert not chosen(ODOMETRY, messages).notes
    assert not chosen(POINT_CLOUD, {'/p': None}).notes


def test_what_is_taken_of_a_bag_is_said(written, tmp_path, capsys, caplog):
    extras = PointExtras(camera=np.zeros(2, np.uint8))
    own = pack_points(
        PointCloud(np.zeros(2, POINT), np.zeros(2, np.uint8), 0, 'base_link'), extras
    )

    def others(bag, now):
        bag.write_odometry('/ekf/pose', now, SE3.identity(), frame_id='map')
        bag.write_odometry('/odometry/filtered', now, SE3.identity())
        for topic, points in (('/top', np.ones((2, 3), np.float32)), ('/aaa', own)):
            bag.write_cloud(topic, now, 'lidar', points)

    reader = BagReader(written(beside=others))
    assert reader.topics.odometry == '/odometry/filtered'
    assert reader.topics.lidar == '/lidar/points'
    for told in (caplog.text, str(reader.report)):
        assert '/odometry/filtered is taken for odometry (before /odom, /ekf/pose' in told
        assert '/lidar/points is taken for the LiDAR (before /top,' in told
        assert '/aaa' not in told
    caplog.clear()
    BagReader(reader.path)
    assert not caplog.text  # once is enough
    main(['doctor', str(reader.path), '--json', str(tmp_path / 'found.json')])
    printed = capsys.readouterr().out
    assert 'warning: /odometry/filtered is taken for odometry' in printed
    assert 'LiDAR: /lidar/points' in printed
    assert json.loads((tmp_path / 'found.json').read_text('utf-8'))['lidar'] == '/lidar/points'


def same_rigs(one, two):
    return all(
        np.allclose(a.body_from_camera.matrix, b.body_from_camera.matrix)
        for a, b in zip(one.cameras, two.cameras, strict=True)
    )


def test_fixed_frames_of_a_namespace_are_found(record, rig, tmp_path, capsys):
    bag = record(frames=30, tf='/robot1/tf', mounted=('camera_left',))
    assert same_rigs(BagReader(bag).rig(), rig)
    assert main(['doctor', str(bag)]) == 0
    assert 'camera_left_optical_frame are placed by /robot1/tf' in capsys.readouterr().out
    mapping = tmp_path / 'topics.yaml'
    cameras = ', '.join(
        f'{n}: {{image: /{n}/image_raw, info: /{n}/camera_info}}' for n in rig.names
    )
    mapping.write_text(f'tf_static: /robot1/tf_static\ncameras: {{{cameras}}}\n')
    assert same_rigs(BagReader(bag, mapping).rig(), rig)
    mapping.write_text(f'cameras: {{{cameras}}}\n')
    with pytest.raises(BagError, match=r'/tf_static has no frame; .* \(tf_static\)'):
        BagReader(bag, mapping)


def test_the_frames_that_move_are_beside_the_fixed_ones():
    for fixed, moving in (('/a/tf_static', '/a/tf'), ('/frames', '/tf'), ('/tf_static', '/tf')):
        assert BagTopics((), tf_static=fixed).tf == moving


def test_several_namespaces_are_not_mixed():
    def fixed(*topics):
        return found(dict.fromkeys(topics, 'tf2_msgs/msg/TFMessage')).tf_static

    assert fixed('/a/tf_static') == '/a/tf_static'
    assert fixed('/a/tf_static', '/b/tf_static') == '/tf_static'
    assert fixed('/a/tf_static', '/tf_static') == '/tf_static'


def test_mounts_in_tf_are_fixed_where_they_do_not_move(record, rig):
    reader = BagReader(record(mounted=('camera_left', 'camera_right')))
    assert same_rigs(reader.rig(), rig)
    assert 'camera_left_optical_frame' in reader.fixed_frames.names
    assert 'odom' not in reader.fixed_frames.names
    assert 'are placed by /tf, where they do not move' in str(reader.report)


def test_a_mount_that_moves_is_said_to(record):
    with pytest.raises(BagError, match="camera_left: .*'camera_left_optical_frame' moves in /tf"):
        BagReader(record(moving=('camera_left',), mounted=('camera_right',)))


def test_a_body_of_another_name_is_no_mount_that_moves(record):
    bag = record(mounted=('camera_left',))  # odom -> base_link moves
    topics = replace(BagReader(bag).topics, body_frame='body')
    with pytest.raises(BagError, match="no frame 'body', found base_link, .*set body_frame") as it:
        BagReader(bag, topics)
    assert 'moves in' not in str(it.value)
    assert ', odom.' in str(it.value)  # of /tf alone


def cameras_at(*images):
    """Discover cameras by their image topics."""
    topics = dict.fromkeys(images, IMAGE)
    topics |= {f'{topic.rsplit("/", 1)[0]}/camera_info': CAMERA_INFO for topic in images}
    return discover(topics, dict.fromkeys(topics, 1)).cameras


@pytest.mark.parametrize(
    ('images', 'names', 'pattern'),
    [
        (['/cam_a/image_raw', '/cam_b/image_raw'], ['cam_a', 'cam_b'], '/{camera}/image_raw'),
        (['/s/cam_a/image', '/s/cam_b/image'], ['cam_a', 'cam_b'], '/s/{camera}/image'),
        (
            ['/a/camera/color/image_raw', '/b/camera/color/image_raw'], ['a', 'b'],
            '/{camera}/camera/color/image_raw',
        ),
        (['/r1/a/rgb/image', '/r1/b/rgb/image'], ['a', 'b'], '/r1/{camera}/rgb/image'),
        (['/camera/color/image_raw'], ['color'], '/camera/{camera}/image_raw'),
        (['/a/a/image', '/a/b/image'], ['a', 'b'], '/a/{camera}/image'),
        # Nothing that one pattern can say.
        (['/a/left/image', '/b/image'], ['a_left', 'b'], None),
        (['/s/a/image_raw', '/s/b/image_mono'], ['a', 'b'], None),
        (['/image_raw'], ['camera'], None),
    ],
)  # fmt: skip
def test_cameras_are_named_by_what_tells_them_apart(images, names, pattern):
    cameras = cameras_at(*images)
    assert [camera.name for camera in cameras] == names
    patterns = topic_patterns(cameras)
    assert (patterns and patterns[0]) == pattern
    if patterns:
        image, info = patterns
        for camera in cameras:
            assert image.replace('{camera}', camera.name) == camera.image
            assert info.replace('{camera}', camera.name) == camera.info


@pytest.mark.parametrize(
    ('names', 'images', 'found'),
    [
        (['a', 'b'], ['/s/a/image', '/s/b/image'], {'a': 0, 'b': 1}),
        # Beside another camera names are longer, and without it shorter.
        (['a', 'b'], ['/s/a/image', '/s/b/image', '/x/image'], {'a': 0, 'b': 1}),
        (['s_a', 's_b'], ['/s/a/image', '/s/b/image'], {'s_a': 0, 's_b': 1}),
        (['a', 's_a'], ['/t/s/a/image', '/x/image'], {'a': 0}),
        # One camera alone, none of this rig, and two that both might be it.
        (['front', 'back'], ['/s/back/image'], {'back': 0}),
        (['front'], ['/s/front_left/image', '/s/left_front/image'], {}),
        (['front'], ['/s/front/image', '/t/front/image'], {}),
        (['front'], ['/front/image', '/t/front/image'], {'front': 0}),
    ],
)  # fmt: skip
def test_cameras_of_a_rig_are_known_beside_others(names, images, found):
    cameras = {camera.image: camera for camera in cameras_at(*images)}
    expected = {name: cameras[images[index]] for name, index in found.items()}
    assert cameras_of_rig(list(cameras.values()), names) == expected


@given(st.lists(st.lists(st.sampled_from('abc'), min_size=1, max_size=4), min_size=1, max_size=5))
def test_names_of_cameras_differ(paths):
    topics = {f'/{"/".join(path)}/image' for path in paths}
    assert len({camera.name for camera in cameras_at(*topics)}) == len(topics)


def test_the_doctor_tells_how_to_run_nested_cameras(record, rig, capsys):
    nested = tuple((name, f'/sensors/{name}/color') for name in rig.names)
    bag = record(frames=30, rename=nested)
    assert sorted(BagReader(bag).cameras) == sorted(rig.names)
    assert main(['doctor', str(bag)]) == 0
    assert (
        'with image_topic: /sensors/{camera}/color/image_raw and '
        'info_topic: /sensors/{camera}/color/camera_info'
    ) in capsys.readouterr().out
