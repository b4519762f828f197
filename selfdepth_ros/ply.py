# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Clouds as binary PLY files, which every point cloud viewer opens."""

from pathlib import Path

import numpy as np

from selfdepth_ros.core.files import appearing
from selfdepth_ros.core.frames import PointCloud

_VERTEX = np.dtype(
    [(name, '<f4') for name in 'xyz'] + [(name, 'u1') for name in ('red', 'green', 'blue')]
)
_HEADER = """ply
format binary_little_endian 1.0
comment frame {frame}, stamp {stamp} ns{origin}
element vertex {count}
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
end_header
"""


def write_ply(
    path: Path | str, cloud: PointCloud, origin_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Path:
    """Write a coloured cloud, whole or not at all; makes the folder. Returns the path.

    `origin_m` (x, y, z) is what points lack of their frame's coordinates; a comment says it.
    """
    path = Path(path)
    vertices = np.empty(len(cloud), _VERTEX)
    for axis, name in enumerate('xyz'):
        vertices[name] = cloud.points[:, axis]
    for channel, name in enumerate(('red', 'green', 'blue')):
        vertices[name] = cloud.colors[:, channel]
    origin = ''
    if any(origin_m):
        origin = '\ncomment origin {} {} {} m, to be added'.format(*origin_m)
    header = _HEADER.format(
        frame=cloud.frame_id, stamp=cloud.stamp_ns, count=len(cloud), origin=origin
    )
    with appearing(path) as file:
        file.write(header.encode('utf-8'))
        vertices.tofile(file)
    return path
