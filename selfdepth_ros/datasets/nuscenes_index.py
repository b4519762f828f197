# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tables of nuScenes, of which two have millions of rows, as an index on disk.

sample_data.json and ego_pose.json of the whole dataset are gigabytes of JSON. They are read
once, in a stream; what belongs to the scenes asked for goes to a temporary SQLite file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

import ijson
from tqdm import tqdm

from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.reading import read_json, unreadable

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -16384;
CREATE TABLE file (scene TEXT, timestamp_us INTEGER, calibrated_sensor_token TEXT, filename TEXT,
                   width INTEGER, height INTEGER, ego_pose_token TEXT);
CREATE TABLE pose (token TEXT, row TEXT);
"""
_WANTED = 'SELECT 1 FROM file WHERE ego_pose_token = ?'
_FILES = """
SELECT timestamp_us, calibrated_sensor_token, filename, pose.row FROM file
LEFT JOIN pose ON pose.token = ego_pose_token WHERE scene = ? ORDER BY timestamp_us, filename
"""
# A token that comes twice means its last row, as for nuScenes' own devkit.
_LAST_OF_EACH = 'DELETE FROM pose WHERE rowid NOT IN (SELECT MAX(rowid) FROM pose GROUP BY token)'
_MODALITIES = ('camera', 'lidar')
_POSE = ('translation', 'rotation')


class FileRow(NamedTuple):
    """A row of sample_data with its ego_pose."""

    timestamp_us: int
    calibrated_sensor_token: str
    filename: str
    ego_pose: dict[str, Any] | None


class TableIndex:
    """Cameras and LiDAR of some scenes (by token)."""

    def __init__(self, database: sqlite3.Connection, sensors: dict[str, dict[str, Any]]) -> None:
        self._database = database
        self.sensors = sensors
        """Rows of calibrated_sensor by token, with channel and modality of their sensor."""

    def calibrations(self, scene: str) -> list[tuple[str, int]]:
        """Return the calibrated sensors of a scene and how many files each has, earliest first."""
        return self._database.execute(
            'SELECT calibrated_sensor_token, COUNT(*) FROM file WHERE scene = ? '
            'GROUP BY calibrated_sensor_token ORDER BY MIN(timestamp_us)',
            (scene,),
        ).fetchall()

    def image_size(self, scene: str, calibrated_sensor_token: str) -> tuple[int, int]:
        """Return width and height of a camera's images."""
        width, height = self._database.execute(
            'SELECT width, height FROM file WHERE scene = ? AND calibrated_sensor_token = ?',
            (scene, calibrated_sensor_token),
        ).fetchone()
        return int(width), int(height)

    def count(self, scene: str) -> int:
        """Return the number of files of a scene."""
        query = 'SELECT COUNT(*) FROM file WHERE scene = ?'
        return int(self._database.execute(query, (scene,)).fetchone()[0])

    def without_pose(self, scene: str) -> int:
        """Return the number of files of a scene whose ego_pose is not in its table."""
        query = (
            'SELECT COUNT(*) FROM file LEFT JOIN pose ON pose.token = ego_pose_token '
            'WHERE scene = ? AND pose.token IS NULL'
        )
        return int(self._database.execute(query, (scene,)).fetchone()[0])

    def files(self, scene: str) -> Iterator[FileRow]:
        """Give the files of a scene in order of time."""
        for *values, pose in self._database.execute(_FILES, (scene,)):
            yield FileRow(*values, None if pose is None else json.loads(pose))


@contextmanager
def indexed(folder: Path, scenes: Sequence[str], progress: bool = False) -> Iterator[TableIndex]:
    """Index the tables in `folder` for some scenes (tokens); DatasetError when damaged.

    Of the whole dataset that takes minutes: `progress` shows how far it is.
    """
    # A database without a name is a file in TMPDIR that is gone as its process is, also if killed.
    with closing(sqlite3.connect('')) as database:
        database.executescript(_SCHEMA)
        try:
            sensors = _sensors(folder)
            _fill(database, folder, set(scenes), sensors, progress)
        except (KeyError, TypeError) as error:
            raise DatasetError(
                f'{folder}: a row without {error}: expected the tables of nuScenes v1.0'
            ) from error
        except sqlite3.Error as error:
            raise DatasetError(
                f'the index of {folder} cannot be written ({error}): expected 2 GB of temporary '
                'files for the whole dataset; name another folder in TMPDIR'
            ) from error
        yield TableIndex(database, sensors)


def _sensors(folder: Path) -> dict[str, dict[str, Any]]:
    kinds = {row['token']: row for row in read_json(folder / 'sensor.json')}
    return {
        row['token']: {
            **row,
            'channel': kinds[row['sensor_token']]['channel'],
            'modality': kinds[row['sensor_token']]['modality'],
        }
        for row in read_json(folder / 'calibrated_sensor.json')
    }


def _fill(
    database: sqlite3.Connection,
    folder: Path,
    scenes: set[str],
    sensors: dict[str, dict[str, Any]],
    progress: bool,
) -> None:
    scene_of = {
        row['token']: row['scene_token']
        for row in _rows(folder / 'sample.json')
        if row['scene_token'] in scenes
    }
    wanted = {token for token, row in sensors.items() if row['modality'] in _MODALITIES}
    with database:
        database.executemany(
            'INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?)',
            _file_values(_rows(folder / 'sample_data.json', progress), scene_of, wanted),
        )
        database.execute('CREATE INDEX by_scene ON file (scene, timestamp_us)')
        database.execute('CREATE INDEX by_pose ON file (ego_pose_token)')
        for row in _rows(folder / 'ego_pose.json', progress):
            if database.execute(_WANTED, (row['token'],)).fetchone():
                pose = json.dumps({key: row[key] for key in _POSE})
                database.execute('INSERT INTO pose VALUES (?, ?)', (row['token'], pose))
        database.execute('CREATE INDEX by_token ON pose (token)')
        database.execute(_LAST_OF_EACH)


def _file_values(
    rows: Iterable[dict[str, Any]], scene_of: dict[str, str], wanted: set[str]
) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        scene = scene_of.get(row['sample_token'])
        if scene is not None and row['calibrated_sensor_token'] in wanted:
            yield (
                scene, row['timestamp'], row['calibrated_sensor_token'], row['filename'],
                row.get('width'), row.get('height'), row['ego_pose_token'],
            )  # fmt: skip


class _Counted:
    """A file that tells a bar what is read of it. ijson would pass by a wrapped `readinto`."""

    def __init__(self, file: IO[bytes], bar: 'tqdm[NoReturn]') -> None:
        self._file, self._bar = file, bar

    def read(self, size: int = -1) -> bytes:
        """Read as the file does."""
        data = self._file.read(size)
        self._bar.update(len(data))
        return data


def _rows(path: Path, progress: bool = False) -> Iterator[dict[str, Any]]:
    """Give the rows of a table one after another, whatever its size."""
    try:
        with (
            path.open('rb') as file,
            tqdm(
                desc=path.name, total=path.stat().st_size, disable=not progress, unit='B',
                unit_scale=True, dynamic_ncols=True,
            ) as bar,
        ):  # fmt: skip
            yield from ijson.items(_Counted(file, bar), 'item', use_float=True)
    except OSError as error:
        raise unreadable(path, error) from error
    except ijson.JSONError as error:
        reason = ' '.join(str(error).split())
        raise DatasetError(f'{path} is no JSON ({reason}): download it again') from error
