# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages say what was put into them, and contradictions are refused before anything is read."""

import math
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdepth_ros import messages as m
from selfdepth_ros.bags.factory import MessageFactory
from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.se3 import SE3

MAKE = MessageFactory()


@given(st.integers(0, 2**31 - 1), st.integers(0, 999_999_999))
def test_stamps_round_trip(sec, nanosec):
    header = SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec))
    assert m.stamp_from_ns(m.stamp_ns(header)) == (sec, nanosec)


def test_stamps_beyond_int32_are_refused():
    with pytest.raises(m.MessageError, match='int32'):
        m.stamp_from_ns(2**31 * 10**9)


CAMERAS = [
    PinholeCamera(640, 480, 500.0, 501.0, 319.0, 239.5),
    PinholeCamera(640, 480, 500.0, 501.0, 319.0, 239.5, 'plumb_bob', (-0.2, 0.05, 1e-3, 0.0, 0.0)),
    PinholeCamera(
        640,
        480,
        500.0,
        501.0,
        319.0,
        239.5,
        'rational_polynomial',
        (0.1, 0.01, 0.0, 0.0, 0.001, 0.2, 0.01, 0.0),
    ),  # fmt: skip
    EquidistantCamera(640, 480, 300.0, 300.0, 319.0, 239.5, (0.01, -0.002, 0.0, 0.0)),
]


@pytest.mark.parametrize('camera', CAMERAS)
def test_camera_info_round_trip(camera):
    assert m.camera_from_info(MAKE.camera_info(0, 'camera', camera)) == camera


def test_rectified_images_take_p():
    info = MAKE.camera_info(0, 'camera', CAMERAS[1])
    info.p[0] = info.p[5] = 450.0
    camera = m.camera_from_info(info, rectified=True)
    assert camera == PinholeCamera(640, 480, 450.0, 450.0, 319.0, 239.5)


def test_region_of_interest_and_binning():
    info = MAKE.camera_info(0, 'camera', CAMERAS[0])
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 100, 40, 400, 300
    info.binning_x = info.binning_y = 2
    expected = CAMERAS[0].cropped(100, 40, 400, 300).scaled(200, 150)
    assert m.camera_from_info(info) == expected
    info.roi.width = 600
    with pytest.raises(CalibrationError, match='roi'):
        m.camera_from_info(info)


@given(st.integers(1, 7), st.integers(1, 7), st.booleans(), st.integers(200, 640))
@settings(max_examples=30, deadline=None)
def test_a_binned_pixel_looks_where_the_middle_of_its_pixels_does(across, down, rectified, width):
    info = MAKE.camera_info(0, 'camera', CAMERAS[0])
    info.p[0], info.p[2] = 450.0, 310.0
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 0, 40, width, 301
    info.binning_x, info.binning_y = across, down
    binned = m.camera_from_info(info, rectified=rectified)
    whole = PinholeCamera(640, 480, 450.0, 501.0, 310.0, 239.5) if rectified else CAMERAS[0]
    assert (binned.width, binned.height) == (width // across, 301 // down)
    last = np.array([binned.width - 1.0, binned.height - 1.0])
    middle = last * (across, down) + ((across - 1) / 2, (down - 1) / 2) + (0, 40)
    np.testing.assert_allclose(binned.rays(last)[0], whole.rays(middle)[0], atol=1e-12)


def test_binning_that_leaves_no_pixel_is_refused():
    info = MAKE.camera_info(0, 'camera', CAMERAS[0])
    info.binning_x, info.binning_y = 641, 1
    with pytest.raises(CalibrationError, match='binning 641x1 of 640x480'):
        m.camera_from_info(info)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'width': 0}, 'size 0x480'),
        ({'k': np.zeros(9)}, 'uncalibrated'),
        ({'k': np.array([math.nan, 0, 1, 0, 1, 1, 0, 0, 1])}, 'fx=nan'),
        ({'d': np.array([0.1, math.inf, 0, 0, 0])}, 'D has a NaN'),
        ({'distortion_model': 'swirl', 'd': np.ones(3)}, "'swirl' is not known"),
        ({'distortion_model': 'plumb_bob', 'd': np.ones(12)}, '12 coefficients'),
    ],
)
def test_calibrations_that_cannot_be_used_are_refused(change, words):
    info = MAKE.camera_info(0, 'camera_left', CAMERAS[0])
    for name, value in change.items():
        setattr(info, name, value)
    with pytest.raises(CalibrationError, match=words) as caught:
        m.camera_from_info(info)
    assert 'camera_left' in str(caught.value)


@given(st.lists(st.floats(-3, 3), min_size=6, max_size=6))
@settings(max_examples=50, deadline=None)
def test_transforms_round_trip(twist):
    pose = SE3.exp(np.array(twist))
    msg = MAKE.transforms(0, [('base_link', 'camera', pose)])
    read = m.transform_from_msg(msg.transforms[0])
    np.testing.assert_allclose(read.matrix, pose.matrix, atol=1e-9)


@pytest.mark.parametrize(('x', 'w'), [(0.0, 0.0), (math.nan, 1.0), (1.0, 1.0)])
def test_what_is_no_rotation_is_refused(x, w):
    msg = MAKE.transforms(0, [('base_link', 'camera', SE3.identity())]).transforms[0]
    msg.transform.rotation.x, msg.transform.rotation.w = x, w
    with pytest.raises(CalibrationError, match='unit quaternion'):
        m.transform_from_msg(msg)


def test_packed_points_hold_positions_and_colors():
    points = np.array([[1, 2, 3], [-4, 5.5, 6]], np.float32)
    colors = np.array([[255, 0, 1], [2, 3, 4]], np.uint8)
    cloud = PointCloud.of(points, colors, np.zeros(2, np.uint8), 5, 'base_link')
    packed = m.pack_points(cloud)
    assert (packed.point_step, packed.row_step) == (16, 32)
    assert [field.name for field in packed.fields] == ['x', 'y', 'z', 'rgb']
    bits = packed.data.view('<u4').reshape(2, 4)[:, 3]
    np.testing.assert_array_equal(bits, [0xFF0001, 0x020304])
    np.testing.assert_array_equal(m.points_from_cloud_msg(MAKE.cloud(5, 'f', packed)), points)


def test_an_empty_cloud_can_be_packed_and_read():
    empty = np.zeros((0, 3), np.float32)
    cloud = PointCloud.of(empty, empty.astype(np.uint8), np.zeros(0, np.uint8), 5, 'base_link')
    assert m.points_from_cloud_msg(MAKE.cloud(5, 'f', m.pack_points(cloud))).shape == (0, 3)


def test_points_without_a_place_are_left_out():
    points = np.array([[1, 2, 3], [np.nan, 0, 0], [0, np.inf, 0], [4, 5, 6]], np.float32)
    packed = m.pack_xyz(points, intensity=np.arange(4), ring=np.arange(4))
    read = m.points_from_cloud_msg(MAKE.cloud(0, 'lidar', packed))
    np.testing.assert_array_equal(read, points[[0, 3]])


def test_clouds_of_doubles_in_any_order_and_with_padding():
    kind = np.dtype(
        {'names': ['z', 'x', 'y'], 'formats': ['>f8'] * 3, 'offsets': [4, 16, 24], 'itemsize': 36}
    )
    records = np.zeros((2, 3), kind)
    records['x'], records['y'], records['z'] = np.arange(18, dtype=float).reshape(3, 2, 3)
    rows = np.zeros((2, 128), np.uint8)
    rows[:, :108] = records.view(np.uint8).reshape(2, 108)
    fields = [m.PointFieldSpec(n, o, 8) for n, o in (('z', 4), ('x', 16), ('y', 24))]
    msg = SimpleNamespace(
        height=2, width=3, point_step=36, row_step=128, is_bigendian=True, fields=fields,
        data=rows.tobytes(),
    )  # fmt: skip
    expected = np.arange(18, dtype=np.float32).reshape(3, 6).T
    np.testing.assert_array_equal(m.points_from_cloud_msg(msg), expected)


@given(
    width=st.integers(1, 5), height=st.integers(1, 3), point_step=st.integers(0, 40),
    row_step=st.integers(0, 100), size=st.integers(0, 300),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_cloud_sizes_that_do_not_fit_are_refused(width, height, point_step, row_step, size):
    fields = [m.PointFieldSpec(axis, 4 * index, 7) for index, axis in enumerate('xyz')]
    msg = SimpleNamespace(
        height=height, width=width, point_step=point_step, row_step=row_step,
        is_bigendian=False, fields=fields, data=bytes(size),
    )  # fmt: skip
    fits = point_step >= 12 and row_step >= width * point_step and size == height * row_step
    if fits:
        assert m.points_from_cloud_msg(msg).shape == (width * height, 3)
    else:
        with pytest.raises(m.MessageError):
            m.points_from_cloud_msg(msg)


KINDS = {'f4': 7, 'f8': 8, 'u4': 6, 'u1': 2, 'i2': 3, 'i4': 5}
"""Type -> value of PointField.datatype."""


class DrawnCloud(NamedTuple):
    """A legal PointCloud2, and what was put into it."""

    msg: Any
    xyz: np.ndarray
    rgb: np.ndarray | None
    camera: np.ndarray | None


@st.composite
def legal_clouds(draw) -> DrawnCloud:
    """Fields in any order with gaps between them, of any byte order, rows with padding."""
    columns = [(axis, draw(st.sampled_from(['f4', 'f8']))) for axis in 'xyz']
    columns += draw(st.sampled_from([[], [('rgb', 'f4')], [('rgb', 'u4')]]))
    columns += draw(st.sampled_from([[], [('camera', 'u1')]]))
    columns += draw(st.sampled_from([[], [('ring', 'i2'), ('label', 'i4')]]))
    columns = draw(st.permutations(columns))
    order = draw(st.sampled_from('<>'))
    offsets, end = [], 0
    for _, code in columns:
        offsets.append(end + draw(st.integers(0, 5)))
        end = offsets[-1] + np.dtype(code).itemsize
    width, height = draw(st.integers(0, 4)), draw(st.integers(0, 3))
    step = end + draw(st.integers(0, 5))
    kind = np.dtype({
        'names': [name for name, _ in columns], 'formats': [order + code for _, code in columns],
        'offsets': offsets, 'itemsize': step,
    })  # fmt: skip
    count, rng = width * height, np.random.default_rng(draw(st.integers(0, 2**32)))
    records = rng.integers(0, 256, (height, width * step), np.uint8).reshape(-1).view(kind)
    known = dict(columns)
    xyz = rng.normal(0, 30, (count, 3)).astype(np.float32)
    xyz[rng.random((count, 3)) < 0.1] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    for axis, values in zip('xyz', xyz.T, strict=True):
        records[axis] = values
        if known[axis] == 'f8':  # is no place, though a double can say it
            records[axis][np.isinf(values)] = 1e300
    rows = np.pad(
        records.view(np.uint8).reshape(height, width * step),
        ((0, 0), (0, draw(st.integers(0, 9)))),
    )
    fields = [
        m.PointFieldSpec(name, offset, KINDS[code])
        for (name, code), offset in zip(columns, offsets, strict=True)
    ]
    msg = SimpleNamespace(
        height=height, width=width, point_step=step, row_step=rows.shape[1],
        is_bigendian=order == '>', fields=fields, data=rows.tobytes(),
    )  # fmt: skip
    rgb = camera = None
    if 'rgb' in known:
        offset = offsets[[name for name, _ in columns].index('rgb')]
        word = records.view(np.uint8).reshape(-1, step)[:, offset : offset + 4]
        rgb = word[:, 1:] if order == '>' else word[:, 2::-1]
    if 'camera' in known:
        camera = records['camera']
    return DrawnCloud(msg, xyz, rgb, camera)


@given(legal_clouds())
@settings(deadline=None)
def test_any_legal_cloud_is_read_as_it_was_written(drawn):
    found = m.fields_from_cloud_msg(drawn.msg)
    finite = np.isfinite(drawn.xyz).all(axis=1)
    np.testing.assert_array_equal(found.points, drawn.xyz[finite])
    for said, written in ((found.colors, drawn.rgb), (found.camera, drawn.camera)):
        if said is None:
            assert written is None or not len(drawn.xyz)
        else:
            np.testing.assert_array_equal(said, written[finite])


ILLEGAL = {
    'a byte is lost': lambda msg: {'data': msg.data[:-1]},
    'a byte is too many': lambda msg: {'data': msg.data + b'7'},
    'a row is lost': lambda msg: {'height': msg.height + 1},
    'rows are too short': lambda msg: {'row_step': msg.width * msg.point_step - 1},
    'a huge width': lambda msg: {'width': 2**32 - 1},
    'a huge height': lambda msg: {'height': 2**32 - 1},
    'both are huge': lambda msg: {'width': 2**32 - 1, 'height': 2**32 - 1},
    'a huge point': lambda msg: {'point_step': 2**32 - 1},
    'huge rows': lambda msg: {'row_step': 2**32 - 1},
    'no z': lambda msg: {'fields': [f for f in msg.fields if f.name != 'z']},
    'no field': lambda msg: {'fields': []},
    'x is an integer': lambda msg: {
        'fields': [f._replace(datatype=5) if f.name == 'x' else f for f in msg.fields]
    },
    'y of no type': lambda msg: {
        'fields': [f._replace(datatype=99) if f.name == 'y' else f for f in msg.fields]
    },
    'z beyond the point': lambda msg: {
        'fields': [f._replace(offset=msg.point_step - 3) if f.name == 'z' else f
                   for f in msg.fields]
    },
    'z far beyond the point': lambda msg: {
        'fields': [f._replace(offset=2**32 - 1) if f.name == 'z' else f for f in msg.fields]
    },
}  # fmt: skip


@pytest.mark.parametrize('how', ILLEGAL)
@given(drawn=legal_clouds().filter(lambda drawn: len(drawn.xyz)))
@settings(deadline=None, max_examples=25)
def test_any_cloud_that_contradicts_itself_is_refused(how, drawn):
    vars(drawn.msg).update(ILLEGAL[how](drawn.msg))
    with pytest.raises(m.MessageError):
        m.fields_from_cloud_msg(drawn.msg)


def test_a_cloud_without_points_that_brings_data_is_refused():
    empty = m.pack_xyz(np.zeros((0, 3)))
    assert len(m.points_from_cloud_msg(MAKE.cloud(0, 'lidar', empty))) == 0
    msg = MAKE.cloud(0, 'lidar', empty._replace(data=np.zeros(12, np.uint8)))
    with pytest.raises(m.MessageError, match='12 bytes'):
        m.points_from_cloud_msg(msg)


def test_clouds_without_z_are_refused():
    packed = m.pack_xyz(np.zeros((2, 3)))
    msg = MAKE.cloud(0, 'lidar', packed)
    msg.fields = msg.fields[:2]
    with pytest.raises(m.MessageError, match="\\['x', 'y'\\].*expected z"):
        m.points_from_cloud_msg(msg)
