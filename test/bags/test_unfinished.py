# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags in the making: removed when their writer is gone, kept while it works; custom data."""

import pytest

from selfdepth_ros.bags.custom_data import custom_data
from selfdepth_ros.bags.unfinished import remove_unfinished
from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.core.se3 import SE3


def test_what_a_killed_writer_left_is_removed_and_what_is_being_written_is_not(tmp_path):
    path = tmp_path / 'drive[1]'
    (tmp_path / '.drive[1].partial-killed').mkdir()
    (tmp_path / '.drive1.partial-another').mkdir()
    with BagWriter(path) as bag:
        remove_unfinished(path)
        bag.write_odometry('/odom', 1_000_000_000, SE3.identity())
        left = {item.name for item in tmp_path.iterdir()}
        assert '.drive[1].partial-killed' not in left
        assert '.drive1.partial-another' in left
    assert path.is_dir()
    remove_unfinished(path)
    assert {item.name for item in tmp_path.iterdir()} == {'drive[1]', '.drive1.partial-another'}


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_custom_data_comes_back(tmp_path, storage):
    with BagWriter(tmp_path / 'bag', storage) as bag:
        bag.write_odometry('/odom', 1_000_000_000, SE3.identity())
        bag.set_custom_data('who', 'first')
        bag.set_custom_data('who', '{"told": "a: b"}')
    assert custom_data(tmp_path / 'bag') == {'who': '{"told": "a: b"}'}


def test_what_is_no_bag_has_no_custom_data(tmp_path):
    assert custom_data(tmp_path / 'nothing') == {}
    (tmp_path / 'metadata.yaml').write_text('- not a bag')
    assert custom_data(tmp_path) == {}
