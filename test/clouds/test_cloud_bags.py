# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth cloud`: where the points are, what plays beside them, what is left when it fails."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import open3d
import pytest
from drive import LATER_NS, PERIOD_NS, START_NS, Drive, make_rig, odom_from_body, write_model

from selfdepth_ros.bags.factory import MessageFactory
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.bags.storage import BagStorage
from selfdepth_ros.cli.main import main
from selfdepth_ros.clouds.config import CloudsConfig
from selfdepth_ros.clouds.writing import CloudOutputs, write_clouds
from selfdepth_ros.core.rig import save_rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.inference import load_engine
from selfdepth_ros.messages import points_from_cloud_msg, stamp_ns, transform_from_msg

WALL_M = 3.0
"""How far from its camera the model puts what is black."""


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp('model'))


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Drive().write(tmp_path_factory.mktemp('bags') / 'drive')


@pytest.fixture(scope='module')
def clouds(tmp_path_factory: pytest.TempPathFactory, model: Path, bag: Path) -> Path:
    out = tmp_path_factory.mktemp('out') / 'clouds'
    assert run(model, bag, out, '--ply', '--pcd', '--map') == 0
    return out


def run(*arguments: Any) -> int:
    return main(['cloud', *map(str, arguments), '--quiet'])


def messages(path: Path, topic: str = '/surround/points') -> list[Any]:
    storage = BagStorage(path, BagReport(path))
    return [msg for _, _, msg in storage.messages([topic])]


def as_bytes(msgs: list[Any]) -> list[bytes]:
    factory = MessageFactory()
    return [bytes(factory.serialize(msg)) for msg in msgs]


def stamps_of(msgs: list[Any]) -> list[int]:
    return [stamp_ns(getattr(msg, 'header', None) or msg.transforms[0].header) for msg in msgs]


def set_stamps(count: int) -> list[int]:
    return [START_NS + index * PERIOD_NS for index in range(count)]


def left_in(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_each_set_is_a_cloud_at_its_stamp_in_the_body_frame(clouds: Path) -> None:
    found = messages(clouds)
    assert stamps_of(found) == set_stamps(4)
    assert {msg.header.frame_id for msg in found} == {'base_link'}
    assert [field.name for field in found[0].fields] == ['x', 'y', 'z', 'rgb', 'camera']


def test_points_of_the_later_camera_are_moved_to_the_stamp_of_the_cloud(clouds: Path) -> None:
    for msg in messages(clouds):
        now = stamp_ns(msg.header)
        cameras = np.frombuffer(msg.data, np.uint8).reshape(-1, 20)[:, 16]
        points = points_from_cloud_msg(msg).astype(float)
        ahead, behind = points[cameras == 0], points[cameras == 1]
        np.testing.assert_allclose(ahead[:, 0], 0.5 + WALL_M, atol=1e-5)
        then_from_now = odom_from_body(now + LATER_NS).inverse() @ odom_from_body(now)
        np.testing.assert_allclose(then_from_now.apply(behind)[:, 0], -0.5 - WALL_M, atol=1e-4)
        assert np.abs(behind[:, 0] + 0.5 + WALL_M).min() > 0.1  # 10 m/s for 20 ms, and the turn


def test_odometry_is_copied_and_is_a_transform_too(bag: Path, clouds: Path) -> None:
    odometry = messages(clouds, '/odom')
    assert as_bytes(odometry) == as_bytes(messages(bag, '/odom'))
    transforms = messages(clouds, '/tf')
    assert stamps_of(transforms) == stamps_of(odometry)
    for msg in transforms:
        (stamped,) = msg.transforms
        assert (stamped.header.frame_id, stamped.child_frame_id) == ('odom', 'base_link')
        expected = odom_from_body(stamp_ns(stamped.header)).matrix
        np.testing.assert_allclose(transform_from_msg(stamped).matrix, expected, atol=1e-9)


def test_the_fixed_frames_are_there_before_the_first_message(bag: Path, clouds: Path) -> None:
    (found,) = messages(clouds, '/tf_static')
    told = {(t.header.frame_id, t.child_frame_id) for t in found.transforms}
    assert told == {('base_link', f) for f in ('front_optical', 'back_optical', 'lidar')}
    storage = BagStorage(clouds, BagReport(clouds))
    first = next(storage.messages(storage.topics))
    assert first[:2] == ('/tf_static', START_NS)


def test_a_body_that_hangs_on_another_frame_keeps_its_one_parent(
    tmp_path: Path, model: Path
) -> None:
    bag, out = Drive(footprint=True, frames=1).write(tmp_path / 'drive'), tmp_path / 'clouds'
    assert run(model, bag, out) == 0
    for msg in messages(out, '/tf'):
        (stamped,) = msg.transforms
        assert stamped.child_frame_id == 'base_footprint'
        odom_from_footprint = transform_from_msg(stamped)
        raised = odom_from_footprint @ SE3.exp(np.array([0, 0, 0.3, 0, 0, 0]))
        expected = odom_from_body(stamp_ns(stamped.header)).matrix
        np.testing.assert_allclose(raised.matrix, expected, atol=1e-9)


def test_files_hold_the_points_of_the_messages(clouds: Path) -> None:
    for msg, ply, pcd in zip(
        messages(clouds),
        sorted((clouds / 'ply').iterdir()),
        sorted((clouds / 'pcd').iterdir()),
        strict=True,
    ):
        stamp = stamp_ns(msg.header)
        assert ply.stem == pcd.stem == f'{stamp // 10**9}.{stamp % 10**9:09d}'
        for file in (ply, pcd):
            read = open3d.t.io.read_point_cloud(str(file)).point.positions.numpy()
            np.testing.assert_array_equal(read, points_from_cloud_msg(msg))


def test_the_map_is_where_the_walls_were_seen_from_the_odometry(clouds: Path) -> None:
    points = open3d.t.io.read_point_cloud(str(clouds / 'map.ply')).point.positions.numpy()
    walls = []
    for stamp in set_stamps(4):
        ahead = odom_from_body(stamp).inverse().apply(points.astype(float))
        back = odom_from_body(stamp + LATER_NS).inverse().apply(points.astype(float))
        walls += [ahead[:, 0] - 0.5 - WALL_M, back[:, 0] + 0.5 + WALL_M]
    assert np.abs(walls).min(axis=0).max() < 1e-4
    assert (np.abs(walls) < 1e-4).any(axis=1).all()  # each wall is in the map


def test_every_other_set(tmp_path: Path, model: Path, bag: Path) -> None:
    assert run(model, bag, tmp_path / 'out', '--every', 2) == 0
    assert stamps_of(messages(tmp_path / 'out')) == set_stamps(4)[::2]


def test_a_sqlite_bag_gives_the_same_clouds(tmp_path: Path, model: Path, clouds: Path) -> None:
    bag = Drive(storage='sqlite3').write(tmp_path / 'drive')
    assert run(model, bag, tmp_path / 'out') == 0
    assert as_bytes(messages(tmp_path / 'out')) == as_bytes(messages(clouds))


def test_without_odometry_points_stay_where_they_were_seen_and_that_is_said(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = Drive(odometry=False).write(tmp_path / 'drive')
    assert run(model, bag, tmp_path / 'out') == 0
    found = messages(tmp_path / 'out')
    assert stamps_of(found) == set_stamps(4)
    for msg in found:
        points = points_from_cloud_msg(msg)
        np.testing.assert_allclose(np.abs(points[:, 0]), 0.5 + WALL_M, atol=1e-5)
    assert messages(tmp_path / 'out', '/tf') == []
    assert (
        '4 clouds are as seen, not moved to one time: no pose is known' in capsys.readouterr().out
    )


def test_a_map_without_odometry_is_refused(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = Drive(odometry=False).write(tmp_path / 'drive')
    assert run(model, bag, tmp_path / 'out', '--map') == 2
    assert 'no odometry' in capsys.readouterr().err
    assert left_in(tmp_path) == ['drive']


def test_masks_of_a_rig_file_are_left_out(tmp_path: Path, model: Path, bag: Path) -> None:
    cameras = list(make_rig().cameras)
    mask = np.zeros((cameras[0].camera.height, cameras[0].camera.width), bool)
    mask[:, : cameras[0].camera.width // 2] = True  # the left half of the front camera
    cameras[0] = replace(cameras[0], self_occlusion=mask)
    save_rig(replace(make_rig(), cameras=tuple(cameras)), tmp_path / 'rig.yaml')
    assert run(model, bag, tmp_path / 'out', '--rig', tmp_path / 'rig.yaml') == 0
    for msg in messages(tmp_path / 'out'):
        points = points_from_cloud_msg(msg)
        assert (points[points[:, 0] > 0, 1] < 0).all()
        assert (points[points[:, 0] < 0, 1] > 0).any()


def test_a_corrected_rig_without_masks_has_those_of_the_model(tmp_path: Path, bag: Path) -> None:
    """As `calibrate` writes it from a bag."""
    first, *others = make_rig().cameras
    hidden = np.ones((first.camera.height, first.camera.width), bool)
    model = write_model(tmp_path)
    masked = replace(make_rig(), cameras=(replace(first, self_occlusion=hidden), *others))
    save_rig(masked, (model if model.is_dir() else model.parent) / 'rig.yaml')
    save_rig(make_rig(), tmp_path / 'corrected.yaml')
    assert run(model, bag, tmp_path / 'out', '--rig', tmp_path / 'corrected.yaml') == 0
    points = points_from_cloud_msg(next(iter(messages(tmp_path / 'out'))))
    assert len(points) and (points[:, 0] < 0).all()  # the first camera looks ahead


@pytest.mark.parametrize('beside', [False, True], ids=['asked for', 'of the model'])
@pytest.mark.parametrize('moved_m', [0.0, 0.05])
def test_a_rig_file_of_other_poses_is_told(
    tmp_path: Path, bag: Path, moved_m: float, beside: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a file that was asked for the poses count; of the model's the masks alone."""
    first, *others = make_rig().cameras
    moved = SE3.exp(np.array([moved_m, 0, 0, 0, 0, 0])) @ first.body_from_camera
    rig = replace(make_rig(), cameras=(replace(first, body_from_camera=moved), *others))
    model = write_model(tmp_path)
    file = (model if model.is_dir() else model.parent) / 'rig.yaml'
    save_rig(rig, file)
    assert run(model, bag, tmp_path / 'out', *(() if beside else ('--rig', file))) == 0
    what = 'only its masks are used' if beside else 'its poses and lenses count'
    told = [r.message for r in caplog.records if what in r.message]
    assert len(told) == bool(moved_m)
    assert all(f'{first.name}: the position' in message for message in told)
    file.unlink()
    assert run(model, bag, tmp_path / 'bare') == 0
    there, bare = (
        points_from_cloud_msg(next(iter(messages(tmp_path / name)))) for name in ('out', 'bare')
    )
    shift_m = np.linalg.norm(there[:, :3] - bare[:, :3], axis=1)
    ahead = bare[:, 0] > 0  # what the first camera sees
    np.testing.assert_allclose(shift_m[ahead], 0 if beside else moved_m, atol=1e-4)
    np.testing.assert_allclose(shift_m[~ahead], 0, atol=1e-4)


def test_a_rig_file_in_another_frame_is_refused(
    tmp_path: Path, model: Path, bag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_rig(replace(make_rig(), body_frame='base_footprint'), tmp_path / 'rig.yaml')
    assert run(model, bag, tmp_path / 'out', '--rig', tmp_path / 'rig.yaml') == 2
    told = capsys.readouterr().err
    assert 'rig.yaml: ' in told and 'poses in base_footprint, expected base_link' in told
    assert not (tmp_path / 'out').exists()


def test_settings_are_those_of_the_node(tmp_path: Path, model: Path, bag: Path) -> None:
    settings = ('--set=points.camera=false', '--set=points.stride_px=2')
    assert run(model, bag, tmp_path / 'out', *settings) == 0
    (msg, *_) = messages(tmp_path / 'out')
    assert [field.name for field in msg.fields] == ['x', 'y', 'z', 'rgb']
    assert 0 < msg.width < 2 * 16 * 12 + 1


def test_an_interrupted_one_leaves_nothing(tmp_path: Path, model: Path, bag: Path) -> None:
    def interrupted(clouds: Iterator[Any]) -> Iterator[Any]:
        yield next(clouds)
        raise KeyboardInterrupt

    reader = BagReader(bag)
    outputs = CloudOutputs(('ply',), map=True)
    with pytest.raises(KeyboardInterrupt):
        write_clouds(
            load_engine(model), reader, reader.rig(), tmp_path / 'out', CloudsConfig(), outputs,
            interrupted,
        )  # fmt: skip
    assert left_in(tmp_path) == []


def test_memory_does_not_grow_with_the_bag(tmp_path: Path, model: Path) -> None:
    peaks: list[int] = []

    def watched(clouds: Iterator[Any]) -> Iterator[Any]:
        for index, cloud in enumerate(clouds):
            if index == 80:  # more than the chunks that bags are read and written in
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.reset_peak()
            yield cloud

    reader = BagReader(Drive(frames=180, odometry=False).write(tmp_path / 'drive'))
    engine, rig = load_engine(model), reader.rig()
    tracemalloc.start()
    write_clouds(engine, reader, rig, tmp_path / 'out', CloudsConfig(), CloudOutputs(), watched)
    peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    fewer, more = peaks
    cloud_bytes = 2 * 32 * 24 * 20
    assert more - fewer < 100 * cloud_bytes / 5


def test_a_bad_bag_among_several_costs_itself_only(
    tmp_path: Path, model: Path, bag: Path, clouds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / 'broken'
    broken.mkdir()
    (broken / 'broken.mcap').write_bytes(b'this is no bag')
    other = Drive(grey=255, frames=2).write(tmp_path / 'white')
    assert run(model, broken, bag, other, tmp_path / 'out', '--jobs', 2) == 1
    told = capsys.readouterr()
    assert f'failed: {broken}: ' in told.err and told.err.count('failed') == 1
    assert left_in(tmp_path / 'out') == ['drive', 'white']
    assert as_bytes(messages(tmp_path / 'out' / 'drive')) == as_bytes(messages(clouds))
    (white, *_) = messages(tmp_path / 'out' / 'white')
    assert points_from_cloud_msg(white)[:, 0].max() == pytest.approx(0.5 + 2 * WALL_M)


def test_bags_of_one_name_are_refused_before_anything_is_written(
    tmp_path: Path, model: Path, bag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = Drive(frames=1).write(tmp_path / 'drive')
    assert run(model, bag, same, tmp_path / 'out') == 2
    assert 'several bags called drive' in capsys.readouterr().err
    assert left_in(tmp_path) == ['drive']


def test_a_place_that_is_taken_is_refused(
    tmp_path: Path, model: Path, bag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'out').mkdir()
    assert run(model, bag, tmp_path / 'out') == 2
    assert 'exists already' in capsys.readouterr().err


def test_numbers_below_one_are_refused(
    tmp_path: Path, model: Path, bag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, bag, tmp_path / 'out', '--every', 0) == 2
    assert '--every is 0: expected at least 1' in capsys.readouterr().err
