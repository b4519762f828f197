# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A broken bag gives one clear error or, where frames can be salvaged, a report."""

import sqlite3

import numpy as np
import pytest
from rosbags.rosbag2 import Reader

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.cli.main import main
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.se3 import SE3

SECOND = 1_000_000_000
START, PERIOD = 1_700_000_000 * SECOND, SECOND // 10


def data_file(bag):
    (file,) = [item for item in bag.iterdir() if item.suffix in {'.mcap', '.db3'}]
    return file


def cut(file, share):
    """Keep the first share of a file."""
    with file.open('r+b') as stream:
        stream.truncate(int(file.stat().st_size * share))


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(BagError, match='does not exist: expected a rosbag2'):
        BagReader(tmp_path / 'nothing')


def test_a_folder_that_is_no_bag(tmp_path):
    (tmp_path / 'notes.txt').write_text('hello')
    with pytest.raises(BagError, match='no readable message'):
        BagReader(tmp_path)


def test_a_file_that_is_no_bag(tmp_path):
    file = tmp_path / 'drive.mcap'
    file.write_bytes(b'not a bag at all' * 100)
    with pytest.raises(BagError, match='no readable message'):
        BagReader(file)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_an_empty_bag(tmp_path, storage):
    with BagWriter(tmp_path / 'drive', storage):
        pass
    with pytest.raises(BagError, match='is empty: expected images; record it again'):
        BagReader(tmp_path / 'drive')


def test_a_bag_without_cameras(tmp_path):
    with BagWriter(tmp_path / 'drive') as bag:
        bag.write_odometry('/odom', 1, SE3.identity())
    with pytest.raises(BagError, match=r'no camera among the topics \(/odom\)'):
        BagReader(tmp_path / 'drive')


def test_a_camera_without_camera_info(record):
    with pytest.raises(BagError, match='camera_left: /camera_left/camera_info is not there'):
        BagReader(record(no_info=('camera_left',)))


def test_no_images_on_a_topic_of_the_mapping(record, tmp_path):
    mapping = tmp_path / 'topics.yaml'
    mapping.write_text(
        'cameras: {left: {image: /camera_left/image_raw, info: /camera_left/camera_info}}'
    )
    with pytest.raises(BagError, match='left: /camera_left/image_raw is not there'):
        BagReader(record(no_images=('camera_left',)), mapping)


def test_a_recorded_topic_on_which_nothing_came(record):
    bag = record(storage='sqlite3')
    with sqlite3.connect(data_file(bag)) as base:
        (topic,) = base.execute(
            "SELECT id FROM topics WHERE name='/camera_left/image_raw'"
        ).fetchone()
        base.execute('DELETE FROM messages WHERE topic_id=?', (topic,))
    base.close()
    with pytest.raises(BagError, match='camera_left: /camera_left/image_raw has no message'):
        BagReader(data_file(bag))


def test_a_frame_that_nothing_connects_to_the_body(record):
    with pytest.raises(BagError, match='camera_right.*no chain of transforms') as caught:
        BagReader(record(no_transform=('camera_right',)))
    assert 'camera_left_optical_frame' in str(caught.value)  # what there is instead


def test_a_bag_without_tf_static(record):
    with pytest.raises(BagError, match='/tf_static has no frame'):
        BagReader(record(no_transform=('camera_front', 'camera_left', 'camera_right')))


def test_camera_info_of_another_size(record):
    with pytest.raises(BagError, match='/camera_left/image_raw has images of 20x12.* 40x24'):
        BagReader(record(shape=lambda name, shape: (12, 20) if name == 'camera_left' else shape))


def test_camera_info_with_nan(tmp_path):
    with BagWriter(tmp_path / 'drive') as bag:
        info = bag.messages.make(
            'sensor_msgs/msg/CameraInfo',
            header=bag.messages._header(1, 'camera'), width=8, height=6,
            distortion_model='plumb_bob', d=np.zeros(5), k=np.full(9, np.nan), r=np.eye(3).ravel(),
            p=np.zeros(12), binning_x=0, binning_y=0,
            roi=bag.messages.make(
                'sensor_msgs/msg/RegionOfInterest',
                x_offset=0, y_offset=0, height=0, width=0, do_rectify=False,
            ),
        )  # fmt: skip
        bag.write('/front/camera_info', info, 1)
        bag.write_image('/front/image_raw', 1, 'camera', np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(CalibrationError, match='front: CameraInfo .*fx=nan'):
        BagReader(tmp_path / 'drive')


def test_stamps_that_are_all_zero(record):
    with pytest.raises(BagError, match='/camera_front/image_raw: every stamp looked at is 0'):
        BagReader(record(stamp=lambda name, _, stamp: 0 if name == 'camera_front' else stamp))


def test_a_camera_with_another_clock(record):
    def ahead(name, _, stamp):
        return stamp + 12 * SECOND if name == 'camera_left' else stamp

    with pytest.raises(BagError, match=r'/camera_left/image_raw is \+12.000 s'):
        BagReader(record(stamp=ahead))


def test_stamps_far_from_log_time_are_noted_and_used(record):
    reader = BagReader(record(stamp=lambda name, _, stamp: stamp - 86400 * SECOND))
    assert sum(1 for _ in reader.surround_frames()) == 8
    assert 'stamps are 86400.0 s before the time of recording' in str(reader.report)
    assert reader.report.clean


@pytest.mark.parametrize('wrong', [lambda stamp: 0, lambda stamp: stamp + 3600 * SECOND])
def test_one_wrong_stamp_costs_one_image(record, wrong):
    def slip(name, frame, stamp):
        return wrong(stamp) if (name, frame) == ('camera_left', 3) else stamp

    reader = BagReader(record(stamp=slip))
    frames = list(reader.surround_frames())
    assert [frame.present for frame in frames].count((True, False, True)) == 1
    assert (len(frames), reader.report.partial_sets) == (8, 1)
    assert sum(reader.report.dropped.values()) == 1
    assert not reader.report.clean


def test_a_camera_of_three_times_the_rate_makes_no_sets_of_its_own(record):
    def every_third(name, frame, stamp):  # the others' images come three times, with one stamp
        return stamp if name == 'camera_front' else stamp - frame % 3 * PERIOD

    reader = BagReader(record(frames=45, stamp=every_third))
    late = [frame for frame in reader.surround_frames() if frame.stamp_ns > START + 20 * PERIOD]
    assert len(late) == 8
    assert all(frame.present == (True,) * 3 for frame in late)
    assert reader.report.dropped['images: of a faster camera, between the sets of the others'] > 15


def test_one_fast_camera_does_not_narrow_the_sets_of_the_others(record):
    def slow_and_aside(name, frame, stamp):  # 48 ms: less than half of the period of two of three
        aside = 48_000_000 if name == 'camera_left' else 0
        return stamp if name == 'camera_front' else stamp - frame % 3 * PERIOD + aside

    reader = BagReader(record(frames=45, stamp=slow_and_aside))
    assert reader.tolerance_ns == 50_000_000
    late = [frame for frame in reader.surround_frames() if frame.stamp_ns > START + 20 * PERIOD]
    slow = [reader.cameras.index(name) for name in ('camera_left', 'camera_right')]
    assert len(late) == 8
    assert all(frame.present[index] for frame in late for index in slow)


def test_a_recording_that_starts_again_goes_on(record):
    def restart(_, frame, stamp):
        return stamp if frame < 20 else stamp - 3 * SECOND

    def odometry_too(stamp):
        return restart('', (stamp - START) // PERIOD, stamp)

    reader = BagReader(record(frames=40, stamp=restart, odometry_stamp=odometry_too))
    frames = list(reader.surround_frames())
    assert sum(all(frame.present) for frame in frames) >= 38
    assert 'the stamps jump' in str(reader.report) or not reader.report.clean
    # Poses of two drives at one time tell no motion.
    assert reader.odometry() is None
    assert '/odom starts again, 2.9 s back' in str(reader.report)


def test_stray_stamps_of_odometry_are_no_second_drive(record):
    def astray(stamp):
        tick = (stamp - START) // (PERIOD // 5)
        return stamp + {7: -5, 51: 40, 52: 40}.get(tick, 0) * SECOND

    stamps, _ = BagReader(record(frames=40, odometry_stamp=astray)).odometry()
    assert len(stamps) == 200


def test_an_image_that_is_damaged_is_missing(record):
    bag = record(storage='sqlite3', compressed=True)
    with sqlite3.connect(data_file(bag)) as base:
        (number, data) = base.execute(
            'SELECT messages.id, data FROM messages JOIN topics ON topic_id=topics.id '
            "WHERE name='/camera_front/image_raw/compressed' LIMIT 1 OFFSET 4"
        ).fetchone()
        ruined = data[:100] + bytes(len(data) - 100)
        base.execute('UPDATE messages SET data=? WHERE id=?', (ruined, number))
    base.close()
    reader = BagReader(bag)
    frames = list(reader.surround_frames())
    assert [frame.present[0] for frame in frames] == [True] * 4 + [False] + [True] * 3
    assert 'PNG of ' in str(reader.report) and 'cut off' in str(reader.report)


def ruin(bag, count):
    """Damage the first images of the front camera."""
    with sqlite3.connect(data_file(bag)) as base:
        rows = base.execute(
            'SELECT messages.id, data FROM messages JOIN topics ON topic_id=topics.id '
            "WHERE name='/camera_front/image_raw/compressed' LIMIT ?",
            (count,),
        ).fetchall()
        for number, data in rows:
            ruined = data[:100] + bytes(len(data) - 100)
            base.execute('UPDATE messages SET data=? WHERE id=?', (ruined, number))
    base.close()


def test_a_damaged_first_image_costs_itself_only(record, capsys):
    bag = record(storage='sqlite3', compressed=True, frames=30)
    ruin(bag, 2)
    frames = list(BagReader(bag).surround_frames())
    assert [frame.present[0] for frame in frames] == [False] * 2 + [True] * 28
    assert main(['doctor', str(bag)]) == 0
    assert 'warning: camera_front: an image cannot be decoded' in capsys.readouterr().out


def test_a_camera_none_of_whose_first_images_can_be_decoded(record, capsys):
    bag = record(storage='sqlite3', compressed=True, frames=30)
    ruin(bag, 10)
    with pytest.raises(BagError, match=r'camera_front.*cut off.*none of the first 10 is better'):
        BagReader(bag)
    assert main(['doctor', str(bag)]) == 1
    assert 'none of the first 10 is better' in capsys.readouterr().out


@pytest.mark.parametrize('metadata', [True, False])
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_truncated_bag_is_read_as_far_as_it_goes(record, storage, metadata):
    bag = record(frames=120, storage=storage)
    cut(data_file(bag), 0.6)
    if not metadata:
        (bag / 'metadata.yaml').unlink()
    reader = BagReader(bag)
    frames = list(reader.surround_frames())
    assert 40 < sum(all(frame.present) for frame in frames) < 90
    assert reader.report.damage
    assert 'damage: the index is unusable' in str(reader.report)
    assert f'{reader.report.complete_sets} complete' in str(reader.report)


def test_a_camera_that_a_truncated_bag_has_no_info_of_is_left_out(record):
    bag = record()
    data = data_file(bag).read_bytes()
    lone = bag.with_suffix('.mcap')
    renamed = data.replace(b'/camera_left/camera_info', b'/camera_left/another_one')
    lone.write_bytes(renamed[: int(len(data) * 0.6)])
    reader = BagReader(lone)
    assert reader.cameras == ('camera_front', 'camera_right')
    assert 'camera left out: camera_left: /camera_left/camera_info' in str(reader.report)


def test_a_damaged_chunk_in_the_middle_costs_itself_only(record):
    bag = record(frames=120)
    with Reader(data_file(bag)) as reader:
        chunk = reader.storage.chunks[1]
    with data_file(bag).open('r+b') as file:
        file.seek(chunk.chunk_start_offset + 9 + 24)  # its checksum, 0: none
        file.write(b'\x01')
    reader = BagReader(bag)
    stamps = [frame.stamp_ns for frame in reader.surround_frames()]
    assert 60 < len(stamps) < 100
    assert stamps[-1] >= START + 118 * PERIOD
    assert 'a part of the bag is unreadable' in str(reader.report)


def test_a_bag_with_nothing_left(record):
    bag = record()
    cut(data_file(bag), 0.0)
    with pytest.raises(BagError, match='no readable message'):
        BagReader(bag)


def test_a_metadata_file_that_is_no_yaml(record):
    bag = record()
    (bag / 'metadata.yaml').write_text('{{{{')
    reader = BagReader(bag)
    assert sum(1 for _ in reader.surround_frames()) == 8
    assert reader.report.damage


def test_one_topic_of_depth_images_for_several_cameras(record):
    """Not the depths of the last camera as those of all."""
    with pytest.raises(BagError, match=r'Found one topic /camera_left/depth_truth .*\{camera\}'):
        BagReader(record()).depth_images('/camera_left/depth_truth')
