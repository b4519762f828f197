# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""nuScenes, as tables or as one key frame -> scenes.

Frames: the ego frame (rear axle, on the ground, x ahead) is base_link, calibrated_sensor goes to
/tf_static as it is, and ego_pose, which every file has at its own stamp, becomes /odom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.errors import GeometryError
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.nuscenes_index import FileRow, TableIndex, indexed
from selfdepth_ros.datasets.nuscenes_sample import (
    CALIBRATION,
    camera_name,
    read_sample,
    read_sweep,
)
from selfdepth_ros.datasets.reading import not_the_layout, read_json
from selfdepth_ros.datasets.scene import (
    Catalogue,
    Event,
    Loss,
    Picture,
    Pose,
    Scene,
    SceneFiles,
    Sweep,
)

LICENCE = (
    'nuScenes data is licensed CC BY-NC-SA 4.0 (non-commercial, share alike; '
    'https://www.nuscenes.org/terms-of-use).'
)
LAYOUT = (
    'nuScenes (samples/, sweeps/ and one v1.0-*/ with scene.json and the other tables; or that '
    f'v1.0-*/), or a sample of one key frame ({CALIBRATION}, six JPEGs, a .pcd.bin)'
)
_EARLIER = 'calibrated otherwise than before in the same scene'


def open_nuscenes(src: Path) -> Catalogue:
    """Find the scenes of the tables, or take the folder for a sample."""
    if (src / CALIBRATION).is_file():
        return SceneFiles({'sample': partial(read_sample, src)})
    versions = [
        path for path in (src, *sorted(src.glob('v1.0-*'))) if (path / 'scene.json').is_file()
    ]
    if len(versions) > 1:
        names = ', '.join(path.name for path in versions)
        raise DatasetError(f'{src} has {names}: expected one; name the folder of one of them')
    if not versions:
        raise not_the_layout(src, LAYOUT)
    tables = versions[0].absolute()
    try:
        tokens = {row['name']: row['token'] for row in read_json(tables / 'scene.json')}
    except (KeyError, TypeError) as error:
        raise DatasetError(
            f'{tables / "scene.json"}: {error!r}: expected rows with name'
        ) from error
    return _Tables(tables, tokens)


@dataclass(frozen=True)
class _Tables:
    """The scenes of one v1.0-* folder."""

    folder: Path
    tokens: dict[str, str]

    @property
    def names(self) -> Sequence[str]:
        """Every scene."""
        return tuple(self.tokens)

    @contextmanager
    def reading(
        self, names: Sequence[str], progress: bool = False
    ) -> Iterator[Callable[[str], Scene]]:
        """Index the tables, once, for the scenes that are asked for."""
        if not names:
            yield self._nothing
            return
        with indexed(self.folder, [self.tokens[name] for name in names], progress) as index:
            yield lambda name: _scene(self.folder.parent, index, self.tokens[name])

    def _nothing(self, name: str) -> Scene:
        raise DatasetError(f'scene {name} was not asked for')


def _scene(root: Path, index: TableIndex, token: str) -> Scene:
    try:
        used: dict[str, dict[str, Any]] = {}
        losses = [Loss('ego_pose', 'missing')] * index.without_pose(token)
        for calibration_token, count in index.calibrations(token):
            sensor = index.sensors[calibration_token]
            if sensor['channel'] in used:
                losses += [Loss(sensor['channel'], _EARLIER)] * count
            else:
                used[sensor['channel']] = sensor
        cameras = [
            _camera(channel, sensor, index.image_size(token, sensor['token']))
            for channel, sensor in used.items()
            if sensor['modality'] == 'camera'
        ]
        lidars = {c: sensor for c, sensor in used.items() if sensor['modality'] == 'lidar'}
        if not cameras:
            raise DatasetError('the tables name no image of this scene')
        calibrations = {sensor['token']: sensor for sensor in used.values()}
        _check_images_are_there(root, calibrations, index.files(token))
        return Scene(
            rig=Rig(tuple(cameras)),
            body_from_lidars={_frame(c): _pose(sensor) for c, sensor in lidars.items()},
            events=_events(root, calibrations, index.files(token)),
            total=2 * index.count(token),
            losses=losses,
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DatasetError(f'the tables of nuScenes disagree: {error!r}') from error


def _check_images_are_there(
    root: Path, calibrations: dict[str, dict[str, Any]], files: Iterator[FileRow]
) -> None:
    """Raise DatasetError when the scene is in a part of nuScenes that was not downloaded.

    The tables name all 850 scenes, the files come in ten parts: most people have some of them.
    """
    missing: list[Path] = []
    for row in files:
        if calibrations.get(row.calibrated_sensor_token, {}).get('modality') == 'camera':
            missing.append(root / row.filename)
            if missing[-1].exists():
                return
    raise DatasetError(
        f'not one of its {len(missing)} images is there (first: {missing[0]}): expected the part '
        'of nuScenes that has them; download and unpack it'
    )


def _camera(channel: str, sensor: dict[str, Any], size: tuple[int, int]) -> RigCamera:
    (fx, _, cx), (_, fy, cy), _ = sensor['camera_intrinsic']
    name = camera_name(channel)
    return RigCamera(
        name, PinholeCamera(*size, fx, fy, cx, cy), _pose(sensor), f'{name}_optical_frame'
    )


def _frame(channel: str) -> str:
    return channel.lower()


def _pose(row: dict[str, Any]) -> SE3:
    """Return the pose of a calibrated_sensor or an ego_pose; quaternions are w x y z."""
    try:
        w, x, y, z = row['rotation']
        tx, ty, tz = row['translation']
        return SE3.from_quaternion(np.array([x, y, z, w], float), np.array([tx, ty, tz], float))
    except (TypeError, ValueError, GeometryError) as error:
        raise DatasetError(f'the tables of nuScenes have no pose but {row}') from error


def _events(
    root: Path, calibrations: dict[str, dict[str, Any]], files: Iterator[FileRow]
) -> Iterator[Event]:
    """Give a pose and a file for each row, in the order of the rows: that of time."""
    for row in files:
        sensor = calibrations.get(row.calibrated_sensor_token)
        stamp_ns = 1000 * row.timestamp_us
        if row.ego_pose is not None:
            yield Pose(stamp_ns, _pose(row.ego_pose))
        if sensor is None:
            continue  # counted as lost when the scene was opened
        path = root / row.filename
        if sensor['modality'] == 'camera':
            yield Picture(stamp_ns, camera_name(sensor['channel']), path)
        else:
            yield Sweep(stamp_ns, _frame(sensor['channel']), path, read_sweep)
