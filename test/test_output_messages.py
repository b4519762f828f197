# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever fields a cloud has, they are read back; a grid has every point at its pixel."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from selfdepth_ros import messages as m
from selfdepth_ros.bags.factory import MessageFactory
from selfdepth_ros.core.config import config_from_dict
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.scan import ScanConfig

MAKE = MessageFactory()
NUMPY = {2: 'u1', 7: '<f4'}
FLOATS = st.floats(-1e6, 1e6, width=32)


@st.composite
def values_of_clouds(draw) -> tuple[Any, ...]:
    """Points, colours, cameras; confidence, time and whether camera is a field."""
    n = draw(st.integers(0, 20))
    bytes_ = st.integers(0, 255)
    floats = arrays(np.float32, n, elements=FLOATS)
    return (
        draw(arrays(np.float32, (n, 3), elements=FLOATS)),
        draw(arrays(np.uint8, (n, 3), elements=bytes_)),
        draw(arrays(np.uint8, n, elements=bytes_)),
        draw(st.none() | floats),
        draw(st.none() | floats),
        draw(st.booleans()),
    )


def cloud_of(values: tuple[Any, ...]) -> tuple[PointCloud, m.PointExtras]:
    points, colors, camera, confidence, time, with_camera = values
    cloud = PointCloud.of(points, colors, camera, 5, 'base_link')
    return cloud, m.PointExtras(confidence, time, camera if with_camera else None)


def column(packed: m.PackedPoints, name: str) -> np.ndarray:
    """Values of a field, read as any receiver would."""
    (field,) = (field for field in packed.fields if field.name == name)
    kind = np.dtype(NUMPY[field.datatype])
    rows = packed.data.reshape(packed.width * packed.height, packed.point_step)
    return np.ascontiguousarray(rows[:, field.offset : field.offset + kind.itemsize]).view(kind)[
        :, 0
    ]


@given(values_of_clouds())
def test_every_field_is_read_back(drawn):
    cloud, extras = cloud_of(drawn)
    packed = m.pack_points(cloud, extras)
    given = {name: value for name, value in extras._asdict().items() if value is not None}
    assert [field.name for field in packed.fields] == ['x', 'y', 'z', 'rgb', *given]
    for axis, name in enumerate('xyz'):
        np.testing.assert_array_equal(column(packed, name), cloud.points[:, axis])
    for name, values in given.items():
        np.testing.assert_array_equal(column(packed, name), values)
    colors = column(packed, 'rgb').view('<u4')[:, None] >> np.array([16, 8, 0], np.uint32) & 255
    np.testing.assert_array_equal(colors, cloud.colors)
    ends = [field.offset + np.dtype(NUMPY[field.datatype]).itemsize for field in packed.fields]
    assert max(ends) <= packed.point_step == 16 + 4 * len(given)
    assert packed.data.size == packed.row_step == packed.point_step * len(cloud)
    read = m.points_from_cloud_msg(MAKE.cloud(5, 'f', packed))
    np.testing.assert_array_equal(read, cloud.points)
    whole = m.fields_from_cloud_msg(MAKE.cloud(5, 'f', packed))
    if len(cloud):
        np.testing.assert_array_equal(whole.colors, cloud.colors)
        assert (whole.camera is None) == (extras.camera is None)
    if len(cloud) and extras.camera is not None:
        np.testing.assert_array_equal(whole.camera, cloud.camera)


@given(values_of_clouds(), st.integers(1, 7), st.integers(3, 8), st.integers(0, 99))
def test_a_grid_has_every_point_in_its_place_and_nothing_else(drawn, width, height, seed):
    cloud, extras = cloud_of(drawn)
    room = min(len(cloud), width * height)
    cloud = cloud.select(np.arange(room))
    extras = m.PointExtras(*(None if value is None else value[:room] for value in extras))
    places = np.random.default_rng(seed).permutation(width * height)[:room]
    packed = m.pack_points(cloud, extras)
    grid = m.organize(packed, places, width, height)
    assert (grid.width, grid.height, grid.is_dense) == (width, height, False)
    assert grid.data.size == grid.row_step * height
    for field in packed.fields:
        np.testing.assert_array_equal(column(grid, field.name)[places], column(packed, field.name))
    empty = np.setdiff1d(np.arange(width * height), places)
    assert np.isnan(column(grid, 'x')[empty]).all()
    read = m.points_from_cloud_msg(MAKE.cloud(5, 'f', grid))
    np.testing.assert_array_equal(read, cloud.points[np.argsort(places)])


@pytest.mark.parametrize('places', [[0, 6], [-1, 2], [1]])
def test_places_outside_the_grid_are_refused(places):
    packed = m.pack_xyz(np.zeros((2, 3)))
    with pytest.raises(m.MessageError, match='grid of 3x2'):
        m.organize(packed, np.array(places), 3, 2)


def test_an_organized_cloud_cannot_be_thinned_by_voxels():
    with pytest.raises(ConfigError, match='organized with voxel_m 0.1.*Use stride_px'):
        config_from_dict(m.PointsConfig, {'organized': True, 'voxel_m': 0.1})


@given(st.integers(8, 7200))
def test_a_scan_goes_once_around(beams):
    config = ScanConfig(beams=beams)
    scan = m.scan_fields(np.full(beams, np.nan, np.float32), config)
    directions = np.linspace(scan.angle_min, scan.angle_max, beams)
    np.testing.assert_allclose(directions, config.azimuths(), atol=1e-9)
    assert scan.angle_max + scan.angle_increment - scan.angle_min == pytest.approx(2 * np.pi)
    assert (scan.range_min, scan.range_max) == (config.min_range_m, config.max_range_m)
    with pytest.raises(m.MessageError, match='expected'):
        m.scan_fields(np.zeros(beams + 1, np.float32), config)
