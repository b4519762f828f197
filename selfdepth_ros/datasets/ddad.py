# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""DDAD, in the JSON layout of TRI's Dataset Governance Policy (DGP) -> scenes.

A dataset file lists scene files; a scene has samples, each with the keys of its data and of its
calibration (sensor -> vehicle). Every datum has its sensor's pose in the world at its stamp, so

    world_from_body = world_from_sensor @ body_from_sensor.inverse()

LiDAR points are in their sensor's frame. DDAD's is the vehicle's: it calibrates LIDAR as identity.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.datasets.dgp_clock import Clock, clock_of
from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.reading import not_the_layout, ns_of_date, read_json, unreadable
from selfdepth_ros.datasets.scene import (
    Catalogue,
    Event,
    LidarPoints,
    Loss,
    Picture,
    Pose,
    Scene,
    SceneFiles,
    Sweep,
    in_order,
)

LICENCE = (
    'DDAD by Toyota Research Institute is licensed CC BY-NC-SA 4.0 (non-commercial, share alike; '
    'https://github.com/TRI-ML/DDAD).'
)
LAYOUT = (
    'DDAD as TRI publishes it: ddad.json (a DGP scene dataset) beside its scenes, that file '
    'itself, or one scene (scene_<hash>.json beside calibration/, rgb/, point_cloud/)'
)
_DISTORTIONS = (
    'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'p1', 'p2', 'skew', 'fov', 's1', 's2', 's3', 's4', 'taux',
    'tauy', 'alpha', 'beta', 'w', 'xi', 'fisheye', 'equirectangular',
)  # fmt: skip
"""Every field of DGP's CameraIntrinsics beside the four of a pinhole."""


class _Calibration(NamedTuple):
    """Where the sensors are, by name, and the cameras' numbers."""

    body_from_sensors: dict[str, SE3]
    intrinsics: dict[str, Mapping[str, Any]]


def open_ddad(src: Path) -> Catalogue:
    """Find the scenes of a dataset file, of one scene file, or of a folder that has either."""
    files = sorted(src.glob('*.json')) if src.is_dir() else [src] if src.is_file() else []
    trees = {path: read_json(path) for path in files if path.suffix == '.json'}
    datasets = [path for path, tree in trees.items() if 'scene_splits' in tree]
    scenes = [path for path, tree in trees.items() if 'samples' in tree and 'data' in tree]
    if len(datasets) == 1:
        splits = trees[datasets[0]]['scene_splits'].values()
        names = (name for split in splits for name in split.get('filenames', ()))
        scenes = [datasets[0].parent / name for name in dict.fromkeys(names)]
    if len(datasets) > 1 or not scenes:
        raise not_the_layout(src, LAYOUT)
    folders = Counter(path.parent.name for path in scenes)
    return SceneFiles({_name(path, folders): partial(_read_scene, path) for path in scenes})


def _name(path: Path, folders: Mapping[str, int]) -> str:
    """Return a scene's folder, and where scenes share one (versions of a scene) its file, too."""
    folder = path.parent.name
    return folder if folders[folder] == 1 else f'{folder}_{path.stem}'


def _read_scene(path: Path) -> Scene:
    """Read a scene file and its calibration."""
    tree = read_json(path)
    try:
        return _scene(path.parent, tree)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f'{path}: {type(error).__name__} {error}: expected a DGP scene with samples, data and '
            'calibration keys'
        ) from error


def _scene(folder: Path, tree: dict[str, Any]) -> Scene:
    data = {datum['key']: datum for datum in tree['data']}
    samples = tree['samples']
    if not samples:
        raise DatasetError(f'{folder}: a scene without samples')
    clock = clock_of([ns_of_date(sample['id']['timestamp']) for sample in samples])
    key = samples[0]['calibration_key']
    calibration = _read_calibration(folder, key)
    taken = [sample for sample in samples if sample['calibration_key'] == key]
    data_taken = [data[name] for sample in taken for name in sample['datum_keys']]
    events = in_order(_events(folder, data_taken, calibration, clock))
    body_from_sensors = calibration.body_from_sensors
    lidars = {name for name, kind, _ in map(_kind, data_taken) if kind == 'point_cloud'}
    other = 'calibrated otherwise than the first sample'
    return Scene(
        rig=Rig(tuple(_cameras(data_taken, calibration))),
        body_from_lidars={name.lower(): body_from_sensors[name] for name in sorted(lidars)},
        events=events,
        total=len(events),
        notes=clock.notes,
        losses=[Loss('samples', other)] * (len(samples) - len(taken)),
        custom_data={'stamps': clock.told()},
    )


def _kind(datum: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Return a datum's sensor, kind (image, point_cloud ...) and content."""
    ((kind, content),) = datum['datum'].items()
    return datum['id']['name'], kind, content


def _cameras(data: list[dict[str, Any]], calibration: _Calibration) -> Iterator[RigCamera]:
    """Give each camera that has an image, once."""
    sizes = {}
    for name, kind, content in map(_kind, data):
        if kind == 'image':
            sizes.setdefault(name, (int(content['width']), int(content['height'])))
    for name, size in sorted(sizes.items()):
        numbers = calibration.intrinsics[name]
        bent = [key for key in _DISTORTIONS if numbers.get(key)]
        if bent:
            raise DatasetError(
                f'{name} has {", ".join(bent)}: expected undistorted pinhole cameras, as in DDAD'
            )
        lens = PinholeCamera(*size, *(numbers[key] for key in ('fx', 'fy', 'cx', 'cy')))
        frame_id = f'{name.lower()}_optical_frame'
        yield RigCamera(name.lower(), lens, calibration.body_from_sensors[name], frame_id)


def _events(
    folder: Path, data: list[dict[str, Any]], calibration: _Calibration, clock: Clock
) -> Iterator[Event]:
    for datum in data:
        name, kind, content = _kind(datum)
        if kind not in ('image', 'point_cloud'):
            continue
        stamp_ns = clock(ns_of_date(datum['id']['timestamp']))
        body_from_sensor = calibration.body_from_sensors[name]
        yield Pose(stamp_ns, _pose(content['pose']) @ body_from_sensor.inverse())
        path = folder / content['filename']
        if kind == 'image':
            yield Picture(stamp_ns, name.lower(), path)
        else:
            yield Sweep(stamp_ns, name.lower(), path, _sweep_reader(content['point_format']))


def _read_calibration(folder: Path, key: str) -> _Calibration:
    tree = read_json(folder / 'calibration' / f'{key}.json')
    names = tree['names']
    return _Calibration(
        {name: _pose(pose) for name, pose in zip(names, tree['extrinsics'], strict=True)},
        dict(zip(names, tree['intrinsics'], strict=True)),
    )


def _pose(tree: Mapping[str, Mapping[str, float]]) -> SE3:
    """Return world_from_sensor of a datum, body_from_sensor of a calibration."""
    turn, offset = tree['rotation'], tree['translation']
    xyzw = np.array([turn[f'q{axis}'] for axis in 'xyzw'], np.float64)
    return SE3.from_quaternion(xyzw, np.array([offset[axis] for axis in 'xyz'], np.float64))


def _sweep_reader(point_format: list[str]) -> Callable[[Path], LidarPoints]:
    columns = {str(name): index for index, name in enumerate(point_format)}
    return partial(_read_sweep, columns=columns)


def _read_sweep(path: Path, columns: Mapping[str, int]) -> LidarPoints:
    """Read one .npz; damaged ones fail in many ways."""
    try:
        with np.load(path, allow_pickle=False) as file:
            rows = np.asarray(file['data'])
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f'{path} is no point cloud of DGP ({error})') from error
    if rows.ndim != 2 or rows.shape[1] != len(columns) or not {'X', 'Y', 'Z'} <= set(columns):
        raise DatasetError(
            f'{path} has an array {rows.shape}: expected a column for each of {", ".join(columns)}'
        )
    intensity = columns.get('INTENSITY')
    return LidarPoints(
        rows[:, [columns[axis] for axis in 'XYZ']],
        None if intensity is None else rows[:, intensity],
    )
