# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What record.launch.py records is what the bag reader reads, and nothing else."""

import re

import pytest

from selfdepth_ros.bags.discovery import discover
from selfdepth_ros.bags.what_to_record import record_command, topics_to_record

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
    wanted = topics_to_record(CAMERAS, 'image_raw', transport, '/odom')
    recorded = {topic for topic in graph if re.search(wanted, topic)}
    of_cameras = {f'/camera_{n}/{t}' for n in ('a', 'b') for t in (ending, 'camera_info')}
    assert recorded == of_cameras | {'/tf', '/tf_static', '/odom'}
    read = discover({t: graph[t] for t in recorded}, dict.fromkeys(recorded, 1))
    assert {c.image for c in read.cameras} | {c.info for c in read.cameras} == of_cameras
    assert read.odometry == '/odom'


def test_a_robot_without_odometry_records_none(graph) -> None:
    wanted = topics_to_record('/camera_a|/other/b', 'image_raw', 'raw', '')
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
