# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A real key frame becomes a bag in which LiDAR, rig and images agree."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import Reader

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.types import typestore
from selfdepth_ros.cli.main import main
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.nuscenes import import_sample
from selfdepth_ros.inference import load_engine
from selfdepth_ros.pipeline import SurroundDepth
from selfdepth_ros.ply import write_ply
from selfdepth_ros.shipped import shipped

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = Path(os.environ.get('SELFDEPTH_SAMPLES', ROOT.parent / 'shared' / 'data'))
SAMPLE = SAMPLES / 'nuscenes_sample'

pytestmark = pytest.mark.skipif(
    not (SAMPLE / 'calibration.json').exists(),
    reason='the nuScenes sample is absent (set SELFDEPTH_SAMPLES)',
)
CAMERAS = (
    'camera_front', 'camera_front_left', 'camera_back_left',
    'camera_back', 'camera_back_right', 'camera_front_right',
)  # fmt: skip


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    return import_sample(SAMPLE, tmp_path_factory.mktemp('nuscenes') / 'bag')


@pytest.fixture(scope='module')
def scene(bag):
    return Scene(BagReader(bag))


@pytest.fixture(scope='module')
def calibration():
    return json.loads((SAMPLE / 'calibration.json').read_text())


class Scene:
    """The key frame: images, edges in them, and the LiDAR in each camera's frame."""

    def __init__(self, reader):
        self.rig = reader.rig()
        (self.frame,) = reader.surround_frames()
        ((stamp, self.points),) = reader.lidar()
        poses, valid = reader.poses_at(np.array([stamp, *self.frame.stamps_ns]))
        assert valid.all()
        self.camera_from_body = [
            camera.body_from_camera.inverse() @ poses[index + 1].inverse() @ poses[0]
            for index, camera in enumerate(self.rig.cameras)
        ]
        self.edges = [_upright_edges(image) for image in self.frame.images]
        self.outlines = _outlines(self.points)

    def edges_at_outlines(self, turn=None):
        """Mean strength of image edges where LiDAR outlines project to; 1 is that of anywhere."""
        found = []
        for index, camera in enumerate(self.rig.cameras):
            points = self.camera_from_body[index].apply(self.outlines)
            points = points if turn is None else turn.rotate(points)
            pixels, seen = camera.camera.project(points)
            u, v = np.round(pixels[seen]).astype(int).T
            found.append(self.edges[index][v, u])
        return float(np.concatenate(found).mean())


def _upright_edges(image):
    """How strongly brightness changes along the rows; 1 is the image's mean."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    change = np.abs(cv2.Sobel(cv2.GaussianBlur(grey, (0, 0), 2), cv2.CV_32F, 1, 0))
    capped = cv2.GaussianBlur(np.minimum(change, np.percentile(change, 95)), (0, 0), 2)
    return capped / capped.mean()


def _outlines(points):
    """LiDAR points beside which, in the same ring, the next thing is well behind.

    The sweep lists 32 points, one per ring, for each firing: neighbours in a ring lie 32 apart.
    """
    points = points.astype(np.float64)
    rings = np.linalg.norm(points - [0.94, 0.0, 1.84], axis=1).reshape(-1, 32)
    left, right = np.roll(rings, 1, axis=0), np.roll(rings, -1, axis=0)
    behind = np.maximum(left, right) > 1.05 * rings + 0.3
    return points[(behind & (rings > 3) & (rings < 60)).ravel()]


def test_the_rig_is_that_of_the_calibration(scene, calibration):
    assert scene.rig.names == CAMERAS
    for camera in scene.rig.cameras:
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


def test_motion_between_the_stamps_is_in_the_odometry(scene, calibration):
    """Static transforms and odometry together give the dataset's own LiDAR-to-camera matrices."""
    body_from_lidar = np.array(calibration['lidar']['lidar2ego'])
    for camera, camera_from_body in zip(scene.rig.cameras, scene.camera_from_body, strict=True):
        entry = calibration['cameras'][camera.name.replace('camera', 'CAM').upper()]
        np.testing.assert_allclose(
            camera_from_body.matrix @ body_from_lidar,
            entry['lidar2cam_with_ego_motion'],
            atol=1e-6,
        )


def test_the_road_lies_on_the_ground(scene):
    """base_link is on the ground: most points beside and before the car are at height 0."""
    x, y, z = scene.points.T
    road = z[(np.abs(y) < 2) & (x > 5) & (x < 15)]
    assert abs(np.median(road)) < 0.15


@pytest.mark.parametrize('axis', [0, 1, 2])
@pytest.mark.parametrize('degrees', [-2, 2])
def test_lidar_outlines_fall_on_image_edges(scene, axis, degrees):
    """Better with the rig as it is than with every camera turned by two degrees."""
    twist = np.zeros(6)
    twist[3 + axis] = np.deg2rad(degrees)
    straight, turned = scene.edges_at_outlines(), scene.edges_at_outlines(SE3.exp(twist))
    assert straight > 1.7
    assert turned < 0.95 * straight


def test_the_command_prints_the_licence(tmp_path, capsys):
    assert main(['import', 'nuscenes', str(SAMPLE), str(tmp_path / 'bag')]) == 0
    printed = capsys.readouterr().out
    assert 'CC BY-NC-SA 4.0' in printed
    assert '6 cameras' in printed


def test_a_folder_that_is_no_sample(tmp_path):
    with pytest.raises(DatasetError, match='expected the folder of a nuScenes sample'):
        import_sample(tmp_path, tmp_path / 'bag')


def test_a_sample_without_a_picture(tmp_path, calibration):
    copy = tmp_path / 'copy'
    shutil.copytree(SAMPLE, copy)
    (copy / calibration['cameras']['CAM_BACK']['file']).unlink()
    with pytest.raises(DatasetError, match='CAM_BACK__.* cannot be read'):
        import_sample(copy, tmp_path / 'bag')
    assert not (tmp_path / 'bag').exists()


def test_the_shipped_model_makes_a_cloud_of_real_images(scene, tmp_path):
    # It knows only its street: what is held is the path (sizes, lenses, frames), not the depth.
    pipeline = SurroundDepth(load_engine(shipped('model.onnx')), scene.rig)
    result = pipeline(scene.frame)
    cloud = result.cloud
    assert len(cloud) > 50_000 and cloud.missing == () and cloud.frame_id == 'base_link'
    assert set(np.unique(cloud.camera)) == set(range(6))
    assert np.isfinite(cloud.points).all()
    # Every point lies in the view of the camera it came from.
    for index, entry in enumerate(scene.rig.cameras):
        mine = cloud.points[cloud.camera == index].astype(np.float64)
        _, seen = entry.camera.project(entry.body_from_camera.inverse().apply(mine))
        assert seen.mean() > 0.99
    write_ply(tmp_path / 'cloud.ply', cloud)
    assert (tmp_path / 'cloud.ply').stat().st_size > 15 * len(cloud)
