# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The images of a bag's surround frames as one file, of all frames or of some."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int64
from tqdm import tqdm

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import interpolate_poses
from selfdepth_ros.resizing import resized
from selfdepth_training.data.folder import npy_header, require_space

Odometry = tuple[Any, Any]
Shape = tuple[int, int, int, int]
"""Cameras, rows, columns, colours."""
_UNREACHED = 'sets: odometry does not reach them'
Choose = Callable[[Float[np.ndarray, 'f c 4 4'] | None], Int[np.ndarray, ' n']]
"""Says of which frames images are wanted, by the body's poses; None without odometry."""


class Row(NamedTuple):
    """What is kept of a frame beside its images."""

    stamps_ns: Int64[np.ndarray, ' c']
    present: tuple[bool, ...]
    poses: Float[np.ndarray, 'c 4 4'] | None


def write_images(
    reader: BagReader, path: Path, rig: Rig, choose: Choose | None, progress: bool
) -> list[Row]:
    """Write the images of every usable frame as one .npy and return the rest of the frames.

    Where `choose` leaves frames out, no camera is present there, and the file has a hole: it is as
    long as ever, but takes the room of what was chosen. The bag is then read twice.
    """
    lens = rig.cameras[0].camera
    shape = len(rig.cameras), lens.height, lens.width, 3
    odometry = reader.odometry()
    dropped = reader.report.begin('poses')
    if choose is None:
        rows = _write_all(reader, path, shape, odometry, dropped, progress)
    else:
        rows = _write_some(reader, path, shape, odometry, dropped, choose, progress)
    if not rows:
        raise _no_poses(reader, odometry)
    return rows


def _write_all(
    reader: BagReader, path: Path, shape: Shape, odometry: Odometry | None, dropped: Any,
    progress: bool,
) -> list[Row]:  # fmt: skip
    require_space(path.parent, reader.most_frames * math.prod(shape))
    frames = reader.surround_frames(lambda _, image: resized(image, shape[2], shape[1]))
    rows: list[Row] = []
    with path.open('wb') as file:
        file.write(npy_header((0, *shape)))
        for frame in tqdm(
            frames, reader.path.name, reader.most_frames, unit='set', disable=not progress
        ):
            row = _row(frame.stamp_ns, frame.stamps_ns, frame.present, odometry)
            if row is None:
                dropped[_UNREACHED] += 1
                continue
            rows.append(row)
            file.write(_stacked(frame, shape))
        file.seek(0)
        file.write(npy_header((len(rows), *shape)))
    return rows


def _write_some(
    reader: BagReader, path: Path, shape: Shape, odometry: Odometry | None, dropped: Any,
    choose: Choose, progress: bool,
) -> list[Row]:  # fmt: skip
    found: list[Row | None] = []

    def look(stamp_ns: int, stamps_ns: Sequence[int | None]) -> bool:
        found.append(_row(stamp_ns, stamps_ns, (False,) * len(stamps_ns), odometry))
        return False

    for _ in reader.surround_frames(wanted=look):
        pass  # not one is wanted yet
    rows = [row for row in found if row is not None]
    dropped[_UNREACHED] += len(found) - len(rows)
    if not rows:
        return []
    chosen = choose(None if odometry is None else np.stack([row.poses for row in rows])).tolist()
    require_space(path.parent, len(chosen) * math.prod(shape))
    places = np.flatnonzero([row is not None for row in found])[chosen].tolist()
    turn, those = itertools.count(), set(places)
    frames = reader.surround_frames(
        lambda _, image: resized(image, shape[2], shape[1]), wanted=lambda *_: next(turn) in those
    )
    header = npy_header((len(rows), *shape))
    with path.open('wb') as file:
        file.write(header)
        file.truncate(len(header) + len(rows) * math.prod(shape))
        bar = tqdm(frames, reader.path.name, len(chosen), unit='set', disable=not progress)
        for index, frame in zip(sorted(chosen), bar, strict=True):
            rows[index] = rows[index]._replace(present=frame.present)
            file.seek(len(header) + index * math.prod(shape))
            file.write(_stacked(frame, shape))
    return rows


def _row(
    stamp_ns: int, stamps_ns: Sequence[int | None], present: tuple[bool, ...],
    odometry: Odometry | None,
) -> Row | None:  # fmt: skip
    """Return stamps and poses of a frame; None where odometry does not reach."""
    own = np.array([stamp_ns if stamp is None else stamp for stamp in stamps_ns], np.int64)
    if odometry is None:
        return Row(own, present, None)
    poses, valid = interpolate_poses(*odometry, own)
    return Row(own, present, np.asarray(poses.matrix)) if np.all(valid) else None


def _stacked(frame: SurroundFrame, shape: tuple[int, ...]) -> bytes:
    """Return the images of a set as bytes, zeros where a camera is missing."""
    images = np.zeros(shape, np.uint8)
    for index, image in enumerate(frame.images):
        if image is not None:
            images[index] = image
    return images.tobytes()


def _no_poses(reader: BagReader, odometry: Any) -> BagError:
    """Say that not one set lies within the odometry."""
    first, last = odometry[0][0] / 1e9, odometry[0][-1] / 1e9
    return BagError(
        f'{reader.path}: {reader.topics.odometry} has poses from {first:.3f} to {last:.3f} s, and '
        'not one surround set lies between poses less than 0.5 s apart: expected stamps of one '
        'clock; correct the stamps, or record without odometry'
    )
