# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Sequences of the KITTI odometry benchmark -> scenes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.datasets import kitti_common
from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.reading import read_text, rigid
from selfdepth_ros.datasets.scene import Event, Loss, Picture, Pose, Scene, Sweep, in_order
from selfdepth_ros.messages import MessageError, encoded_size

_DIGITS = 6


def find_sequences(src: Path) -> dict[str, Path]:
    """Return sequences by name: in `src`/sequences, in `src`, or `src` itself."""
    candidates = [src, *sorted(src.glob('sequences/*')), *sorted(src.glob('*'))]
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
    numbers = kitti_common.read_calibration(folder / 'calib.txt')
    body_from_camera_0 = kitti_common.BODY_FROM_CAMERA_0
    has_lidar = 'Tr' in numbers
    if has_lidar:
        camera_0_from_velodyne = rigid(kitti_common.entry(numbers, 'Tr', 3, 4))
        body_from_camera_0 = kitti_common.BODY_FROM_VELODYNE @ camera_0_from_velodyne.inverse()
    images = {index: kitti_common.numbered_files(folder / f'image_{index}') for index in range(4)}
    there = kitti_common.colour_or_grey([index for index, files in images.items() if files])
    if not there:
        raise kitti_common.no_images(folder, 'image_2/000000.png and so on')
    members = [
        kitti_common.rectified_camera(
            index,
            kitti_common.entry(numbers, f'P{index}', 3, 4),
            _size(images[index]),
            body_from_camera_0,
        )
        for index in there
    ]
    stamps_ns = _stamps(folder / 'times.txt')
    sweeps = kitti_common.numbered_files(folder / 'velodyne') if has_lidar else {}
    events: list[Event] = []
    for number, stamp_ns in enumerate(stamps_ns):
        name = f'{number:0{_DIGITS}}'
        for index, member in zip(there, members, strict=True):
            path = images[index].get(number, folder / f'image_{index}' / f'{name}.png')
            events.append(Picture(stamp_ns, member.name, path))
        if sweeps:
            path = sweeps.get(number, folder / 'velodyne' / f'{name}.bin')
            events.append(Sweep(stamp_ns, kitti_common.LIDAR_FRAME, path, kitti_common.read_sweep))
    losses: list[Loss] = []
    poses = list(_poses(folder, stamps_ns, body_from_camera_0, losses))
    notes = ['times.txt counts from 0: stamps are 2011-09-26 and that']
    if not poses:
        notes.append('no poses/<sequence>.txt: there is no /odom')
    return Scene(
        rig=Rig(tuple(members)),
        body_from_lidars={kitti_common.LIDAR_FRAME: kitti_common.BODY_FROM_VELODYNE}
        if sweeps
        else {},
        events=in_order([*events, *poses]),
        total=len(events) + len(poses),
        notes=notes,
        losses=losses,
        custom_data={'stamps': {'divisor': 1, 'subtracted_ns': -kitti_common.START_NS}},
    )


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
    return [kitti_common.START_NS + round(value * 1e9) for value in seconds]


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
