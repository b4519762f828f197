# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags that are being written, and what a killed writer left of one."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from pathlib import Path


def unfinished_prefix(path: Path) -> str:
    """Return how the hidden folders begin in which the bag `path` grows."""
    return f'.{path.name}.partial-'


def hold(folder: Path) -> int | None:
    """Lock a folder until the descriptor is closed or the process ends; None: another holds it.

    Where the system or the file system has no such locks, nothing can be held: None, too.
    """
    try:
        import fcntl  # not everywhere: bags are written on other systems as well
    except ImportError:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def remove_unfinished(path: Path) -> None:
    """Remove what killed writers left of the bag `path`; one that is still at work keeps its."""
    pattern = glob.escape(unfinished_prefix(path)) + '*'
    for folder in path.parent.glob(pattern):
        with contextlib.suppress(OSError):
            descriptor = hold(folder)
            if descriptor is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(descriptor)
