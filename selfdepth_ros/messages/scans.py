# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Scan -> the fields of sensor_msgs/LaserScan."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.core.scan import ScanConfig
from selfdepth_ros.core.scan_steps import ANGLE_MIN
from selfdepth_ros.messages.errors import MessageError


class ScanFields(NamedTuple):
    """The fields of a LaserScan apart from its header: radians, metres, seconds.

    All beams are of one time, and how long a sweep takes means nothing: both times are 0.
    """

    angle_min: float
    angle_max: float
    angle_increment: float
    range_min: float
    range_max: float
    ranges: NDArray[np.float32]
    time_increment: float = 0.0
    scan_time: float = 0.0


def scan_fields(ranges: NDArray[np.float32], config: ScanConfig) -> ScanFields:
    """Return a scan of `ranges` in metres; MessageError when there is not one for each beam."""
    if ranges.shape != (config.beams,):
        raise MessageError(f'ranges of shape {ranges.shape}: expected ({config.beams},)')
    last = ANGLE_MIN + (config.beams - 1) * config.angle_increment
    return ScanFields(
        angle_min=ANGLE_MIN,
        angle_max=last,
        angle_increment=config.angle_increment,
        range_min=config.min_range_m,
        range_max=config.max_range_m,
        ranges=np.ascontiguousarray(ranges, np.float32),
    )
