# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A bag that the system does not let be read is named with what the system says, everywhere."""

from pathlib import Path

import pytest

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.reader import BagReader
from selfdepth_training.data.cache import build_cache


def build(bag, root):
    return build_cache(bag, root, 16, 12, progress=False)


def closed(monkeypatch, name, path):
    """A method of paths is refused for one; whoever runs this may read everything."""
    real = getattr(Path, name)

    def refused(self, *args, **kwargs):
        if self == path:
            raise PermissionError(13, 'Permission denied', str(self))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, name, refused)


def test_a_folder_that_is_closed_is_no_error_of_the_cache(record, tmp_path, monkeypatch):
    bag = record()
    closed(monkeypatch, 'iterdir', bag)
    with pytest.raises(BagError, match=f'{bag} cannot be read .Permission denied'):
        build(bag, tmp_path / 'cache')
    assert [each for each in (tmp_path / 'cache').iterdir() if each.is_dir()] == []


def test_nor_is_a_file_that_is(record, tmp_path, monkeypatch):
    bag = record()
    (file,) = bag.glob('*.mcap')
    closed(monkeypatch, 'open', file)
    for read in (BagReader, lambda path: build(path, tmp_path / 'cache')):
        with pytest.raises(BagError, match='Permission denied') as told:
            read(bag)
        assert str(bag) in str(told.value)
