# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""KITTI, raw or odometry benchmark: which of the two a folder is."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from selfdepth_ros.datasets.kitti_odometry import find_sequences, read_sequence
from selfdepth_ros.datasets.kitti_raw import find_drives, read_drive
from selfdepth_ros.datasets.reading import not_the_layout
from selfdepth_ros.datasets.scene import Catalogue, SceneFiles

LICENCE = (
    'KITTI is licensed CC BY-NC-SA 3.0 (non-commercial, share alike; '
    'https://www.cvlibs.net/datasets/kitti).'
)
LAYOUT = (
    'KITTI raw, synchronized (<date>/calib_cam_to_cam.txt, <date>/<date>_drive_<n>_sync/image_02) '
    'or KITTI odometry (sequences/<n>/calib.txt, times.txt, image_2; poses/<n>.txt; also below '
    'dataset/)'
)


def open_kitti(src: Path) -> Catalogue:
    """Find drives or sequences in a folder, or take it for one."""
    drives = {name: partial(read_drive, path) for name, path in find_drives(src).items()}
    if drives:
        return SceneFiles(drives)
    sequences = {name: partial(read_sequence, path) for name, path in find_sequences(src).items()}
    if not sequences:
        raise not_the_layout(src, LAYOUT)
    return SceneFiles(sequences)
