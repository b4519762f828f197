# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Files that are there whole or not at all, whatever interrupts the writing."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def appearing(path: Path | str) -> Iterator[BinaryIO]:
    """Give a binary file that takes the name `path` when the block ends well; makes the folder.

    Until then the bytes are in a hidden file beside it, so that a reader sees the old content or
    the new one, also after a power cut: they are on the disk before the name is. When the block
    raises, the old content stays and nothing else is left. Raises OSError. Costs two flushes.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.{secrets.token_hex(4)}.part')
    try:
        # Made by open(), so that the permissions are what the user's umask says.
        with part.open('xb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def write_file(path: Path | str, content: bytes | str) -> None:
    """Write a file, whole or not at all; text becomes UTF-8. See `appearing`. Raises OSError."""
    with appearing(path) as file:
        file.write(content.encode('utf-8') if isinstance(content, str) else content)


def make_writable(folder: Path) -> None:
    """Make a folder, and make sure that files can be made in it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()


def _flush_folder(folder: Path) -> None:
    """Bring the new name to the disk. Some file systems cannot; the file is there all the same."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
