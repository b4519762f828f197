# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Scores of a fixed prediction on real images: a protocol means the same for ever."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.datasets.nuscenes import import_sample
from selfdepth_training.evaluate import evaluate
from selfdepth_training.protocols import protocol

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = Path(os.environ.get('SELFDEPTH_SAMPLES', ROOT.parent / 'shared' / 'data'))
LIDAR_ABOVE_ROAD_M = 1.73  # KITTI's Velodyne


def needs(folder: str, name: str) -> pytest.MarkDecorator:
    """Skip where a sample is absent: its licence forbids shipping it."""
    reason = f'the {name} sample is absent (set SELFDEPTH_SAMPLES)'
    return pytest.mark.skipif(not (SAMPLES / folder).exists(), reason=reason)


def nuscenes(out: Path) -> Path:
    """Six cameras, one key frame, a car that drives."""
    return import_sample(SAMPLES / 'nuscenes_sample', out)


def kitti(out: Path) -> Path:
    """One camera and every sweep of a short clip."""
    day = SAMPLES / 'kitti_clip' / '2011_09_26'
    drive = day / '2011_09_26_drive_clip_sync'
    camera = _kitti_calibration(day / 'calib_cam_to_cam.txt')
    lidar = _kitti_calibration(day / 'calib_velo_to_cam.txt')
    projection = camera['P_rect_02'].reshape(3, 4)
    fx, fy, cx, cy = projection[[0, 1, 0, 1], [0, 1, 2, 2]]
    aside = np.linalg.solve(projection[:, :3], projection[:, 3])
    rectified = SE3.from_rotation_translation(camera['R_rect_00'].reshape(3, 3), aside)
    camera_from_lidar = rectified @ SE3.from_rotation_translation(
        lidar['R'].reshape(3, 3), lidar['T']
    )
    body_from_lidar = SE3.from_rotation_translation(
        np.eye(3), np.array([0, 0, LIDAR_ABOVE_ROAD_M])
    )
    entry = RigCamera(
        'camera_front', PinholeCamera(1242, 375, fx, fy, cx, cy),
        body_from_lidar @ camera_from_lidar.inverse(), 'camera_front_optical_frame',
    )  # fmt: skip
    shots = []
    for sweep in sorted((drive / 'velodyne_points' / 'data').glob('*.bin')):
        image = drive / 'image_02' / 'data' / f'{sweep.stem}.jpg'
        points = np.fromfile(sweep, np.float32).reshape(-1, 4)[:, :3]
        shots.append((10**9 + int(sweep.stem) * 10**8, [image], body_from_lidar.apply(points)))
    return _write(out, Rig(cameras=(entry,)), shots)


def ddad(out: Path) -> Path:
    """Three cameras of a car that stands still, so that all stamps may be those of the images."""
    scene = SAMPLES / 'ddad_sample' / 'scene_01'
    (calibration,) = (json.loads(path.read_text()) for path in (scene / 'calibration').iterdir())
    entries = []
    for name, lens, pose in zip(
        calibration['names'], calibration['intrinsics'], calibration['extrinsics'], strict=True
    ):
        if (scene / 'rgb' / name).exists():
            camera = PinholeCamera(1936, 1216, *(lens[key] for key in ('fx', 'fy', 'cx', 'cy')))
            turn = [pose['rotation'][key] for key in ('qx', 'qy', 'qz', 'qw')]
            mount = SE3.from_quaternion(
                np.array(turn), np.array([pose['translation'][key] for key in 'xyz'])
            )
            entries.append(RigCamera(name.lower(), camera, mount, f'{name.lower()}_optical_frame'))
    images = [sorted((scene / 'rgb' / entry.name.upper()).iterdir()) for entry in entries]
    sweeps = sorted((scene / 'point_cloud' / 'LIDAR').glob('*.npz'))
    shots = [
        (10**9 * (1 + index), [paths[index] for paths in images], np.load(sweep)['data'][:, :3])
        for index, sweep in enumerate(sweeps)
    ]
    return _write(out, Rig(cameras=tuple(entries)), shots)


def _kitti_calibration(path: Path) -> dict[str, np.ndarray]:
    pairs = (line.split(': ', 1) for line in path.read_text().splitlines() if ': ' in line)
    return {key: np.array(v.split(), float) for key, v in pairs if key != 'calib_time'}


def _write(out: Path, rig: Rig, shots: list[tuple[int, list[Path], np.ndarray]]) -> Path:
    with BagWriter(out) as bag:
        bag.write_rig(rig, shots[0][0])
        for stamp, images, points in shots:
            for entry, path in zip(rig.cameras, images, strict=True):
                topic = f'/{entry.name}/image_raw/compressed'
                bag.write_compressed(topic, stamp, entry.frame_id, path.read_bytes())
            bag.write_cloud('/lidar/points', stamp, rig.body_frame, points.astype(np.float32))
    return out


def road(rig: Rig) -> list[np.ndarray]:
    """Depth of a flat road under the robot; 40 m where a pixel looks above it or farther."""
    depths = []
    for entry in rig.cameras:
        rays, _ = entry.camera.pixel_rays()
        down = -entry.body_from_camera.rotate(rays.astype(np.float64))[..., 2]
        height = entry.body_from_camera.translation[2]
        along = height / np.maximum(down, height / 40)
        depths.append(np.minimum(along * rays[..., 2], 40).astype(np.float32))
    return depths


# Means over the cameras: abs_rel, rmse, delta1, median-scaled abs_rel; and pixels that count.
PINNED = [
    pytest.param(nuscenes, 'nuscenes', (0.56554, 11.74613, 0.55757, 0.37145, 22040),
                 marks=needs('nuscenes_sample', 'nuScenes')),
    pytest.param(nuscenes, 'street', (0.56434, 11.03797, 0.57333, 0.35589, 21081),
                 marks=needs('nuscenes_sample', 'nuScenes')),
    pytest.param(kitti, 'kitti-eigen', (1.57409, 15.77772, 0.29836, 0.58220, 179579),
                 marks=needs('kitti_clip', 'KITTI')),
    pytest.param(ddad, 'ddad', (1.09527, 18.24656, 0.42309, 0.47042, 76865),
                 marks=needs('ddad_sample', 'DDAD')),
]  # fmt: skip


@pytest.mark.parametrize(('bag', 'name', 'pinned'), PINNED)
def test_the_scores_of_a_flat_road_do_not_change(bag, name, pinned, tmp_path):
    reader = BagReader(bag(tmp_path / 'bag'))
    rig = reader.rig()
    depths = road(rig)
    mean = evaluate(lambda frame: depths, reader, rig, protocol(name).config).mean
    pixels = sum(band.count for band in mean.bands)
    found = (
        mean.metric.abs_rel, mean.metric.rmse, mean.metric.delta1, mean.median_scaled.abs_rel,
        pixels,
    )  # fmt: skip
    assert found == pytest.approx(pinned, rel=1e-3)


@needs('nuscenes_sample', 'nuScenes')
def test_a_few_points_of_a_real_sweep_are_hidden(tmp_path):
    """Measured: 2.9 %; the LiDAR stands 0.3 m above the cameras."""
    reader, counted = BagReader(nuscenes(tmp_path / 'bag')), []
    depths = road(reader.rig())
    for without in (False, True):
        config = protocol('nuscenes', without_hidden=without).config
        bands = evaluate(lambda frame: depths, reader, reader.rig(), config).mean.bands
        counted.append(sum(band.count for band in bands))
    assert 0.95 < counted[1] / counted[0] < 0.99
