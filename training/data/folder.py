# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Folders that are either complete or not there, whatever kills the process that writes them."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import shutil
import struct
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from selfdepth_ros.core.errors import SelfdepthError

log = logging.getLogger(__name__)

Kept = TypeVar('Kept')

_HEADER_BYTES = 128

DAMAGED = (
    OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, SyntaxError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What reading NumPy's files and JSON raises, whichever bit of them is wrong."""


class CacheError(SelfdepthError):
    """A frame cache that cannot be opened or built."""


def npy_header(shape: tuple[int, ...]) -> bytes:
    """Return a header of fixed length, so that the number of frames can be filled in later."""
    text = repr({'descr': '|u1', 'fortran_order': False, 'shape': shape})
    length = _HEADER_BYTES - 10
    return (
        b'\x93NUMPY\x01\x00' + struct.pack('<H', length) + (text.ljust(length - 1) + '\n').encode()
    )


def require_space(folder: Path, needed: int) -> None:
    """Refuse to begin what cannot end."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise CacheError(
            f'the frame cache needs {needed / 1e6:.0f} MB, {folder.parent} has '
            f'{free / 1e6:.0f} MB free: free some, or choose another cache folder'
        )


@contextlib.contextmanager
def as_cache_error(root: Path) -> Iterator[None]:
    """Turn what the file system refuses into one clear error."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise CacheError(
            f'the frame cache cannot be written below {root}: {error.strerror or error}; free '
            'space there, or choose another cache folder'
        ) from error


def kept(path: Path, read: Callable[[Path], Kept], write: Callable[[Path], None]) -> Kept:
    """Return what a file holds: written where there is none, and anew where it is damaged."""
    if path.exists():
        try:
            return read(path)
        except DAMAGED as error:
            log.warning('%s is damaged (%s); it is made again.', path, error)
    write(path)
    return read(path)


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold a lock beside the folder; the system lets go of it even when the process is killed."""
    with folder.with_name(f'.{folder.name}.lock').open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Give a temporary folder that takes the name of `folder` when the block ends well.

    The caller holds `only_one(folder)`: what another process is writing would be removed.
    """
    prefix = f'.{folder.name}.partial-'
    _remove_all(folder.parent, prefix)  # left by a killed process
    partial = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        yield partial
        partial.chmod(0o755)
        if folder.exists():
            folder.rename(folder.with_name(f'{prefix}replaced'))
        partial.rename(folder)
    finally:
        _remove_all(folder.parent, prefix)


def _remove_all(parent: Path, prefix: str) -> None:
    """Remove every folder whose name begins so."""
    for folder in parent.iterdir():
        if folder.name.startswith(prefix):
            shutil.rmtree(folder, ignore_errors=True)
