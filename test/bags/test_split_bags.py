# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recordings in several files whose metadata.yaml is lost, as of a recorder that was killed."""

import pytest

from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.bags.storage import BagStorage
from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.core.se3 import SE3

START, STEP = 1_700_000_000_000_000_000, 1_000_000
FILES, PER_FILE = 11, 40


def write_parts(folder, names, storage='mcap'):
    """A folder of data files without metadata.yaml; each begins where the one before ends."""
    bag = folder / 'drive'
    bag.mkdir()
    for part, name in enumerate(names):
        single = folder / f'part{part}'
        with BagWriter(single, storage) as writer:
            for tick in range(part * PER_FILE, (part + 1) * PER_FILE):
                writer.write_odometry('/odom', START + tick * STEP, SE3.identity())
        (data,) = (item for item in single.iterdir() if item.name != 'metadata.yaml')
        data.rename(bag / f'{name}{data.suffix}')
    return bag


def read(bag, since=0):
    """The numbers of the messages as they come, and what the report says."""
    report = BagReport(bag)
    storage = BagStorage(bag, report)
    got = [(log - START) // STEP for _, log, _ in storage.messages(['/odom'], None, START + since)]
    return got, str(report)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_more_than_ten_files_come_in_the_order_of_their_numbers(tmp_path, storage):
    bag = write_parts(tmp_path, [f'drive_{part}' for part in range(FILES)], storage)
    got, told = read(bag)
    assert got == list(range(FILES * PER_FILE))
    assert f'ros2 bag reindex {bag} -s {storage}' in told
    assert BagStorage(bag, BagReport(bag)).counts == {'/odom': FILES * PER_FILE}


def test_the_time_counts_more_than_the_name(tmp_path):
    got, _ = read(write_parts(tmp_path, ['second', 'first', 'afterwards']))
    assert got == list(range(3 * PER_FILE))


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_only_the_file_that_is_broken_is_salvaged(tmp_path, storage):
    bag = write_parts(tmp_path, [f'drive_{part}' for part in range(FILES)], storage)
    (last,) = bag.glob(f'drive_{FILES - 1}.*')
    with last.open('r+b') as stream:
        stream.truncate(last.stat().st_size // 2)
    got, told = read(bag)
    whole = (FILES - 1) * PER_FILE
    assert got[:whole] == list(range(whole))
    assert got == sorted(got)
    assert whole < len(got) < whole + PER_FILE
    assert f'  damage: read message by message: {last.name}' in told.splitlines()
    assert 'reindex' not in told
    assert read(bag, since=(whole + 5) * STEP)[0] == [tick for tick in got if tick >= whole + 5]


def test_an_empty_last_file_costs_nothing_else(tmp_path):
    bag = write_parts(tmp_path, ['drive_0', 'drive_1'])
    (bag / 'drive_2.mcap').touch()
    got, told = read(bag)
    assert got == list(range(2 * PER_FILE))
    assert 'read message by message: drive_2.mcap' in told
