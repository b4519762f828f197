# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""An import goes on where it stopped, loses what is broken and nothing else, and says so."""

import json
import shutil
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from ddad_tree import write_ddad
from kitti_tree import AT, DATE, NAME, stereo, write_kitti_odometry, write_kitti_raw
from known_drive import OPTICAL, SECOND, pose, surround
from nuscenes_tree import VERSION, write_nuscenes

from selfdepth_ros.bags.custom_data import custom_data
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.main import main
from selfdepth_ros.datasets import importing
from selfdepth_ros.datasets.dgp_clock import clock_of
from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.importing import CUSTOM_DATA, import_dataset

START = 1_532_402_927_600_000_000
TENTH = SECOND // 10
THREE = ('000000', '000001', '000002')


def drive(count=4):
    return surround(['camera_01', 'camera_05'], START, (TENTH, TENTH), (count, count))


@pytest.fixture
def ddad(tmp_path):
    return write_ddad(tmp_path / 'ddad', drive(), THREE)


def take(dataset, src, out, scenes=None):
    return import_dataset(dataset, src, out, scenes, progress=False)


def until_interrupted(events):
    """Ctrl-C in the middle of a bag."""
    yield from events
    raise KeyboardInterrupt


def files_of(folder):
    """Every file below a folder but the report, with the time it was written."""
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob('*')
        if path.is_file() and path.name != 'report.txt'
    }


def test_several_scenes_are_a_bag_each_and_one_is_the_bag(ddad, tmp_path):
    report = take('ddad', ddad, tmp_path / 'all')
    assert report.bags == [tmp_path / 'all' / scene for scene in THREE]
    assert {BagReader(bag).cameras for bag in report.bags} == {('camera_01', 'camera_05')}
    chosen = take('ddad', ddad, tmp_path / 'some', ['000002', '000000', '000002'])
    assert chosen.bags == [tmp_path / 'some' / '000002', tmp_path / 'some' / '000000']
    assert take('ddad', ddad, tmp_path / 'one', ['000001']).bags == [tmp_path / 'one']
    for file in (ddad / '000001', next((ddad / '000001').glob('scene_*.json'))):
        out = tmp_path / f'by_{file.name}'
        assert take('ddad', file, out).bags == [out]
    assert str(report) == (tmp_path / 'all' / 'report.txt').read_text().strip()


def test_an_import_goes_on_where_it_was_interrupted(ddad, tmp_path, monkeypatch):
    out = tmp_path / 'out'
    write, started = importing._write, []

    def interrupted(scene, path, *rest):
        started.append(path.name)
        if len(started) == 2:
            scene = replace(scene, events=until_interrupted(scene.events[:5]))
        return write(scene, path, *rest)

    monkeypatch.setattr(importing, '_write', interrupted)
    with pytest.raises(KeyboardInterrupt):
        take('ddad', ddad, out)
    monkeypatch.undo()
    assert sorted(path.name for path in out.iterdir()) == ['000000', 'report.txt']
    first = files_of(out)
    report = take('ddad', ddad, out)
    assert [bag.name for bag in report.bags] == list(THREE)
    assert files_of(out).items() >= first.items()
    assert '000000 (finished before): 2 cameras' in str(report)
    everything = files_of(out)
    take('ddad', ddad, out)
    assert files_of(out) == everything


def test_what_a_killed_import_left_is_removed(ddad, tmp_path):
    out = tmp_path / 'out'
    (out / '.000001.partial-killed').mkdir(parents=True)
    (out / '.000001.partial-killed' / '000001.mcap').write_bytes(b'half')
    take('ddad', ddad, out)
    assert sorted(path.name for path in out.iterdir()) == [*THREE, 'report.txt']


def test_something_else_in_the_place_of_a_bag_is_left_alone(ddad, tmp_path):
    take('ddad', ddad, tmp_path / 'bag', ['000000'])
    before = files_of(tmp_path / 'bag')
    (tmp_path / 'bag_2').mkdir()
    holds, other = 'bag is the bag of scene 000000 of ddad: expected', 'give another OUT, such as'
    other = f'{other} {tmp_path / "bag_3"}$'
    with pytest.raises(BagError, match=f'{holds} a place for the bag of scene 000001; {other}'):
        take('ddad', ddad, tmp_path / 'bag', ['000001'])
    with pytest.raises(BagError, match=f'{holds} a folder for 3 bags; {other}'):
        take('ddad', ddad, tmp_path / 'bag')
    assert files_of(tmp_path / 'bag') == before
    (tmp_path / 'notes' / '000001').mkdir(parents=True)
    for scenes in (['000001'], ['000000', '000001']):
        with pytest.raises(BagError, match='exists already: expected a place .* such as'):
            take('ddad', ddad, tmp_path / 'notes', scenes)


def test_one_scene_more_lies_beside_those_of_before(ddad, tmp_path):
    out = tmp_path / 'all'
    take('ddad', ddad, out, ['000000', '000001'])
    first = files_of(out)
    assert take('ddad', ddad, out, ['000002']).bags == [out / '000002']
    assert files_of(out).items() > first.items()
    everything = files_of(out)
    assert take('ddad', ddad, out, ['000001']).bags == [out / '000001']
    assert files_of(out) == everything


def test_broken_files_cost_themselves_and_are_told(ddad, tmp_path):
    scene = ddad / '000000'
    pictures = scene / 'rgb' / 'CAMERA_01'
    whole = (pictures / '1.jpg').read_bytes()
    (pictures / '0.jpg').write_bytes(whole[: len(whole) // 2])
    (pictures / '1.jpg').unlink()
    (pictures / '2.jpg').write_bytes(b'')
    shutil.copy(ddad / '000001' / 'rgb' / 'CAMERA_05' / '0.jpg', pictures / '3.jpg')
    points = scene / 'point_cloud' / 'LIDAR'
    (points / '1.npz').write_bytes((points / '1.npz').read_bytes()[:100])
    (points / '2.npz').write_bytes(b'')
    report = str(take('ddad', ddad, tmp_path / 'bag', ['000000']))
    assert '2 cameras (camera_01, camera_05), 5 images, 2 sweeps' in report
    assert 'lost: camera_01: 2 x broken, first: ' in report
    assert '0.jpg cannot be read: JPEG of' in report
    assert 'lost: camera_01: 1 x missing, first: ' in report
    assert 'lost: lidar: 2 x broken, first: ' in report
    frames = list(BagReader(tmp_path / 'bag').surround_frames())
    assert [frame.present for frame in frames] == [(False, True)] * 3 + [(True, True)]


def test_an_image_of_another_size_than_its_calibration_is_lost(ddad, tmp_path):
    other = surround(['camera_01'], START, (TENTH, TENTH), (1, 1))
    other.cameras['camera_01'][0].size = (40, 32)
    picture = ddad / '000000' / 'rgb' / 'CAMERA_01' / '2.jpg'
    picture.write_bytes(other.image('camera_01', 0))
    report = str(take('ddad', ddad, tmp_path / 'bag', ['000000']))
    assert '2.jpg is 40x32: expected 48x32 as the calibration says' in report


def test_a_camera_without_an_image_is_not_in_the_rig(ddad, tmp_path):
    shutil.rmtree(ddad / '000000' / 'rgb' / 'CAMERA_05')
    report = str(take('ddad', ddad, tmp_path / 'bag', ['000000']))
    assert 'note: without an image, so not in the rig: camera_05' in report
    assert 'lost: camera_05: 4 x missing' in report
    assert BagReader(tmp_path / 'bag').cameras == ('camera_01',)


def test_a_broken_scene_costs_itself(ddad, tmp_path):
    shutil.rmtree(ddad / '000000' / 'rgb')
    shutil.rmtree(ddad / '000001')
    report = take('ddad', ddad, tmp_path / 'out')
    assert [bag.name for bag in report.bags] == ['000002']
    assert 'not one image can be used' in report.failed['000000']
    assert 'cannot be read' in report.failed['000001']
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['000002', 'report.txt']
    with pytest.raises(DatasetError, match=r'not one scene .* can be imported: 000001: '):
        take('ddad', ddad, tmp_path / 'other', ['000001'])


def test_samples_that_are_calibrated_otherwise_are_lost(ddad, tmp_path):
    (path,) = (ddad / '000000').glob('scene_*.json')
    tree = json.loads(path.read_text())
    tree['samples'][2]['calibration_key'] = 'another'
    path.write_text(json.dumps(tree))
    report = str(take('ddad', ddad, tmp_path / 'bag', ['000000']))
    assert 'lost: samples: 1 x calibrated otherwise than the first sample' in report
    assert '6 images, 3 sweeps' in report


@pytest.mark.parametrize('dataset', ['ddad', 'kitti', 'nuscenes'])
def test_a_wrong_folder_is_told_what_was_expected(dataset, tmp_path, capsys):
    (tmp_path / 'holiday.jpg').write_bytes(b'')
    for src in (tmp_path, tmp_path / 'holiday.jpg', tmp_path / 'nowhere'):
        assert main(['import', dataset, str(src), str(tmp_path / 'bag')]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert str(src) in line
        assert f'expected {dataset}' in line.lower()
    assert not (tmp_path / 'bag').exists()


def test_an_unknown_scene_is_told_the_nearest(ddad, tmp_path):
    with pytest.raises(DatasetError, match="no scene '00000l': expected some of 3, .*000001"):
        take('ddad', ddad, tmp_path / 'bag', ['00000l'])


def test_bags_know_where_they_come_from(tmp_path):
    root = write_ddad(tmp_path / 'ddad', drive(), stamp=lambda ns: 10 * ns)
    take('ddad', root, tmp_path / 'bag')
    told = json.loads(custom_data(tmp_path / 'bag')[CUSTOM_DATA])
    assert (told['dataset'], told['scene']) == ('ddad', '000000')
    assert 'CC BY-NC-SA 4.0' in told['licence']
    assert told['stamps'] == {'divisor': 10, 'subtracted_ns': 0}
    assert any('Divided by 10' in line for line in told['report'])


def test_clocks_beyond_int32():
    fine = [START, START + TENTH]
    assert [clock_of(fine)(ns) for ns in fine] == fine
    late = [ns + 500 * 365 * 86400 * SECOND for ns in fine]
    clock = clock_of(late)
    shifted = [clock(ns) for ns in late]
    assert 0 <= shifted[0] < 2**31 * SECOND
    assert shifted[1] - shifted[0] == TENTH
    assert [ns + clock.told()['subtracted_ns'] for ns in shifted] == late
    assert clock.notes
    slow = clock_of([10 * ns for ns in fine])
    assert [slow(10 * ns) for ns in fine] == fine


def test_kitti_without_oxts_has_no_odometry(tmp_path):
    root = write_kitti_raw(tmp_path / 'kitti', stereo(START, 4), oxts=False)
    report = take('kitti', root / DATE / NAME, tmp_path / 'bag')
    assert 'there is no /odom' in str(report)
    assert BagReader(tmp_path / 'bag').odometry() is None


def test_kitti_without_stamps_runs_at_ten_hertz(tmp_path):
    root = write_kitti_raw(tmp_path / 'kitti', stereo(START, 4))
    for sensor in ('image_02', 'image_03', 'velodyne_points', 'oxts'):
        (root / DATE / NAME / sensor / 'timestamps.txt').unlink()
    report = take('kitti', root / DATE, tmp_path / 'bag')
    assert 'image_02 has no timestamps.txt: stamps are 10 Hz' in str(report)
    reader = BagReader(tmp_path / 'bag')
    stamps, _ = reader.odometry()
    assert set(stamps[1:] - stamps[:-1]) == {TENTH}
    assert [stamp for stamp, _ in reader.lidar()] == stamps.tolist()


def test_kitti_sweeps_and_packets_that_are_missing_leave_the_others_at_their_stamps(tmp_path):
    truth = stereo(START, 5)
    root = write_kitti_raw(tmp_path / 'kitti', truth)
    (root / DATE / NAME / 'velodyne_points' / 'data' / '0000000001.bin').unlink()
    (root / DATE / NAME / 'oxts' / 'data' / '0000000002.txt').write_text('49.0 8.4 ')
    report = take('kitti', root, tmp_path / 'bag')
    assert 'lost: lidar: 1 x missing' in str(report)
    assert 'lost: oxts: 1 x a packet without stamp, or not of 30 numbers' in str(report)
    reader = BagReader(tmp_path / 'bag')
    assert [ns for ns, _ in reader.lidar()] == [truth.lidar_ns[i] for i in (0, 2, 3, 4)]
    images_ns = truth.camera_ns['camera_02']
    assert reader.odometry()[0].tolist() == [images_ns[i] for i in (0, 1, 3, 4)]


def test_kitti_odometry_test_sequences_have_no_poses(tmp_path):
    write_kitti_odometry(tmp_path / 'kitti', stereo(START, 3), '00')
    root = write_kitti_odometry(tmp_path / 'kitti', stereo(START, 3), '11', poses=False)
    report = take('kitti', root, tmp_path / 'out')
    assert [bag.name for bag in report.bags] == ['00', '11']
    assert BagReader(tmp_path / 'out' / '00').odometry() is not None
    assert BagReader(tmp_path / 'out' / '11').odometry() is None


def test_kitti_odometry_without_velodyne_stands_below_its_first_camera(tmp_path):
    root = write_kitti_odometry(tmp_path / 'kitti', stereo(START, 3), velodyne=False)
    take('kitti', root, tmp_path / 'bag')
    reader = BagReader(tmp_path / 'bag')
    assert not reader.has_lidar
    body_from_camera_0 = pose((0, 0, 0), (0, 0, 1.65), OPTICAL)
    for camera in reader.rig().cameras:
        expected = body_from_camera_0 @ pose((0, 0, 0), AT[int(camera.name[-2:])])
        np.testing.assert_allclose(camera.body_from_camera.matrix, expected, atol=1e-9)


def test_kitti_takes_grey_cameras_only_where_there_are_no_others(tmp_path):
    root = write_kitti_odometry(tmp_path / 'grey', stereo(START, 3, used=(0, 1)))
    take('kitti', root, tmp_path / 'grey_bag')
    assert set(BagReader(tmp_path / 'grey_bag').cameras) == {'camera_00', 'camera_01'}
    root = write_kitti_odometry(tmp_path / 'all', stereo(START, 3, used=(0, 1, 2, 3)))
    take('kitti', root / 'sequences' / '00', tmp_path / 'all_bag')
    assert set(BagReader(tmp_path / 'all_bag').cameras) == {'camera_02', 'camera_03'}


def test_nuscenes_of_which_a_part_was_downloaded(tmp_path):
    """The tables name every scene; those whose files are elsewhere have one short line each."""
    root = write_nuscenes(tmp_path / 'nuscenes', drive(), ('scene-0061', 'scene-0103'))
    for path in list(root.glob('s*/*/n001__*')):
        path.unlink()
    report = take('nuscenes', root / VERSION, tmp_path / 'out')
    assert [bag.name for bag in report.bags] == ['scene-0061']
    why = report.failed['scene-0103']
    assert why.startswith('not one of its 8 images is there (first: ')
    assert why.endswith('expected the part of nuScenes that has them; download and unpack it')
    assert len(why) < 200 + len(str(root))
    (root / 'v1.0-trainval').mkdir()
    shutil.copy(root / VERSION / 'scene.json', root / 'v1.0-trainval')
    with pytest.raises(DatasetError, match=r'has v1.0-mini, v1.0-trainval: expected one'):
        take('nuscenes', root, tmp_path / 'other')


def test_nuscenes_poses_that_are_missing_or_none(tmp_path):
    root = write_nuscenes(tmp_path / 'nuscenes', drive(), ('scene-0061', 'scene-0103'))
    path = root / VERSION / 'ego_pose.json'
    rows = sorted(json.loads(path.read_text()), key=lambda row: row['token'])
    rows[-2]['rotation'] = [0.0, 0.0, 0.0, 0.0]
    path.write_text(json.dumps(rows[1:]))  # the last is a radar's
    report = take('nuscenes', root, tmp_path / 'out')
    assert 'lost: ego_pose: 1 x missing' in str(report)
    assert [bag.name for bag in report.bags] == ['scene-0061']
    assert 'have no pose but' in report.failed['scene-0103']


@pytest.mark.parametrize('table', ['sample_data', 'ego_pose', 'calibrated_sensor', 'scene'])
def test_nuscenes_tables_that_are_cut_off(table, tmp_path):
    root = write_nuscenes(tmp_path / 'nuscenes', drive())
    path = root / VERSION / f'{table}.json'
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DatasetError, match=rf'{table}.json is no JSON .* download it again'):
        take('nuscenes', root, tmp_path / 'bag')


def test_a_drive_is_never_in_memory_as_a_whole(tmp_path):
    root = write_ddad(tmp_path / 'long', drive(20))
    for path in root.rglob('*.jpg'):
        path.write_bytes(path.read_bytes() + bytes(1_000_000))  # whatever follows is kept, too
    tracemalloc.start()
    try:
        take('ddad', root, tmp_path / 'bag')
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (bag,) = (tmp_path / 'bag').glob('*.mcap')
    assert peak < 0.3 * bag.stat().st_size, (peak, bag.stat().st_size)
