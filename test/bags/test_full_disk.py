# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A disk that gets full while a bag is written is one clear error, and nothing is left behind."""

import resource
from contextlib import contextmanager

import numpy as np
import pytest

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.core.se3 import SE3


@contextmanager
def full_disk():
    """Call what it gives, and the system refuses each write behind so many bytes of a file.

    No fixture: pytest writes on between the end of a test and that of its fixtures, perhaps to a
    file that is longer already.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_at_the_very_end(tmp_path, storage):
    refused = pytest.raises(BagError, match='drive could not be finished')
    with full_disk() as fill_up, refused, BagWriter(tmp_path / 'drive', storage) as bag:
        bag.write_odometry('/odom', 1, SE3.identity())
        fill_up(64)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_on_the_way(tmp_path, storage):
    image = np.zeros((2000, 2000, 3), np.uint8)
    refused = pytest.raises(BagError, match='drive cannot be written')
    with full_disk() as fill_up, refused, BagWriter(tmp_path / 'drive', storage) as bag:
        fill_up(1 << 20)
        for stamp in range(4):
            bag.write_image('/camera/image_raw', stamp, 'camera', image)
    assert list(tmp_path.iterdir()) == []


def test_at_the_start(tmp_path):
    with full_disk() as fill_up:
        fill_up(64)
        with pytest.raises(BagError, match='drive cannot be written'):
            BagWriter(tmp_path / 'drive', 'sqlite3').__enter__()
    assert list(tmp_path.iterdir()) == []


def test_what_else_went_wrong_is_told(tmp_path):
    refused = pytest.raises(ValueError, match='of the user')
    with full_disk() as fill_up, refused, BagWriter(tmp_path / 'drive') as bag:
        bag.write_odometry('/odom', 1, SE3.identity())
        fill_up(64)
        raise ValueError('of the user')
    assert list(tmp_path.iterdir()) == []
