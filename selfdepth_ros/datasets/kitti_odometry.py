# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Sequences of the KITTI odometry benchmark -> scenes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.datasets import kitti_common as common
from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.reading import read_text, rigid
from selfdepth_ros.datasets.scene import Event, Loss, Picture, Pose, Scene, Sweep, in_order
from selfdepth_ros.messages import MessageError, encoded_size


def find_sequences(src: Path) -> dict[str, Path]:
    """Return sequences by name: in `src`/dataset, in `src`/sequences, in `src`, or `src` itself.

    dataset/ is the folder (of sequences/) into which all archives of the benchmark unpack.
    """
    below = ('dataset/sequences/*', 'sequences/*', '*')
    candidates = [src, *(path for pattern in below for path in sorted(src.glob(pattern)))]
    return {
        path.name: path
        for path in (candidate.absolute() for candidate in candidates)
        if (path / 'calib.txt').is_file() and (path / 'times.txt').is_file()
    }


def read_sequence(folder: Path) -> Scene:
    """Read calibration, times and poses of one sequence."""
    try:
        return _scene(folder)
    except ValueError as error:
        raise DatasetError(
            f'{folder}: {error}: expected calib.txt, times.txt and poses of KITTI odometry'
        ) from error


def _scene(folder: Path) -> Scene:
    numbers = common.read_calibration(folder / 'calib.txt')
    body_from_camera_0 = common.BODY_FROM_CAMERA_0
    has_lidar = 'Tr' in numbers
    if has_lidar:
        camera_0_from_velodyne = rigid(common.entry(numbers, 'Tr', 3, 4))
        body_from_camera_0 = common.BODY_FROM_VELODYNE @ camera_0_from_velodyne.inverse()
    rig = _rig(folder, numbers, body_from_camera_0)
    stamps_ns = _stamps(folder / 'times.txt')
    losses: list[Loss] = []
    poses = list(_poses(folder, stamps_ns, body_from_camera_0, losses))
    events = in_order([*_files(folder, rig, stamps_ns, has_lidar), *poses])
    notes = ['times.txt counts from 0: stamps are 2011-09-26 and that']
    if not poses:
        notes.append('no poses/<sequence>.txt: there is no /odom')
    return Scene(
        rig=rig,
        body_from_lidars={common.LIDAR_FRAME: common.BODY_FROM_VELODYNE} if has_lidar else {},
        events=events,
        total=len(events),
        notes=notes,
        losses=losses,
        custom_data={'stamps': {'divisor': 1, 'subtracted_ns': -common.START_NS}},
    )


def _rig(folder: Path, numbers: dict[str, Any], body_from_camera_0: SE3) -> Rig:
    """Return the cameras that have images."""
    images = {index: common.numbered_files(folder / f'image_{index}') for index in range(4)}
    there = common.colour_or_grey([index for index, files in images.items() if files])
    if not there:
        raise common.no_images(folder, 'image_2/000000.png and so on')
    return Rig(
        tuple(
            common.rectified_camera(
                index,
                common.entry(numbers, f'P{index}', 3, 4),
                _size(images[index]),
                body_from_camera_0,
            )
            for index in there
        )
    )


def _files(folder: Path, rig: Rig, stamps_ns: list[int], has_lidar: bool) -> Iterator[Event]:
    """Give a picture of each camera and a sweep for each time, there or not.

    A sequence without any sweep, of which only the images were downloaded, misses none.
    """
    sweeps = common.numbered_files(folder / 'velodyne') if has_lidar else {}
    images = {name: folder / f'image_{int(name[-2:])}' for name in rig.names}
    files = {name: common.numbered_files(path) for name, path in images.items()}
    for number, stamp_ns in enumerate(stamps_ns):
        for name, path in images.items():
            missing = path / f'{number:06}.png'
            yield Picture(stamp_ns, name, files[name].get(number, missing))
        if sweeps:
            path = sweeps.get(number, folder / 'velodyne' / f'{number:06}.bin')
            yield Sweep(stamp_ns, common.LIDAR_FRAME, path, common.read_sweep)


def _size(files: dict[int, Path]) -> tuple[int, int]:
    """Return width and height of the first image that can be read."""
    for path in files.values():
        with contextlib.suppress(OSError, MessageError):
            height, width = encoded_size(path.read_bytes())
            return width, height
    raise ValueError(f'not one of {len(files)} images of a camera can be read')


def _stamps(path: Path) -> list[int]:
    """Return the stamps of the frames."""
    seconds = [float(line) for line in read_text(path).split()]
    return [common.START_NS + round(value * 1e9) for value in seconds]


def _poses(
    folder: Path, stamps_ns: list[int], body_from_camera_0: SE3, losses: list[Loss]
) -> Iterator[Pose]:
    """Give the body's poses: each line is the pose of the rectified camera 0 in its first one."""
    path = folder.parent.parent / 'poses' / f'{folder.name}.txt'
    if not path.is_file():
        return
    for stamp_ns, line in zip(stamps_ns, read_text(path).splitlines(), strict=False):
        try:
            world_from_camera_0 = rigid(_matrix(line))
        except ValueError:
            losses.append(Loss('poses', 'a line that is no pose'))
            continue
        yield Pose(stamp_ns, world_from_camera_0 @ body_from_camera_0.inverse())


def _matrix(line: str) -> Float[np.ndarray, '3 4']:
    return np.array([float(value) for value in line.split()]).reshape(3, 4)
