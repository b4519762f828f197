# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth compare` on bags of a world that stands still, seen from a robot that does not."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drive import PERIOD_NS, START_NS, Drive, make_rig, odom_from_body

from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.cli.main import main
from selfdepth_ros.clouds.quality import seen_by
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.rig import save_rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages import PointExtras, pack_points

FRAMES = 4
SHIFT_M = 0.1


def make_world() -> np.ndarray:
    """Points that the cameras see all along the drive, half a metre and more apart."""
    y, z = np.meshgrid(np.arange(-3, 3, 0.5), np.arange(-1, 3, 0.5))
    walls = [np.column_stack([np.full(y.size, x), y.ravel(), z.ravel()]) for x in (-14.0, 16.0)]
    points = np.concatenate(walls)
    seen = [
        seen_by(make_rig(), odom_from_body(START_NS + later).inverse().apply(points))
        for later in range(0, FRAMES * PERIOD_NS, PERIOD_NS // 10)
    ]
    return points[np.all(seen, axis=0)]


WORLD = make_world()


def write_clouds(path: Path, shift_m: float = 0.0, fields: bool = True) -> Path:
    """Clouds of that world, shifted to the side in odom."""
    with BagWriter(path) as bag:
        for frame in range(FRAMES):
            stamp = START_NS + frame * PERIOD_NS
            points = odom_from_body(stamp).inverse().apply(WORLD + [0, shift_m, 0])
            camera = (points[:, 0] < 0).astype(np.uint8)
            colors = np.zeros((len(points), 3), np.uint8)
            cloud = PointCloud.of(points, colors, camera, stamp, 'base_link')
            packed = pack_points(cloud, PointExtras(camera=camera if fields else None))
            bag.write_cloud('/surround/points', stamp, 'base_link', packed)
    return path


def compare(tmp_path: Path, *arguments: Any) -> dict[str, Any]:
    file = tmp_path / 'scores.json'
    assert main(['compare', *map(str, arguments), '--quiet', f'--json={file}']) == 0
    return json.loads(file.read_text('utf-8'))


@pytest.mark.parametrize('shift_m', [0.0, SHIFT_M])
def test_scans_and_clouds_of_other_moments_are_brought_together_by_odometry(
    tmp_path: Path, shift_m: float, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = Drive(frames=FRAMES, world=WORLD).write(tmp_path / 'drive')
    found = compare(tmp_path, write_clouds(tmp_path / 'clouds', shift_m), bag)
    assert (found['clouds'], found['scans']) == (FRAMES, FRAMES)
    assert found['lidar_topic'] == '/lidar/points'
    lidar = found['lidar']
    assert lidar['lidar_points'][-1] == FRAMES * len(WORLD)
    assert lidar['completeness_m'][-1] == pytest.approx(shift_m, abs=1e-3)
    if not shift_m:  # a shifted point is no longer beside the beam
        assert lidar['accuracy_m'][-1] == pytest.approx(0, abs=1e-3)
        assert lidar['points'][-1] == FRAMES * len(WORLD)
    assert found['stability']['mean_m'][-1] == pytest.approx(0, abs=1e-3)
    assert found['stability']['points'][-1] > (FRAMES - 1) * len(WORLD) / 2
    told = capsys.readouterr().out
    assert f'against {FRAMES} LiDAR scans' in told and 'moved by odometry' in told


def test_a_rig_file_of_other_poses_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Points are looked for where the file has the cameras."""
    bag = Drive(frames=FRAMES).write(tmp_path / 'drive')
    clouds, file = write_clouds(tmp_path / 'clouds'), tmp_path / 'rig.yaml'
    poses = make_rig().body_from_cameras()
    found = []
    for turn_deg in (0.0, 20.0):
        turned = SE3.exp(np.array([0, 0, 0, 0, 0, np.radians(turn_deg)])) @ poses
        save_rig(make_rig().with_poses(turned), file)
        found.append(compare(tmp_path, clouds, bag, '--rig', file)['stability']['points'][-1])
        assert ('its poses and lenses count' in caplog.text) == bool(turn_deg)
    assert 0 < found[1] < found[0]


def test_without_lidar_the_clouds_are_still_compared_with_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = Drive(frames=FRAMES).write(tmp_path / 'drive')
    found = compare(tmp_path, write_clouds(tmp_path / 'clouds', fields=False), bag, '--every', 2)
    assert (found['clouds'], found['scans']) == (2, 0)
    assert found['lidar']['accuracy_m'][-1] is None
    assert found['stability']['mean_m'][-1] == pytest.approx(0, abs=1e-3)
    assert 'no LiDAR scan' in capsys.readouterr().out


def test_a_lidar_without_a_place_and_a_damaged_cloud_cost_themselves_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with BagWriter(tmp_path / 'clouds') as bag:
        for frame in range(FRAMES):
            stamp = START_NS + frame * PERIOD_NS
            points = odom_from_body(stamp).inverse().apply(WORLD)
            none = np.zeros((len(points), 3), np.uint8)
            cloud = PointCloud.of(points, none, none[:, 0], stamp, 'base_link')
            msg = bag.messages.cloud(stamp, 'base_link', pack_points(cloud))
            whole = msg if frame != 1 else replace(msg, data=msg.data[:-7])
            bag.write('/surround/points', whole, stamp)
    bag = Drive(frames=FRAMES, world=WORLD, lidar_frame='adrift').write(tmp_path / 'drive')
    found = compare(tmp_path, tmp_path / 'clouds', bag)
    assert (found['clouds'], found['scans']) == (FRAMES - 1, 0)
    assert 'a cloud is left out' in caplog.text
    assert 'clouds are not compared with /lidar/points' in caplog.text
    file = tmp_path / 'doctor.json'
    main(['doctor', str(bag), '--json', str(file)])
    told = json.loads(file.read_text('utf-8'))['warnings']
    assert any('/lidar/points cannot be compared with images' in text for text in told)


def test_a_bag_without_clouds_says_what_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = Drive(frames=FRAMES, world=WORLD).write(tmp_path / 'drive')
    assert main(['compare', str(bag), str(bag)]) == 2
    error = capsys.readouterr().err
    assert 'no clouds on /surround/points' in error and '/lidar/points' in error
