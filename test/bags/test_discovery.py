# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which of a graph's topics are taken for cameras, odometry and LiDAR."""

import numpy as np
import pytest

from selfdepth_ros.bags.discovery import CAMERA_INFO, COMPRESSED, IMAGE, discover
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.main import main

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
