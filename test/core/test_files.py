# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Files appear whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from selfdepth_ros.core.files import appearing, write_file

KILLED_WHILE_WRITING = """
import os, signal, sys
from selfdepth_ros.core.files import appearing
with appearing(sys.argv[1]) as file:
    file.write(b'half')
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_with_its_content_and_its_folder(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'folder' / 'file.bin'
    with appearing(path) as file:
        file.write(b'first, ')
        file.flush()
        assert not path.exists()
        file.write(b'second')
    assert path.read_bytes() == b'first, second'
    assert names(path.parent) == ['file.bin']


def test_text_is_written_as_utf_8_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / 'file.txt'
    for text in ('a longer content than the next', 'größer'):
        write_file(path, text)
    assert path.read_bytes() == 'größer'.encode()


def test_an_error_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / 'file.bin'
    write_file(path, b'old')
    with pytest.raises(KeyboardInterrupt), appearing(path) as file:
        file.write(b'new')
        raise KeyboardInterrupt
    assert path.read_bytes() == b'old'
    assert names(tmp_path) == ['file.bin']


def test_a_killed_process_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / 'file.bin'
    write_file(path, b'old')
    result = subprocess.run([sys.executable, '-c', KILLED_WHILE_WRITING, path])
    assert result.returncode < 0
    assert path.read_bytes() == b'old'
    assert len(names(tmp_path)) == 2  # the hidden rest shows that it was killed while it wrote


@pytest.mark.parametrize('mask', [0o022, 0o077])
def test_permissions_are_what_the_umask_says(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_file(tmp_path / 'file', b'')
    finally:
        os.umask(before)
    assert (tmp_path / 'file').stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_folder_of_that_name_is_an_error_and_stays(tmp_path: Path) -> None:
    (tmp_path / 'taken').mkdir()
    with pytest.raises(OSError, match='taken'):
        write_file(tmp_path / 'taken', b'content')
    assert names(tmp_path) == ['taken']
