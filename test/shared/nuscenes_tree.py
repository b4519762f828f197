# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A known drive in the tables of nuScenes v1.0."""

import numpy as np
from known_drive import jpeg, write, wxyz

VERSION = 'v1.0-mini'
KEY_FRAMES_HZ = 2
TABLES = (
    'attribute', 'calibrated_sensor', 'category', 'ego_pose', 'instance', 'log', 'map', 'sample',
    'sample_annotation', 'sample_data', 'scene', 'sensor', 'visibility',
)  # fmt: skip
"""All of v1.0: nuscenes-devkit refuses a folder without one of them."""


def write_nuscenes(root, drive, scenes=('scene-0061',), version=VERSION):
    """Tables and files: every scene is the same drive, of another log. Rows are in no order."""
    tables = {name: [] for name in TABLES}
    channels = [f'CAM_{name.removeprefix("camera_").upper()}' for name in drive.cameras]
    tables['sensor'] = [
        *({'token': f's-{c}', 'channel': c, 'modality': 'camera'} for c in channels),
        {'token': 's-LIDAR_TOP', 'channel': 'LIDAR_TOP', 'modality': 'lidar'},
        {'token': 's-RADAR_FRONT', 'channel': 'RADAR_FRONT', 'modality': 'radar'},
    ]
    for number, scene in enumerate(scenes):
        _write_scene(root, drive, scene, f'n{number:03}', tables)
    logs = [row['token'] for row in tables['log']]
    tables['map'] = [{
        'token': 'm', 'category': 'semantic_prior', 'filename': 'maps/m.png', 'log_tokens': logs,
    }]  # fmt: skip
    write(root / 'maps' / 'm.png', jpeg(0, (8, 8), '.png'))
    _link(tables['sample_data'])
    rng = np.random.default_rng(5)
    for name, rows in tables.items():
        rows = [rows[index] for index in rng.permutation(len(rows))]
        write(root / version / f'{name}.json', rows if name != 'scene' else sorted(rows, key=str))
    return root


def _write_scene(root, drive, scene, log, tables):
    tables['log'].append({
        'token': log, 'logfile': log, 'vehicle': log, 'date_captured': '2018-07-24',
        'location': 'boston-seaport',
    })  # fmt: skip
    stamps = sorted(
        [(ns, name, index) for name, all_ns in drive.camera_ns.items()
         for index, ns in enumerate(all_ns)]
        + [(ns, 'lidar', index) for index, ns in enumerate(drive.lidar_ns)]
        + [(drive.first_ns + 7_000_000, 'radar', 0)]
    )  # fmt: skip
    step = 10**9 // KEY_FRAMES_HZ
    samples = 1 + (stamps[-1][0] - drive.first_ns) // step
    for index in range(samples):
        tables['sample'].append({
            'token': f'{scene}-{index}', 'scene_token': f't-{scene}',
            'timestamp': (drive.first_ns + index * step) // 1000,
            'prev': f'{scene}-{index - 1}' if index else '',
            'next': f'{scene}-{index + 1}' if index + 1 < samples else '',
        })  # fmt: skip
    tables['scene'].append({
        'token': f't-{scene}', 'name': scene, 'log_token': log, 'nbr_samples': samples,
        'first_sample_token': f'{scene}-0', 'last_sample_token': f'{scene}-{samples - 1}',
        'description': 'a curve',
    })  # fmt: skip
    seen = set()
    for ns, name, index in stamps:
        sample = (ns - drive.first_ns) // step
        key = (name, sample) not in seen
        seen.add((name, sample))
        _write_file(root, drive, (scene, log), (ns, name, index), (sample, key), tables)


def _write_file(root, drive, place, what, when, tables):
    (scene, log), (ns, name, index), (sample, key) = place, what, when
    channel, where, size, suffix, content = _sensor(drive, name, index)
    calibration = f'{log}-{channel}'
    if calibration not in {row['token'] for row in tables['calibrated_sensor']}:
        tables['calibrated_sensor'].append({
            'token': calibration, 'sensor_token': f's-{channel}',
            'translation': list(map(float, where[:3, 3])), 'rotation': wxyz(where),
            'camera_intrinsic': _intrinsic(drive, name),
        })  # fmt: skip
    token = f'{scene}-{channel}-{ns}'
    folder = 'samples' if key else 'sweeps'
    filename = f'{folder}/{channel}/{log}__{channel}__{ns // 1000}{suffix}'
    write(root / filename, content)
    tables['sample_data'].append({
        'token': token, 'sample_token': f'{scene}-{sample}', 'ego_pose_token': token,
        'calibrated_sensor_token': calibration, 'timestamp': ns // 1000, 'is_key_frame': key,
        'filename': filename, 'fileformat': suffix[1:], 'prev': '', 'next': '',
        'width': size[0], 'height': size[1],
    })  # fmt: skip
    world_from_body = drive.at(ns, drive.first_ns)
    tables['ego_pose'].append({
        'token': token, 'timestamp': ns // 1000, 'rotation': wxyz(world_from_body),
        'translation': list(map(float, world_from_body[:3, 3])),
    })  # fmt: skip


def _link(rows):
    """Name, in each row of sample_data, the ones before and after it of its sensor and scene."""
    last = {}
    for row in rows:
        chain = row['sample_token'].rsplit('-', 1)[0], row['calibrated_sensor_token']
        if chain in last:
            row['prev'], last[chain]['next'] = last[chain]['token'], row['token']
        last[chain] = row


def _sensor(drive, name, index):
    """Channel, pose on the body, image size, suffix and content of one file."""
    if name == 'radar':
        return 'RADAR_FRONT', np.eye(4), (0, 0), '.pcd', b'# .PCD v0.7'
    if name == 'lidar':
        points, intensity = drive.in_lidar(index)
        rows = np.column_stack([points, intensity, np.arange(len(points)) % 32])
        return (
            'LIDAR_TOP', drive.body_from_lidar, (0, 0), '.pcd.bin', rows.astype('<f4').tobytes()
        )  # fmt: skip
    lens, where = drive.cameras[name]
    channel = f'CAM_{name.removeprefix("camera_").upper()}'
    return channel, where, lens.size, '.jpg', drive.image(name, index)


def _intrinsic(drive, name):
    if name not in drive.cameras:
        return []
    lens = drive.cameras[name][0]
    return [[lens.fx, 0.0, lens.cx], [0.0, lens.fy, lens.cy], [0.0, 0.0, 1.0]]
