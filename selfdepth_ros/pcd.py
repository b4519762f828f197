# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Clouds as binary PCD files (version 0.7), which the tools of PCL read.

Format: https://pointclouds.org/documentation/tutorials/pcd_file_format.html
"""

from pathlib import Path

import numpy as np

from selfdepth_ros.core.files import appearing
from selfdepth_ros.core.frames import PointCloud

_POINT = np.dtype([(name, '<f4') for name in 'xyz'] + [('rgb', '<u4')])
_HEADER = """# .PCD v0.7 - Point Cloud Data file format
# frame {frame}, stamp {stamp} ns
VERSION 0.7
FIELDS x y z rgb
SIZE 4 4 4 4
TYPE F F F U
COUNT 1 1 1 1
WIDTH {count}
HEIGHT 1
VIEWPOINT 0 0 0 1 0 0 0
POINTS {count}
DATA binary
"""


def write_pcd(path: Path | str, cloud: PointCloud) -> Path:
    """Write a coloured cloud, metres in its frame, whole or not at all; makes the folder.

    Colours are packed as PCL has them, 0x00RRGGBB. Returns the path. Raises OSError.
    """
    points = np.empty(len(cloud), _POINT)
    for axis, name in enumerate('xyz'):
        points[name] = cloud.points[:, axis]
    red, green, blue = cloud.colors.astype(np.uint32).T
    points['rgb'] = red << 16 | green << 8 | blue
    header = _HEADER.format(frame=cloud.frame_id, stamp=cloud.stamp_ns, count=len(cloud))
    with appearing(path) as file:
        file.write(header.encode('utf-8'))
        points.tofile(file)
    return Path(path)
