# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A result as the points of a PointCloud2: the same for the node and for clouds of bags."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from selfdepth_ros.core.downsample import Thinner, downsample, thin_numpy
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.messages import (
    PackedPoints,
    PointExtras,
    PointsConfig,
    organize,
    pack_points,
)
from selfdepth_ros.pipeline import SurroundResult


def thinned(
    result: SurroundResult, config: PointsConfig, thin: Thinner = thin_numpy
) -> PointCloud:
    """The points that are published of a result."""
    return downsample(result.cloud, config, result.size[1], thin)


def pack_result(
    result: SurroundResult,
    cloud: PointCloud,
    stamps_ns: Sequence[int | None],
    config: PointsConfig,
) -> PackedPoints:
    """Pack what `thinned` gave of a result, with the fields that are asked for.

    `stamps_ns` are those of the images, None for a missing one.
    """
    extras = PointExtras(
        _confidence(cloud, result) if config.confidence else None,
        _time_s(cloud, stamps_ns) if config.time else None,
        cloud.camera if config.camera else None,
    )
    packed = pack_points(cloud, extras)
    return _organized(packed, cloud, result, config.stride_px) if config.organized else packed


def _confidence(cloud: PointCloud, result: SurroundResult) -> Any:
    """Confidence of each point; NaN when the model has none."""
    if result.confidence is None:
        return np.full(len(cloud), np.nan, np.float32)
    height, width = result.size
    pixel = cloud.camera.astype(np.intp) * (height * width) + cloud.pixels_given()
    return result.confidence.reshape(-1).take(pixel)


def _time_s(cloud: PointCloud, stamps_ns: Sequence[int | None]) -> Any:
    """Seconds from the cloud's stamp to that of each point's image."""
    offsets_ns = [0 if ns is None else ns - cloud.stamp_ns for ns in stamps_ns]
    return (np.array(offsets_ns) * 1e-9).astype(np.float32).take(cloud.camera)


def _organized(
    packed: PackedPoints, cloud: PointCloud, result: SurroundResult, stride_px: int
) -> PackedPoints:
    """One depth map below the other, every n-th row and column of each."""
    count, (height, width) = len(result.present), result.size
    rows, columns = -(-height // stride_px), -(-width // stride_px)
    row, column = np.divmod(cloud.pixels_given(), width)
    row = cloud.camera.astype(np.intp) * rows + row // stride_px
    return organize(packed, row * columns + column // stride_px, columns, count * rows)
