# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/PointCloud2 <-> points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.core.downsample import DownsampleConfig
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.frames import POINT, PointCloud
from selfdepth_ros.messages.errors import MessageError
from selfdepth_ros.messages.geometry import stamp_ns

UINT8, UINT16, UINT32, FLOAT32, FLOAT64 = 2, 4, 6, 7, 8
"""Values of sensor_msgs/PointField.datatype that are used here."""
_GREY = 160


class PointFieldSpec(NamedTuple):
    """One sensor_msgs/PointField."""

    name: str
    offset: int
    datatype: int
    count: int = 1


class PackedPoints(NamedTuple):
    """The fields of a PointCloud2 apart from its header, little-endian.

    Of one row and dense; an organized cloud has several, and points that are NaN.
    """

    data: NDArray[np.uint8]
    fields: tuple[PointFieldSpec, ...]
    point_step: int
    width: int
    height: int = 1
    is_dense: bool = True

    @property
    def row_step(self) -> int:
        """Bytes of a row."""
        return self.point_step * self.width


@dataclass(frozen=True)
class PointsConfig(DownsampleConfig):
    """What the coloured cloud holds beside x y z rgb, and how much of it."""

    confidence: bool = False
    """Field confidence, float32, 0 to 1; NaN when the model has none."""
    camera: bool = False
    """Field camera, uint8: which camera of the rig saw the point, counted from 0."""
    time: bool = False
    """Field time, float32, seconds from the stamp of the cloud to that of the point's image."""
    organized: bool = False
    """One row per row of every depth map, camera below camera; what is no point is NaN."""

    def __post_init__(self) -> None:
        if self.organized and self.voxel_m > 0:
            raise ConfigError(
                f'found organized with voxel_m {self.voxel_m}, expected voxel_m 0: an organized '
                'cloud has a place for every pixel. Use stride_px.'
            )


class PointExtras(NamedTuple):
    """Values for each point of a cloud that become further fields; None: no such field."""

    confidence: NDArray[np.float32] | None = None
    time: NDArray[np.float32] | None = None
    camera: NDArray[np.uint8] | None = None


_XYZ = tuple(PointFieldSpec(name, 4 * index, FLOAT32) for index, name in enumerate('xyz'))
_FIELDS = (*_XYZ, PointFieldSpec('rgb', 12, FLOAT32))
# The camera is the first of four bytes, so that a point's size stays a multiple of four.
_EXTRAS = (('confidence', '<f4', FLOAT32), ('time', '<f4', FLOAT32), ('camera', '<u4', UINT8))


def pack_points(cloud: PointCloud, extras: PointExtras | None = None) -> PackedPoints:
    """Return points of x y z and rgb, whose float32 holds the bits 0x00RRGGBB (PCL); 16 bytes.

    Extras follow in the order of PointExtras, four bytes each; without any the data are the
    cloud's own.
    """
    kind, fields = _layout(extras or PointExtras())
    packed = cloud.records
    if kind != POINT:
        packed = np.empty(len(cloud), kind)
        words = packed.view('<u4').reshape(-1, kind.itemsize // 4)
        words[:, :4] = cloud.records.view('<u4').reshape(-1, 4)
        for name in kind.names[len(POINT) :]:
            packed[name] = getattr(extras, name)
    return PackedPoints(packed.view(np.uint8), fields, kind.itemsize, len(packed))


def _put_xyz(packed: NDArray[Any], points: NDArray[Any]) -> None:
    """By columns: a third of the time of rows."""
    for axis, name in enumerate('xyz'):
        packed[name] = points[:, axis]


def _layout(extras: PointExtras) -> tuple[np.dtype[Any], tuple[PointFieldSpec, ...]]:
    """Record type and fields of points with these extras."""
    columns: list[Any] = list(POINT.descr)
    fields = list(_FIELDS)
    for name, code, datatype in _EXTRAS:
        if getattr(extras, name) is not None:
            fields.append(PointFieldSpec(name, np.dtype(columns).itemsize, datatype))
            columns.append((name, code))
    return np.dtype(columns), tuple(fields)


def organize(packed: PackedPoints, places: NDArray[Any], width: int, height: int) -> PackedPoints:
    """Return the points as a grid: `places` (row * width + column) says where each belongs.

    Elsewhere x, y and z are NaN and the rest is 0. Raises MessageError for a place outside.
    """
    size = width * height
    if len(places) != packed.width or np.any((places < 0) | (places >= size)):
        raise MessageError(
            f'{len(places)} places for {packed.width} points in a grid of {width}x{height}: '
            'expected one inside the grid for each'
        )
    grid = np.zeros((size, packed.point_step), np.uint8)
    grid[:, :12] = np.full(3, np.nan, '<f4').view(np.uint8)
    grid[places] = packed.data.reshape(-1, packed.point_step)
    return packed._replace(data=grid.reshape(-1), width=width, height=height, is_dense=False)


def pack_xyz(
    points: NDArray[Any],
    intensity: NDArray[Any] | None = None,
    ring: NDArray[Any] | None = None,
) -> PackedPoints:
    """Return LiDAR points: x y z, then float32 intensity and uint16 ring where given."""
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] != 3:
        raise MessageError(f'points of shape {points.shape}: expected (n, 3)')
    columns: list[Any] = [(name, '<f4') for name in 'xyz']
    fields = list(_XYZ)
    for name, values, code, datatype in (
        ('intensity', intensity, '<f4', FLOAT32),
        ('ring', ring, '<u2', UINT16),
    ):
        if values is not None:
            fields.append(PointFieldSpec(name, np.dtype(columns).itemsize, datatype))
            columns.append((name, code))
    packed = np.empty(len(points), np.dtype(columns))
    _put_xyz(packed, points)
    if intensity is not None:
        packed['intensity'] = intensity
    if ring is not None:
        packed['ring'] = ring
    return PackedPoints(packed.view(np.uint8), tuple(fields), packed.itemsize, len(packed))


class CloudFields(NamedTuple):
    """What a cloud tells of each finite point; None: it has no such field."""

    points: NDArray[np.float32]
    """(n, 3), in the cloud's frame, metres."""
    colors: NDArray[np.uint8] | None
    """(n, 3), RGB."""
    camera: NDArray[np.uint8] | None
    """(n,), which camera saw it."""


def points_from_cloud_msg(msg: Any) -> NDArray[np.float32]:
    """Return the finite points (n, 3) float32 of a PointCloud2, in its own frame, metres.

    Raises MessageError when x, y, z are missing or the sizes do not agree with the data.
    """
    return fields_from_cloud_msg(msg).points


def fields_from_cloud_msg(msg: Any) -> CloudFields:
    """Return the points of a PointCloud2, and their rgb and camera where it has them.

    Raises MessageError when x, y, z are missing or the sizes do not agree with the data.
    """
    fields = {field.name: field for field in msg.fields}
    width, height = int(msg.width), int(msg.height)
    point_step, row_step = int(msg.point_step), int(msg.row_step)
    data = np.frombuffer(msg.data, np.uint8)
    size = f'cloud of {width}x{height}, point step {point_step}, row step {row_step}'
    if row_step < width * point_step or data.size != height * row_step:
        raise MessageError(f'{size}: does not agree with {data.size} bytes of data')
    if width * height == 0:
        return CloudFields(np.zeros((0, 3), np.float32), None, None)
    rows = data.reshape(height, row_step)[:, : width * point_step]
    kind = _record_dtype(fields, point_step, msg.is_bigendian)
    records = np.ascontiguousarray(rows).view(kind).ravel()
    with np.errstate(over='ignore'):  # a double beyond float32 is no place either
        points = np.stack([records[axis] for axis in 'xyz'], axis=1).astype(np.float32)
    finite = np.isfinite(points).all(axis=1)
    colors = camera = None
    if 'rgb' in kind.names:
        word = records['rgb'][finite]
        colors = np.stack([word >> shift & 255 for shift in (16, 8, 0)], axis=1).astype(np.uint8)
    if 'camera' in kind.names:
        camera = records['camera'][finite]
    return CloudFields(points[finite], colors, camera)


def cloud_from_msg(msg: Any) -> PointCloud:
    """Return the finite points of a PointCloud2, grey and of camera 0 where it tells neither.

    Raises MessageError for a cloud without x, y and z, or whose sizes contradict its data.
    """
    points, colors, camera = fields_from_cloud_msg(msg)
    if colors is None:
        colors = np.full(points.shape, _GREY, np.uint8)
    if camera is None:
        camera = np.zeros(len(points), np.uint8)
    return PointCloud.of(points, colors, camera, stamp_ns(msg.header), msg.header.frame_id)


# Of rgb the bits count, whichever of the two types it has.
_FURTHER = {'rgb': ('u4', (FLOAT32, UINT32)), 'camera': ('u1', (UINT8,))}


def _record_dtype(fields: dict[str, Any], point_step: int, is_bigendian: bool) -> np.dtype[Any]:
    """Return a record type of `point_step` bytes: x, y, z and what is known of the others."""
    names, formats, offsets = [], [], []
    order = '>' if is_bigendian else '<'
    for axis in 'xyz':
        field = fields.get(axis)
        code = None if field is None else {FLOAT32: 'f4', FLOAT64: 'f8'}.get(int(field.datatype))
        if code is None or int(field.offset) + np.dtype(code).itemsize > point_step:
            raise MessageError(
                f'cloud with the fields {sorted(fields)}: expected {axis} as float32 or float64 '
                f'inside the point step of {point_step} bytes'
            )
        names.append(axis)
        formats.append(order + code)
        offsets.append(int(field.offset))
    for name, (code, datatypes) in _FURTHER.items():
        field = fields.get(name)
        fits = field and int(field.offset) + np.dtype(code).itemsize <= point_step
        if fits and int(field.datatype) in datatypes:
            names.append(name)
            formats.append(order + code)
            offsets.append(int(field.offset))
    return np.dtype(
        {'names': names, 'formats': formats, 'offsets': offsets, 'itemsize': point_step}
    )
