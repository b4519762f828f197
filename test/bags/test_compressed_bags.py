# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags that the recorder compressed, whole files or message by message: healthy and damaged."""

import gc
import re
import resource
import sqlite3
import tempfile

import pytest
from rosbags.rosbag2 import Writer
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode, StoragePlugin

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.factory import MessageFactory
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.bags.storage import BagStorage
from selfdepth_ros.core.se3 import SE3

START, STEP, MESSAGES = 1_700_000_000_000_000_000, 1_000_000, 200


@pytest.fixture
def compress(tmp_path):
    """Write a compressed bag of two topics."""

    def write(mode, storage=StoragePlugin.SQLITE3):
        make = MessageFactory()
        writer = Writer(tmp_path / 'drive', version=8, storage_plugin=storage)
        writer.set_compression(mode, CompressionFormat.ZSTD)
        with writer:
            topics = [
                writer.add_connection(name, 'nav_msgs/msg/Odometry', typestore=make.store)
                for name in ('/odom', '/wheels')
            ]
            for tick in range(MESSAGES):
                stamp = START + tick * STEP
                message = make.odometry(stamp, 'odom', 'base_link', SE3.identity())
                writer.write(topics[tick % 2], stamp, make.serialize(message))
        return tmp_path / 'drive'

    return write


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files of one's own."""
    folder = tmp_path / 'temporary'
    folder.mkdir()
    monkeypatch.setattr(tempfile, 'tempdir', str(folder))
    return folder


def read(storage, topic='/odom', since_ns=None):
    """The numbers of the messages that can be decoded."""
    found = storage.messages([topic], None, since_ns)
    return [(log - START) // STEP for _, log, _ in found]


@pytest.mark.parametrize('storage', list(StoragePlugin))
def test_compressed_files_are_unpacked_once(compress, temporary, storage):
    bag = BagStorage(compress(CompressionMode.FILE, storage), BagReport(temporary))
    both = zip(bag.messages(['/odom']), bag.messages(['/wheels']), strict=True)
    assert [(a[1] + STEP, b[0]) for a, b in both] == [
        (START + tick * STEP, '/wheels') for tick in range(1, MESSAGES, 2)
    ]
    assert read(bag, since_ns=START + 100 * STEP) == list(range(100, MESSAGES, 2))
    assert len(list(temporary.iterdir())) == 1
    del bag
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_a_full_temporary_folder_is_named(compress, temporary):
    bag = compress(CompressionMode.FILE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(BagError, match=f'does not fit into {temporary}.*set TMPDIR'):
            BagStorage(bag, BagReport(bag))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_compressed_file_that_is_cut_off_tells_why(compress):
    bag = compress(CompressionMode.FILE)
    (file,) = bag.glob('*.zstd')
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(BagError, match=r'cannot be read \(Compressed file ended'):
        BagStorage(bag, BagReport(bag))


def test_compressed_messages_are_read_without_metadata(compress):
    bag = compress(CompressionMode.MESSAGE)
    (bag / 'metadata.yaml').unlink()
    assert read(BagStorage(bag, BagReport(bag))) == list(range(0, MESSAGES, 2))


@pytest.mark.parametrize('storage', list(StoragePlugin))
def test_compressed_messages_are_read_with_the_metadata_of_a_reindex(compress, storage):
    """It does not see that they are compressed."""
    bag = compress(CompressionMode.MESSAGE, storage)
    metadata = bag / 'metadata.yaml'
    text = metadata.read_text('utf-8')
    whole = re.sub(r'(compression_(?:mode|format)): .*', r"\1: ''", text)
    assert whole != text
    metadata.write_text(whole, 'utf-8')
    opened = BagStorage(bag, BagReport(bag))
    assert not opened.damaged
    assert read(opened) == list(range(0, MESSAGES, 2))


def test_a_damaged_compressed_message_costs_itself_only(compress):
    bag = compress(CompressionMode.MESSAGE)
    with sqlite3.connect(bag / 'drive.db3') as base:
        base.execute('UPDATE messages SET data = substr(data, 1, 20) WHERE id = 11')
    base.close()
    assert read(BagStorage(bag, BagReport(bag))) == [
        tick for tick in range(0, MESSAGES, 2) if tick != 10
    ]


def test_a_cut_off_file_of_compressed_messages_is_salvaged(compress):
    bag = compress(CompressionMode.MESSAGE)
    file = bag / 'drive.db3'
    with file.open('r+b') as stream:
        stream.truncate(file.stat().st_size * 3 // 4)
    got = read(BagStorage(bag, BagReport(bag)))
    assert 20 < len(got) < MESSAGES // 2
    assert got == sorted(got)
