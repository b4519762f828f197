# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A known drive as KITTI stores it: raw, and the odometry benchmark."""

import numpy as np
from known_drive import OPTICAL, SECOND, Drive, Lens, pose, write

DATE, NAME = '2011_09_26', '2011_09_26_drive_0001_sync'
EARTH_M, LATITUDE = 6378137.0, 49.0
LENS = Lens((48, 32), 40.0, 40.0, 23.5, 15.5)
BODY_FROM_VELODYNE = pose((0, 0, 0), (0, 0, 1.73))
VELODYNE_FROM_IMU = pose((0.01, -0.005, 0.02), (-0.81, 0.32, -0.8))
R_RECT_00 = pose((0.01, -0.02, 0.005))
CAMERA_0_FROM_VELODYNE = pose((0.01, 0.02, -0.01), (0, -0.08, -0.27), OPTICAL.T)
"""Of the rectified camera 0."""
# Where the rectified cameras are in the frame of the first, which has their axes.
AT = {0: (0, 0, 0), 1: (0.54, 0, 0), 2: (-0.06, -0.0003, -0.003), 3: (0.47, -0.005, -0.003)}


def stereo(start_ns, count, used=(2, 3)):
    """A drive of KITTI's cameras; image `n` and sweep `n` are 3 ms apart."""
    body_from_camera_0 = BODY_FROM_VELODYNE @ np.linalg.inv(CAMERA_0_FROM_VELODYNE)
    stamps = [start_ns + number * SECOND // 10 + 137 * number for number in range(count)]
    return Drive(
        {f'camera_{n:02}': (LENS, body_from_camera_0 @ pose((0, 0, 0), AT[n])) for n in used},
        BODY_FROM_VELODYNE,
        {f'camera_{n:02}': stamps for n in used},
        [stamp + 3_000_000 for stamp in stamps],
        '.png',
    )


def _line(key, values):
    return f'{key}: ' + ' '.join(repr(float(value)) for value in np.ravel(values))


def _projection(number):
    k = np.array([[LENS.fx, 0, LENS.cx], [0, LENS.fy, LENS.cy], [0, 0, 1]])
    return k @ np.column_stack([np.eye(3), -np.array(AT[number])])


def _velodyne(drive, index):
    points, intensity = drive.in_lidar(index)
    return np.column_stack([points, intensity]).astype('<f4').tobytes()


def _date(stamp_ns):
    return np.datetime_as_string(np.datetime64(stamp_ns, 'ns')).replace('T', ' ')


def write_kitti_raw(root, drive, oxts=True):
    """One date with one synchronized drive."""
    date = root / DATE
    lines = ['calib_time: 09-Jan-2012 13:57:47', _line('corner_dist', 0.0995)]
    for number in AT:
        # What turns each camera to the common plane of images: P_rect counts on 00 alone.
        turned = R_RECT_00 @ pose((0.0, 0.01 * number, 0.02 * number))
        lines += [_line(f'S_{number:02}', (LENS.size[0] + 9, LENS.size[1] + 8))]
        lines += [_line(f'S_rect_{number:02}', LENS.size)]
        lines += [_line(f'R_rect_{number:02}', turned[:3, :3])]
        lines += [_line(f'P_rect_{number:02}', _projection(number))]
    write(date / 'calib_cam_to_cam.txt', '\n'.join(lines))
    to_camera = np.linalg.inv(R_RECT_00) @ CAMERA_0_FROM_VELODYNE
    for name, matrix in (('velo_to_cam', to_camera), ('imu_to_velo', VELODYNE_FROM_IMU)):
        text = f'{_line("R", matrix[:3, :3])}\n{_line("T", matrix[:3, 3])}'
        write(date / f'calib_{name}.txt', f'calib_time: 25-May-2012 16:47:16\n{text}\n')
    folder = date / NAME
    stamps = {
        **{f'image_{camera[-2:]}': all_ns for camera, all_ns in drive.camera_ns.items()},
        'velodyne_points': drive.lidar_ns,
        **({'oxts': next(iter(drive.camera_ns.values()))} if oxts else {}),
    }
    for sensor, all_ns in stamps.items():
        write(folder / sensor / 'timestamps.txt', '\n'.join(map(_date, all_ns)) + '\n')
    for index in range(len(drive.lidar_ns)):
        name = f'{index:010}'
        for camera in drive.cameras:
            path = folder / f'image_{camera[-2:]}' / 'data' / f'{name}.png'
            write(path, drive.image(camera, index))
        write(folder / 'velodyne_points' / 'data' / f'{name}.bin', _velodyne(drive, index))
        if oxts:
            packet = _packet(drive, stamps['oxts'][index])
            write(folder / 'oxts' / 'data' / f'{name}.txt', packet)
    return root


def _packet(drive, stamp_ns):
    """The OXTS line of a pose; the first pose is at LATITUDE, which gives Mercator's scale."""
    body_from_imu = BODY_FROM_VELODYNE @ VELODYNE_FROM_IMU
    first = drive.at(drive.first_ns, drive.first_ns) @ body_from_imu
    world_from_imu = drive.at(stamp_ns, drive.first_ns) @ body_from_imu
    scale = np.cos(np.deg2rad(LATITUDE))
    equator_m = scale * EARTH_M * np.log(np.tan(np.pi / 4 + np.deg2rad(LATITUDE) / 2))
    east, north, up = world_from_imu[:3, 3] - [0, first[1, 3], 0]
    latitude = 2 * np.arctan(np.exp((north + equator_m) / (scale * EARTH_M))) - np.pi / 2
    turn = world_from_imu[:3, :3]
    yaw, pitch = np.arctan2(turn[1, 0], turn[0, 0]), -np.arcsin(turn[2, 0])
    roll = np.arctan2(turn[2, 1], turn[2, 2])
    place = [np.rad2deg(latitude), np.rad2deg(east / (scale * EARTH_M)), up, roll, pitch, yaw]
    return ' '.join(repr(float(value)) for value in [*place, *[0.0] * 24])


def write_kitti_odometry(root, drive, sequence='00', poses=True, velodyne=True):
    """One sequence; its stamps are seconds after the first, and sweeps have those of images."""
    folder = root / 'sequences' / sequence
    lines = [_line(f'P{number}', _projection(number)) for number in AT]
    if velodyne:
        lines.append(_line('Tr', CAMERA_0_FROM_VELODYNE[:3]))
    write(folder / 'calib.txt', '\n'.join(lines) + '\n')
    all_ns = next(iter(drive.camera_ns.values()))
    times = [f'{(ns - drive.first_ns) / SECOND:.9e}' for ns in all_ns]
    write(folder / 'times.txt', '\n'.join(times) + '\n')
    for index in range(len(all_ns)):
        for camera in drive.cameras:
            path = folder / f'image_{int(camera[-2:])}' / f'{index:06}.png'
            write(path, drive.image(camera, index))
        if velodyne:
            write(folder / 'velodyne' / f'{index:06}.bin', _velodyne(drive, index))
    if poses:
        camera_0 = BODY_FROM_VELODYNE @ np.linalg.inv(CAMERA_0_FROM_VELODYNE)
        placed = [drive.at(ns, drive.first_ns) @ camera_0 for ns in all_ns]
        rows = [(np.linalg.inv(placed[0]) @ matrix)[:3].ravel() for matrix in placed]
        text = '\n'.join(' '.join(repr(float(value)) for value in row) for row in rows)
        write(root / 'poses' / f'{sequence}.txt', text + '\n')
    return root
