# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A known drive as DDAD stores it (TRI's DGP)."""

from pathlib import Path

import numpy as np
from known_drive import SECOND, write, wxyz


def dgp_pose(matrix):
    quaternion = dict(zip(('qw', 'qx', 'qy', 'qz'), wxyz(matrix), strict=True))
    return {
        'rotation': quaternion,
        'translation': dict(zip('xyz', map(float, matrix[:3, 3]), strict=True)),
    }


def dgp_date(stamp_ns):
    """A stamp as DGP writes it; strftime knows years beyond 2038, too."""
    seconds, rest = divmod(stamp_ns, SECOND)
    date = np.datetime_as_string(np.datetime64(seconds, 's'))
    return f'{date}.{rest // 1000:06d}Z'


def write_ddad(root: Path, drive, scenes=('000000',), stamp=lambda ns: ns):
    """ddad.json and its scenes; `stamp` is what DDAD makes of a time."""
    names = []
    for scene in scenes:
        names.append(f'{scene}/scene_5c5616b2.json')
        write(root / names[-1], _dgp_scene(root / scene, drive, stamp))
    splits = {'0': {'filenames': names}, '1': {'filenames': names[:1]}}
    write(root / 'ddad.json', {'metadata': {'name': 'DDAD'}, 'scene_splits': splits})
    return root


def _dgp_scene(folder, drive, stamp):
    sensors = {name.upper(): where for name, (_, where) in drive.cameras.items()}
    sensors['LIDAR'] = drive.body_from_lidar
    none = dict.fromkeys(('fx', 'fy', 'cx', 'cy', 'skew'), 0.0)
    calibration = {
        'names': list(sensors),
        'extrinsics': [dgp_pose(where) for where in sensors.values()],
        'intrinsics': [
            {**none, **_numbers(drive.cameras[name.lower()][0])} if name != 'LIDAR' else none
            for name in sensors
        ],
    }
    write(folder / 'calibration' / 'c0e1.json', calibration)
    data, samples = [], []
    for index, lidar_ns in enumerate(drive.lidar_ns):
        keys = []
        for sensor, where in sensors.items():
            ns = lidar_ns if sensor == 'LIDAR' else drive.camera_ns[sensor.lower()][index]
            keys.append(f'{sensor}-{index}')
            content = _dgp_content(folder, drive, sensor, index)
            content['pose'] = dgp_pose(drive.at(ns, drive.first_ns) @ where)
            kind = 'point_cloud' if sensor == 'LIDAR' else 'image'
            identity = {'name': sensor, 'timestamp': dgp_date(stamp(ns)), 'index': str(index)}
            data.append({'id': identity, 'key': keys[-1], 'datum': {kind: content}})
        identity = {'timestamp': dgp_date(stamp(lidar_ns)), 'index': str(index)}
        samples.append({'id': identity, 'calibration_key': 'c0e1', 'datum_keys': keys})
    return {'name': '', 'data': data[::-1], 'samples': samples}


def _numbers(lens):
    return {name: getattr(lens, name) for name in ('fx', 'fy', 'cx', 'cy')}


def _dgp_content(folder, drive, sensor, index):
    if sensor == 'LIDAR':
        path = folder / 'point_cloud' / 'LIDAR' / f'{index}.npz'
        points, intensity = drive.in_lidar(index)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, data=np.column_stack([points, intensity]))
        extra = {'point_format': ['X', 'Y', 'Z', 'INTENSITY']}
    else:
        path = folder / 'rgb' / sensor / f'{index}.jpg'
        write(path, drive.image(sensor.lower(), index))
        width, height = drive.cameras[sensor.lower()][0].size
        extra = {'width': width, 'height': height, 'channels': 3}
    return {'filename': str(path.relative_to(folder)), 'annotations': {}, **extra}
