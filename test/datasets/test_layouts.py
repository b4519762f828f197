# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the published archives have beside the plain case: gaps, folders, sizes, other lenses."""

import json
import shutil
import tracemalloc

import numpy as np
import pytest
from ddad_tree import write_ddad
from kitti_tree import DATE, NAME, stereo, write_kitti_odometry, write_kitti_raw
from known_drive import SECOND, surround
from nuscenes_tree import VERSION, write_nuscenes

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.importing import import_dataset
from selfdepth_ros.datasets.nuscenes import open_nuscenes
from selfdepth_ros.datasets.scene import Pose

START = 1_532_402_927_600_000_000


def drive():
    return surround(['camera_01', 'camera_05'], START, (SECOND // 10, SECOND // 10), (3, 3))


def take(dataset, src, out):
    return import_dataset(dataset, src, out, progress=False)


def test_sweeps_that_kitti_lacks_have_empty_lines_for_stamps_and_are_told(tmp_path):
    """As in 2011_09_26_drive_0009; the empty line at the end of a file is none of them."""
    truth = stereo(START, 5)
    root = write_kitti_raw(tmp_path / 'kitti', truth)
    sensor = root / DATE / NAME / 'velodyne_points'
    lines = (sensor / 'timestamps.txt').read_text().splitlines()
    lines[1] = lines[2] = ''
    (sensor / 'timestamps.txt').write_text('\n'.join(lines) + '\n\n')
    for number in (1, 2):
        (sensor / 'data' / f'{number:010}.bin').unlink()
    report = str(take('kitti', root, tmp_path / 'bag'))
    assert 'lost: velodyne_points: 2 x missing, without a stamp in timestamps.txt' in report
    assert [ns for ns, _ in BagReader(tmp_path / 'bag').lidar()] == [
        truth.lidar_ns[index] for index in (0, 3, 4)
    ]


def test_archives_of_kitti_odometry_unpack_into_a_folder_dataset(tmp_path):
    write_kitti_odometry(tmp_path / 'kitti' / 'dataset', stereo(START, 3))
    assert take('kitti', tmp_path / 'kitti', tmp_path / 'bag').bags
    assert BagReader(tmp_path / 'bag').odometry() is not None


@pytest.mark.parametrize('field', ['k1', 'fisheye', 'xi'])
def test_lenses_of_dgp_that_are_no_pinholes_are_refused(field, tmp_path):
    root = write_ddad(tmp_path / 'ddad', drive())
    path = root / '000000' / 'calibration' / 'c0e1.json'
    tree = json.loads(path.read_text())
    tree['intrinsics'][0][field] = 1
    path.write_text(json.dumps(tree))
    with pytest.raises(DatasetError, match=f'CAMERA_01 has {field}: expected undistorted pinhole'):
        take('ddad', root, tmp_path / 'bag')


def test_scenes_of_dgp_in_one_folder_are_a_bag_each(tmp_path):
    """DGP names scene files by their hash, so that versions of one stand side by side."""
    root = write_ddad(tmp_path / 'ddad', drive())
    (path,) = (root / '000000').glob('scene_*.json')
    shutil.copy(path, path.with_name('scene_00ff.json'))
    report = take('ddad', root / '000000', tmp_path / 'out')
    names = ['000000_scene_00ff', f'000000_{path.stem}']
    assert [bag.name for bag in report.bags] == names


def test_tables_of_nuscenes_without_a_scene_are_one_clear_error(tmp_path):
    root = write_nuscenes(tmp_path / 'nuscenes', drive())
    (root / VERSION / 'scene.json').write_text('[]')
    with pytest.raises(DatasetError, match='not one scene of .* found no scene'):
        take('nuscenes', root, tmp_path / 'out')


def test_tables_of_nuscenes_are_never_in_memory_as_a_whole(tmp_path):
    root = write_nuscenes(tmp_path / 'nuscenes', drive())
    for name in ('sample_data', 'ego_pose'):
        path = root / VERSION / f'{name}.json'
        rows = json.loads(path.read_text())
        others = [{**rows[0], 'token': str(index), 'sample_token': '-'} for index in range(20_000)]
        path.write_text(json.dumps(rows + others))
    catalogue = open_nuscenes(root)
    tracemalloc.start()
    try:
        with catalogue.reading(['scene-0061']) as read_scene:
            scene = read_scene('scene-0061')
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert scene.total == 18  # two cameras and a LiDAR, three times; each with its pose
    assert peak < 0.2 * path.stat().st_size, (peak, path.stat().st_size)


def test_a_pose_of_nuscenes_that_comes_twice_is_its_last_row(tmp_path):
    root = write_nuscenes(tmp_path / 'nuscenes', drive())
    path = root / VERSION / 'ego_pose.json'
    rows = json.loads(path.read_text())
    wrong = [{**row, 'translation': [9.0, 9.0, 9.0]} for row in rows]
    found = []
    for table in (rows, wrong + rows):
        path.write_text(json.dumps(table))
        with open_nuscenes(root).reading(['scene-0061']) as read_scene:
            events = list(read_scene('scene-0061').events)
        found.append([event.world_from_body.matrix for event in events if isinstance(event, Pose)])
    assert len(events) == 18
    np.testing.assert_array_equal(*found)


def test_an_index_of_nuscenes_leaves_nothing_when_the_import_is_killed(tmp_path, monkeypatch):
    """Of the whole dataset that would be 0.8 GB each time."""
    root = write_nuscenes(tmp_path / 'nuscenes', drive())
    (tmp_path / 'temporary').mkdir()
    monkeypatch.setenv('TMPDIR', str(tmp_path / 'temporary'))
    monkeypatch.setattr('tempfile.tempdir', None)  # which it took from TMPDIR before
    with open_nuscenes(root).reading(['scene-0061']) as read_scene:
        assert len(list(read_scene('scene-0061').events)) == 18
        assert not list((tmp_path / 'temporary').rglob('*'))


@pytest.mark.parametrize('progress', [True, False])
def test_tables_of_nuscenes_that_take_minutes_show_how_far_they_are(progress, tmp_path, capsys):
    root = write_nuscenes(tmp_path / 'nuscenes', drive())
    import_dataset('nuscenes', root, tmp_path / 'bag', progress=progress)
    shown = capsys.readouterr().err
    for name in ('sample_data.json: 100%', 'ego_pose.json: 100%'):
        assert (name in shown) == progress
