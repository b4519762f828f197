# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""PLY and PCD files, read back by somebody else's reader."""

from pathlib import Path

import numpy as np
import open3d
import pytest

from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.pcd import write_pcd
from selfdepth_ros.ply import write_ply

WRITERS = {'ply': write_ply, 'pcd': write_pcd}


def cloud_of(count: int) -> PointCloud:
    rng = np.random.default_rng(count)
    points = rng.normal(0, 30, (count, 3)).astype(np.float32)
    colors = rng.integers(0, 256, (count, 3)).astype(np.uint8)
    return PointCloud.of(points, colors, np.zeros(count, np.uint8), 1_500_000_000, 'base_link')


@pytest.mark.parametrize('kind', WRITERS)
def test_points_and_colours_are_read_back_bit_for_bit(tmp_path: Path, kind: str) -> None:
    cloud, path = cloud_of(1000), tmp_path / f'cloud.{kind}'
    assert WRITERS[kind](path, cloud) == path
    read = open3d.t.io.read_point_cloud(str(path))
    np.testing.assert_array_equal(read.point.positions.numpy(), cloud.points)
    # PLY readers give bytes, PCD readers may give shares of one.
    colors = read.point.colors.numpy()
    scale = 1 if colors.dtype == np.uint8 else 255
    np.testing.assert_array_equal(np.rint(colors * scale).astype(int), cloud.colors)


@pytest.mark.parametrize('kind', WRITERS)
def test_a_cloud_without_points_is_a_file_without_points(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path / f'cloud.{kind}', cloud_of(0))
    assert path.read_bytes().splitlines()[-1] in (b'end_header', b'DATA binary')
    assert b'base_link' in path.read_bytes()
