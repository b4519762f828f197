# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""KITTI raw, synchronized and rectified drives -> scenes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.datasets import kitti_common as common
from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.kitti_oxts import mercator_scale, read_packet, world_from_imu
from selfdepth_ros.datasets.reading import ns_of_date, read_text, rigid
from selfdepth_ros.datasets.scene import Event, Loss, Picture, Pose, Scene, Sweep, in_order

_PERIOD_NS = 100_000_000
_VELODYNE, _OXTS = 'velodyne_points', 'oxts'


class _Times(NamedTuple):
    """Stamps of one sensor by number; None: there is no timestamps.txt, files come at 10 Hz."""

    stamps_ns: dict[int, int] | None
    without: frozenset[int] = frozenset()
    """Numbers whose line is no date: empty where the recording lacks a sweep."""

    def of(self, number: int) -> int | None:
        """Stamp of a file; None when timestamps.txt has none for it."""
        if self.stamps_ns is None:
            return common.START_NS + number * _PERIOD_NS
        return self.stamps_ns.get(number)


def find_drives(src: Path) -> dict[str, Path]:
    """Return drives by name: in `src`, in its dates, or `src` itself."""
    candidates = [src, *sorted(src.glob('*_sync')), *sorted(src.glob('*/*_sync'))]
    return {
        drive.name: drive
        for drive in (path.absolute() for path in candidates)
        if drive.name.endswith('_sync') and (drive.parent / 'calib_cam_to_cam.txt').is_file()
    }


def read_drive(drive: Path) -> Scene:
    """Read the calibration, stamps and OXTS packets of one drive."""
    try:
        return _scene(drive)
    except ValueError as error:
        raise DatasetError(
            f'{drive.parent}: {error}: expected the calibration files of KITTI raw'
        ) from error


def _scene(drive: Path) -> Scene:
    rig = _rig(drive)
    losses: list[Loss] = []
    sensors = [name.replace('camera', 'image') for name in rig.names]
    events, notes = _files(drive, [*sensors, _VELODYNE], losses)
    poses = list(_poses(drive, losses))
    if not poses:
        notes.append('no OXTS packets with calib_imu_to_velo.txt: there is no /odom')
    return Scene(
        rig=rig,
        body_from_lidars={common.LIDAR_FRAME: common.BODY_FROM_VELODYNE},
        events=in_order([*events, *poses]),
        total=len(events) + len(poses),
        notes=notes,
        losses=losses,
    )


def _rig(drive: Path) -> Rig:
    """Return the cameras that have images."""
    numbers = common.read_calibration(drive.parent / 'calib_cam_to_cam.txt')
    to_camera = common.read_calibration(drive.parent / 'calib_velo_to_cam.txt')
    camera_0_from_velodyne = _rotation_0(numbers) @ _transform(to_camera)
    body_from_camera_0 = common.BODY_FROM_VELODYNE @ camera_0_from_velodyne.inverse()
    images = {index: common.numbered_files(_data(drive, _image(index))) for index in range(4)}
    there = common.colour_or_grey([index for index, files in images.items() if files])
    if not there:
        raise common.no_images(drive, 'image_02/data/0000000000.png and so on')
    cameras = []
    for index in there:
        projection = common.entry(numbers, f'P_rect_{index:02}', 3, 4)
        width, height = common.entry(numbers, f'S_rect_{index:02}', 2)
        size = round(width), round(height)
        cameras.append(common.rectified_camera(index, projection, size, body_from_camera_0))
    return Rig(tuple(cameras))


def _rotation_0(numbers: dict[str, Float[np.ndarray, ' n']]) -> SE3:
    """R_rect_00: the rectified camera 0 from the camera 0 that the Velodyne is calibrated to."""
    rotation = common.entry(numbers, 'R_rect_00', 3, 3)
    return rigid(np.concatenate([rotation, np.zeros((3, 1))], axis=1))


def _transform(numbers: dict[str, Float[np.ndarray, ' n']]) -> SE3:
    """Return the transform of a file with R and T."""
    return rigid(
        np.concatenate(
            [common.entry(numbers, 'R', 3, 3), common.entry(numbers, 'T', 3, 1)],
            axis=1,
        )
    )


def _image(index: int) -> str:
    return f'image_{index:02}'


def _data(drive: Path, sensor: str) -> Path:
    return drive / sensor / 'data'


def _files(drive: Path, sensors: list[str], losses: list[Loss]) -> tuple[list[Event], list[str]]:
    """Return pictures and sweeps; a number with a stamp and without a file is one, too."""
    events: list[Event] = []
    notes = []
    for sensor in sensors:
        files = common.numbered_files(_data(drive, sensor))
        times, note = _times(drive, sensor)
        notes += [note] if note and files else []
        suffix = '.bin' if sensor == _VELODYNE else '.png'
        for number in _numbers(files, times):
            stamp_ns = times.of(number)
            path = files.get(number, _data(drive, sensor) / f'{number:010}{suffix}')
            if stamp_ns is None:
                why = 'without a stamp in timestamps.txt'
                losses.append(Loss(sensor, why if number in files else f'missing, {why}'))
            elif sensor == _VELODYNE:
                events.append(Sweep(stamp_ns, common.LIDAR_FRAME, path, common.read_sweep))
            else:
                events.append(Picture(stamp_ns, sensor.replace('image', 'camera'), path))
    return events, notes


def _numbers(files: dict[int, Path], times: _Times) -> list[int]:
    """Return every number that a sensor has, or that it lacks amid those that it has."""
    known = {*files, *(times.stamps_ns or ())}
    amid = {number for number in times.without if number < max(known, default=0)}
    return sorted(known | amid) if files else []


def _times(drive: Path, sensor: str) -> tuple[_Times, str | None]:
    """Return a sensor's stamps, and what is to be told of them.

    Drives are synchronized: where one timestamps.txt is missing, another sensor's is within 0.1 s.
    """
    for other in (sensor, *map(_image, range(4)), _VELODYNE, _OXTS):
        path = drive / other / 'timestamps.txt'
        if path.is_file():
            times = _stamps(path)
            told = f'{sensor} has no timestamps.txt: it has the stamps of {other}'
            return times, None if other == sensor else told
    return _Times(None), f'{sensor} has no timestamps.txt: stamps are 10 Hz from 2011-09-26 on'


def _stamps(path: Path) -> _Times:
    """Return the stamps of a file by line, and the lines that are no date."""
    stamps, without = {}, set()
    for number, line in enumerate(read_text(path).splitlines()):
        try:
            stamps[number] = ns_of_date(line)
        except ValueError:
            without.add(number)
    return _Times(stamps, frozenset(without))


def _poses(drive: Path, losses: list[Loss]) -> Iterator[Pose]:
    """Give the body's pose for each OXTS packet."""
    calibration = drive.parent / 'calib_imu_to_velo.txt'
    files = common.numbered_files(_data(drive, _OXTS))
    if not files or not calibration.is_file():
        return
    velodyne_from_imu = _transform(common.read_calibration(calibration))
    imu_from_body = (common.BODY_FROM_VELODYNE @ velodyne_from_imu).inverse()
    times, _ = _times(drive, _OXTS)
    scale = None
    for number, path in files.items():
        stamp_ns, packet = times.of(number), read_packet(path)
        if stamp_ns is None or packet is None:
            losses.append(Loss(_OXTS, 'a packet without stamp, or not of 30 numbers'))
            continue
        scale = mercator_scale(packet[0]) if scale is None else scale
        yield Pose(stamp_ns, world_from_imu(packet, scale) @ imu_from_body)
