# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A known drive, stored in each dataset's layout, comes out of the bag as it was put in."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from ddad_tree import write_ddad
from kitti_tree import stereo, write_kitti_odometry, write_kitti_raw
from known_drive import SECOND, surround
from nuscenes_tree import write_nuscenes
from rosbags.rosbag2 import Reader

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.types import typestore
from selfdepth_ros.datasets.importing import import_dataset
from selfdepth_ros.datasets.kitti_common import START_NS

START = 1_532_402_927_600_000_000
SIX = ('front', 'front_left', 'back_left', 'back', 'back_right', 'front_right')
NUSCENES = surround([f'camera_{n}' for n in SIX], START, (SECOND // 12, SECOND // 20), (7, 11))
NUSCENES.camera_ns = {
    name: [ns // 1000 * 1000 for ns in stamps] for name, stamps in NUSCENES.camera_ns.items()
}
DDAD = surround([f'camera_0{n}' for n in (1, 5, 6)], START, (SECOND // 10, SECOND // 10), (5, 5))
KITTI = stereo(START, 6)


def _odometry_stamps(drive):
    """KITTI's odometry benchmark has one clock, from 0, for images and sweeps."""
    stamps = [ns - START + START_NS for ns in next(iter(drive.camera_ns.values()))]
    return replace(drive, camera_ns=dict.fromkeys(drive.cameras, stamps), lidar_ns=stamps)


@dataclass
class Case:
    """A dataset, how it is stored, and what must be in the bag."""

    dataset: str
    write: object
    stored: object
    drive: object
    poses_ns: list
    """Stamps of the odometry."""


def _all_stamps(drive):
    return sorted({*drive.lidar_ns, *(ns for all_ns in drive.camera_ns.values() for ns in all_ns)})


CASES = {
    'ddad': Case('ddad', write_ddad, DDAD, DDAD, _all_stamps(DDAD)),
    'ddad, its clock': Case(
        'ddad',
        lambda root, drive: write_ddad(root, drive, stamp=lambda ns: 10 * ns),
        DDAD, DDAD, _all_stamps(DDAD),
    ),
    'nuscenes': Case('nuscenes', write_nuscenes, NUSCENES, NUSCENES, _all_stamps(NUSCENES)),
    'kitti raw': Case('kitti', write_kitti_raw, KITTI, KITTI, KITTI.camera_ns['camera_02']),
    'kitti odometry': Case(
        'kitti', write_kitti_odometry, KITTI, _odometry_stamps(KITTI),
        _odometry_stamps(KITTI).lidar_ns,
    ),
}  # fmt: skip


@pytest.fixture(scope='module', params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(scope='module')
def bag(case, tmp_path_factory):
    root = case.write(tmp_path_factory.mktemp('tree'), case.stored)
    out = tmp_path_factory.mktemp('bags') / 'bag'
    import_dataset(case.dataset, root, out, progress=False)
    return out


@pytest.fixture(scope='module')
def reader(bag):
    return BagReader(bag)


def test_intrinsics_and_extrinsics(case, reader):
    rig = reader.rig()
    assert sorted(rig.names) == sorted(case.drive.cameras)
    for camera in rig.cameras:
        lens, body_from_camera = case.drive.cameras[camera.name]
        found = camera.camera
        assert (found.width, found.height) == lens.size
        assert (found.fx, found.fy, found.cx, found.cy) == (lens.fx, lens.fy, lens.cx, lens.cy)
        np.testing.assert_allclose(camera.body_from_camera.matrix, body_from_camera, atol=1e-9)


def test_poses_at_their_stamps(case, reader):
    """From the first one on: where a dataset's world begins is of no use to a robot."""
    stamps, poses = reader.odometry()
    assert stamps.tolist() == list(case.poses_ns)
    first_ns = case.drive.first_ns
    truth = np.stack([case.drive.at(int(ns), first_ns) for ns in stamps])
    truth = np.linalg.inv(truth[0]) @ truth
    assert np.linalg.norm(truth[-1][:3, 3]) > 1
    np.testing.assert_allclose(poses, truth, atol=2e-8)


def test_sweeps_at_their_stamps_in_the_body_frame(case, reader):
    sweeps = list(reader.lidar())
    assert [stamp for stamp, _ in sweeps] == case.drive.lidar_ns
    for index, (_, points) in enumerate(sweeps):
        np.testing.assert_allclose(points, case.drive.points(index), atol=2e-5)


def test_images_are_the_very_files_at_their_stamps(case, bag):
    found = {name: [] for name in case.drive.cameras}
    with Reader(bag) as stored:
        links = [link for link in stored.connections if link.topic.endswith('/compressed')]
        for link, log_ns, data in stored.messages(links):
            msg = typestore().deserialize_cdr(data, link.msgtype)
            stamp = msg.header.stamp.sec * SECOND + msg.header.stamp.nanosec
            assert stamp == log_ns
            assert msg.format == case.drive.suffix.strip('.').replace('jpg', 'jpeg')
            found[link.topic.split('/')[1]].append((stamp, bytes(msg.data)))
    for name, stamps in case.drive.camera_ns.items():
        assert found[name] == [(ns, case.drive.image(name, i)) for i, ns in enumerate(stamps)]


def test_what_a_recording_has_is_there(bag, case):
    with Reader(bag) as stored:
        counts = {link.topic: link.msgcount for link in stored.connections}
    images = {name: len(stamps) for name, stamps in case.drive.camera_ns.items()}
    assert counts == {
        '/tf_static': 1,
        '/odom': len(case.poses_ns),
        '/lidar/points': len(case.drive.lidar_ns),
        **{f'/{name}/image_raw/compressed': count for name, count in images.items()},
        **{f'/{name}/camera_info': count for name, count in images.items()},
    }
