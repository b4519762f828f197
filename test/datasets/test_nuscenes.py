# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The key frame of nuScenes: what its calibration says is in the bag."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from rosbags.rosbag2 import Reader
from samples import NUSCENES

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.types import typestore
from selfdepth_ros.core.se3 import interpolate_poses
from selfdepth_ros.datasets.importing import import_dataset
from selfdepth_ros.inference import load_engine
from selfdepth_ros.pipeline import SurroundDepth
from selfdepth_ros.ply import write_ply
from selfdepth_ros.shipped import shipped

SAMPLE = NUSCENES.folder

pytestmark = pytest.mark.skipif(
    NUSCENES.absent, reason='the sample is absent (set SELFDEPTH_SAMPLES)'
)
CAMERAS = (
    'camera_front', 'camera_front_left', 'camera_back_left',
    'camera_back', 'camera_back_right', 'camera_front_right',
)  # fmt: skip


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    out = tmp_path_factory.mktemp('nuscenes') / 'bag'
    import_dataset('nuscenes', SAMPLE, out, progress=False)
    return out


@pytest.fixture(scope='module')
def reader(bag):
    return BagReader(bag)


@pytest.fixture(scope='module')
def calibration():
    return json.loads((SAMPLE / 'calibration.json').read_text())


def test_the_rig_is_that_of_the_calibration(reader, calibration):
    assert reader.rig().names == CAMERAS
    for camera in reader.rig().cameras:
        entry = calibration['cameras'][camera.name.replace('camera', 'CAM').upper()]
        assert camera.camera.fx == entry['cam2img'][0][0]
        assert (camera.camera.width, camera.camera.height) == (1600, 900)
        np.testing.assert_allclose(camera.body_from_camera.matrix, entry['cam2ego'], atol=1e-6)


def test_images_are_the_very_files(bag, calibration):
    files = {
        f'/{name.lower().replace("cam", "camera", 1)}/image_raw/compressed': entry['file']
        for name, entry in calibration['cameras'].items()
    }
    with Reader(bag) as reader:
        links = [link for link in reader.connections if link.topic in files]
        for link, _, data in reader.messages(links):
            msg = typestore().deserialize_cdr(data, link.msgtype)
            assert (
                hashlib.sha256(msg.data).digest()
                == hashlib.sha256((SAMPLE / files.pop(link.topic)).read_bytes()).digest()
            )
    assert files == {}


def test_motion_between_the_stamps_is_in_the_odometry(reader, calibration):
    """Static transforms and odometry together give the dataset's own LiDAR-to-camera matrices."""
    body_from_lidar = np.array(calibration['lidar']['lidar2ego'])
    (frame,) = reader.surround_frames()
    ((stamp, _),) = reader.lidar()
    poses, valid = interpolate_poses(*reader.odometry(), np.array([stamp, *frame.stamps_ns]))
    assert valid.all()
    for index, camera in enumerate(reader.rig().cameras):
        entry = calibration['cameras'][camera.name.replace('camera', 'CAM').upper()]
        body_from_lidar_body = poses[index + 1].inverse() @ poses[0]
        camera_from_body = camera.body_from_camera.inverse() @ body_from_lidar_body
        np.testing.assert_allclose(
            camera_from_body.matrix @ body_from_lidar,
            entry['lidar2cam_with_ego_motion'],
            atol=1e-6,
        )


def test_a_sample_without_a_picture(tmp_path, calibration):
    copy = tmp_path / 'copy'
    shutil.copytree(SAMPLE, copy)
    (copy / calibration['cameras']['CAM_BACK']['file']).unlink()
    report = import_dataset('nuscenes', copy, tmp_path / 'bag', progress=False)
    assert 'lost: camera_back: 1 x missing' in str(report)
    assert set(BagReader(tmp_path / 'bag').cameras) == set(CAMERAS) - {'camera_back'}


def test_the_shipped_model_makes_a_cloud_of_real_images(reader, tmp_path):
    # It knows only its street: what is held is the path (sizes, lenses, frames), not the depth.
    rig, (frame,) = reader.rig(), reader.surround_frames()
    result = SurroundDepth(load_engine(shipped('model.onnx')), rig)(frame)
    cloud = result.cloud
    assert len(cloud) > 50_000 and cloud.missing == () and cloud.frame_id == 'base_link'
    assert set(np.unique(cloud.camera)) == set(range(6))
    assert np.isfinite(cloud.points).all()
    # Every point lies in the view of the camera it came from.
    for index, entry in enumerate(rig.cameras):
        mine = cloud.points[cloud.camera == index].astype(np.float64)
        _, seen = entry.camera.project(entry.body_from_camera.inverse().apply(mine))
        assert seen.mean() > 0.99
    write_ply(tmp_path / 'cloud.ply', cloud)
    assert (tmp_path / 'cloud.ply').stat().st_size > 15 * len(cloud)
