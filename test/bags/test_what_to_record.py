# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What record.launch.py records is what the bag reader reads, and nothing else."""

import re
import shlex
from dataclasses import replace

import pytest

from selfdepth_ros.bags.discovery import BagTopics, CameraTopics, discover
from selfdepth_ros.bags.what_to_record import (
    Wanted,
    record_command,
    recording_call,
    topics_to_record,
    what_is_missing,
)
from selfdepth_ros.cli.doctor_table import describe
from selfdepth_ros.core.parallax import ParallaxLimits
from selfdepth_ros.doctor.examination import examine
from selfdepth_ros.doctor.observation import Observation

TYPES = {
    'image_raw': 'sensor_msgs/msg/Image',
    'image_raw/compressed': 'sensor_msgs/msg/CompressedImage',
    'camera_info': 'sensor_msgs/msg/CameraInfo',
    'depth/image': 'sensor_msgs/msg/Image',
}
CAMERAS = '/camera_[^/]+'


@pytest.fixture
def graph() -> dict[str, str]:
    """Topics of a robot, with what training does not need among them."""
    of_cameras = {f'/camera_{n}/{t}': k for n in ('a', 'b') for t, k in TYPES.items()}
    return of_cameras | {
        '/tf': 'tf2_msgs/msg/TFMessage',
        '/tf_static': 'tf2_msgs/msg/TFMessage',
        '/odom': 'nav_msgs/msg/Odometry',
        '/odometry_of_wheels': 'nav_msgs/msg/Odometry',
        '/points': 'sensor_msgs/msg/PointCloud2',
    }


@pytest.mark.parametrize(
    ('transport', 'ending'), [('compressed', 'image_raw/compressed'), ('raw', 'image_raw')]
)
def test_the_recorded_topics_are_those_that_are_read(graph, transport, ending) -> None:
    wanted = topics_to_record(Wanted(CAMERAS, 'image_raw', transport, '/odom'))
    recorded = {topic for topic in graph if re.search(wanted, topic)}
    of_cameras = {f'/camera_{n}/{t}' for n in ('a', 'b') for t in (ending, 'camera_info')}
    assert recorded == of_cameras | {'/tf', '/tf_static', '/odom'}
    read = discover({t: graph[t] for t in recorded}, dict.fromkeys(recorded, 1))
    assert {c.image for c in read.cameras} | {c.info for c in read.cameras} == of_cameras
    assert read.odometry == '/odom'


@pytest.mark.parametrize('odometry', ['', 'none'])
def test_a_robot_without_odometry_records_none(graph, odometry) -> None:
    wanted = topics_to_record(Wanted('/camera_a|/other/b', 'image_raw', 'raw', odometry))
    recorded = {topic for topic in graph if re.search(wanted, topic)}
    assert recorded == {'/camera_a/image_raw', '/camera_a/camera_info', '/tf', '/tf_static'}
    assert re.search(wanted, '/other/b/camera_info')
    assert not re.search(wanted, '')


def test_the_recorder_writes_mcap_in_parts() -> None:
    call = record_command('drive', '^x$', 4000.0, 0.5)
    assert call[:7] == ['ros2', 'bag', 'record', '-s', 'mcap', '-o', 'drive']
    assert call[7:] == [
        '--max-bag-size', '4000000000', '--max-cache-size', '500000', '--regex', '^x$',
    ]  # fmt: skip


def robot(*spaces: str, image: str = 'image_raw', odometry: str = '/odom') -> dict[str, str]:
    """Topics of a robot with raw images, by types."""
    topics = {f'{space}/{image}': TYPES['image_raw'] for space in spaces}
    topics |= {f'{space}/camera_info': TYPES['camera_info'] for space in spaces}
    topics |= {odometry: 'nav_msgs/msg/Odometry'} if odometry else {}
    return topics | {'/tf_static': 'tf2_msgs/msg/TFMessage', '/points': 'sensor_msgs/PointCloud2'}


def recorded_by(call: str, there: dict[str, str]) -> set[str]:
    """The topics that a call records."""
    words = shlex.split(call)
    if words[:3] == ['ros2', 'bag', 'record']:
        assert words[3:7] == ['-s', 'mcap', '-o', 'drive']
        option, topics = words[7:]
        assert option == '--regex'  # names without an option are refused by Lyrical
        return {topic for topic in there if re.search(topics, topic)}
    assert words[:4] == ['ros2', 'launch', 'selfdepth_ros', 'record.launch.py']
    given = dict(word.split(':=') for word in words[4:])
    assert all(given.values())  # launch refuses an empty one
    wanted = Wanted()._replace(**given)
    assert what_is_missing(wanted, there) == []
    return {topic for topic in there if re.search(topics_to_record(wanted), topic)}


@pytest.mark.parametrize(
    ('there', 'arguments'),
    [
        (robot('/camera_a', '/camera_b'), 'transport:=raw'),
        (robot('/cam_front', '/cam_left'), "'cameras:=/(cam_front|cam_left)' transport:=raw"),
        (robot('/front.1'), None),
        (robot(''), None),
        (robot('/sensors/a', '/sensors/b', odometry='/wheel/odom'), None),
        (robot('/a/rgb', '/b/rgb', odometry=''), None),
        (robot('/camera_a', '/camera_b', image='image_rect'), 'image:=image_rect transport:=raw'),
        (robot('/camera_a') | robot('/camera_b', image='image_color'), None),
    ],
)
def test_the_call_that_is_told_records_what_was_found(there, arguments) -> None:
    found = discover(there, dict.fromkeys(there, 1))
    call = recording_call(found, there)
    assert recorded_by(call, there) == {*there} - {'/points'}
    assert arguments is None or call.endswith(f'record.launch.py {arguments}')


def test_jpegs_are_recorded_where_all_cameras_have_them(graph) -> None:
    found = discover(graph, dict.fromkeys(graph, 1))
    assert {camera.image for camera in found.cameras} == {f'/camera_{n}/image_raw' for n in 'ab'}
    call = recording_call(found, graph)
    assert call == 'ros2 launch selfdepth_ros record.launch.py'
    assert '/camera_b/image_raw/compressed' in recorded_by(call, graph)
    del graph['/camera_b/image_raw/compressed']
    assert '/camera_b/image_raw' in recorded_by(recording_call(found, graph), graph)


def test_no_camera_is_left_out_where_one_has_jpegs_only_and_another_raw_images_only() -> None:
    there = robot('/camera_a', '/camera_b')
    del there['/camera_a/image_raw']
    there['/camera_a/image_raw/compressed'] = TYPES['image_raw/compressed']
    call = recording_call(discover(there, dict.fromkeys(there, 1)), there)
    assert recorded_by(call, there) == {*there} - {'/points'}


@pytest.mark.parametrize('spaces', [('/robot1/camera_a', '/robot1/camera_b'), ('',)])
def test_tf_of_a_namespace_is_recorded(spaces) -> None:
    there = robot(*spaces) | {'/robot1/tf': 'tf2_msgs/msg/TFMessage', '/tf': 'other'}
    there['/robot1/tf_static'] = there.pop('/tf_static')
    found = discover(there, dict.fromkeys(there, 1))
    recorded = recorded_by(recording_call(found, there), there)
    assert recorded == {*there} - {'/points', '/tf'}
    read = discover({topic: there[topic] for topic in recorded}, dict.fromkeys(recorded, 1))
    assert (read.tf, read.tf_static) == ('/robot1/tf', '/robot1/tf_static')


@pytest.mark.parametrize('spaces', [('/camera_a', '/camera_b'), ('',)])
def test_the_lidar_is_said_not_to_be_recorded_and_how_it_would(spaces) -> None:
    there = robot(*spaces) | {'/points': 'sensor_msgs/msg/PointCloud2'}
    found = discover(there, dict.fromkeys(there, 1))
    call = recording_call(found, there)
    assert found.lidar == '/points' and '/points' not in recorded_by(call, there)
    checkup = examine(
        Observation(found), 'the live graph', ParallaxLimits(0.1, 1.0, 1, 1.0), there, size_bytes=0
    )
    assert 'LiDAR: /points\n' in describe(checkup)  # of a bag
    told = describe(replace(checkup, record=call))
    said = (
        r'LiDAR: /points, not recorded by the call below; with (\S+) (at its end|before its \)\$)'
    )
    more, where = re.search(said, told).groups()
    longer = f'{call} {more}' if where == 'at its end' else call.replace(')$', f'{more})$')
    assert '/points' in recorded_by(longer, there)


def test_cameras_of_a_mapping_are_recorded_by_their_topics() -> None:
    cameras = (CameraTopics('a', '/x/picture/compressed', '/info/x'),)
    there = ['/x/picture/compressed', '/info/x']
    call = recording_call(BagTopics(cameras), there)
    topics = '^(/x/picture/compressed|/info/x|/tf|/tf_static)$'
    assert call.endswith(f"-o drive --regex '{topics}'")


def test_what_matches_no_topic_is_told() -> None:
    there = robot('/cam_front', odometry='/odometry/filtered')
    images, odometry = what_is_missing(Wanted(), there)
    assert images.startswith('no images on /camera_[^/]+/image_raw/compressed: found ')
    assert 'found /cam_front/image_raw; see' in images
    assert odometry.startswith('no /odom: found /odometry/filtered; give odometry:=<topic>')
    del there['/cam_front/camera_info'], there['/tf_static']
    info, tf = what_is_missing(Wanted('/cam_.*', transport='raw', odometry='none'), there)
    assert info.startswith('no /cam_front/camera_info beside')
    assert tf.startswith('no /tf_static: found none')
    there['/robot1/tf_static'] = 'tf2_msgs/msg/TFMessage'
    wanted = Wanted('/cam_.*', transport='raw', odometry='none', lidar='/l')
    _, lidar, tf = what_is_missing(wanted, there)
    assert tf.startswith('no /tf_static: found /robot1/tf_static;')
    assert lidar == 'no /l: found none; give lidar:=<topic>'
