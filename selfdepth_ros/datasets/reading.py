# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pieces that the files of several datasets have in common."""

from __future__ import annotations

import calendar
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.datasets.errors import DatasetError

_DATE = re.compile(r'(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z?')


def read_text(path: Path) -> str:
    """Return what a text file says, or raise DatasetError."""
    try:
        return path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error


def read_json(path: Path) -> Any:
    """Return what a JSON file says, or raise DatasetError."""
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise DatasetError(f'{path} is no JSON ({error}): download it again') from error


def read_rows(path: Path, columns: int, names: str) -> Float[np.ndarray, 'n _']:
    """Return the rows of a file of little-endian float32, or raise DatasetError."""
    try:
        values = np.fromfile(path, dtype='<f4')
    except OSError as error:
        raise unreadable(path, error) from error
    if values.size == 0 or values.size % columns:
        raise DatasetError(
            f'{path} has {values.size} numbers: expected float32 n x {columns} ({names})'
        )
    return values.reshape(-1, columns)


def unreadable(path: Path, error: Exception) -> DatasetError:
    """Return the error of a file that the system does not give."""
    reason = error.strerror if isinstance(error, OSError) else None
    return DatasetError(f'{path} cannot be read: {reason or error}')


def ns_of_date(text: str) -> int:
    """Return nanoseconds since 1970 of a date as in 2011-09-26 13:02:25.594360375, taken for UTC.

    To the last digit, which datetime does not keep. Raises ValueError.
    """
    found = _DATE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'{text.strip()!r} is no date: expected YYYY-MM-DD hh:mm:ss.fraction')
    day, clock, fraction = found.groups()
    seconds = calendar.timegm(time.strptime(f'{day} {clock}', '%Y-%m-%d %H:%M:%S'))
    return seconds * 1_000_000_000 + int((fraction or '0').ljust(9, '0'))


def rigid(matrix: Any) -> SE3:
    """Return the transform of 3x4 or 4x4 numbers of few digits: its rotation made exact.

    Raises ValueError for what is no rigid transform.
    """
    numbers = np.asarray(matrix, np.float64)
    if numbers.shape not in ((3, 4), (4, 4)) or not np.isfinite(numbers).all():
        raise ValueError(f'expected a finite matrix 3x4 or 4x4, found shape {numbers.shape}')
    left, _, right = np.linalg.svd(numbers[:3, :3])
    rotation = left @ right
    if np.abs(rotation - numbers[:3, :3]).max() > 1e-3 or np.linalg.det(rotation) < 0:
        raise ValueError('a rotation is not orthonormal')
    return SE3.from_rotation_translation(rotation, numbers[:3, 3])


def not_the_layout(src: Path, expected: str) -> DatasetError:
    """Return the error of a folder that is something else."""
    if not src.exists():
        return DatasetError(f'{src} does not exist: expected {expected}')
    inside = sorted(item.name for item in src.iterdir()) if src.is_dir() else []
    shown = ', '.join(inside[:6]) + (', ...' if len(inside) > 6 else '')
    found = f'holds {shown or "nothing"}' if src.is_dir() else 'is a file'
    return DatasetError(f'{src} {found}: expected {expected}')
