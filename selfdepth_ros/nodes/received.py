# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""PointCloud2 -> cloud, with colours and cameras."""

from typing import Any

import numpy as np

from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.messages import fields_from_cloud_msg, stamp_ns

_GREY = 160


def cloud_from_message(msg: Any) -> PointCloud:
    """Return the finite points of a PointCloud2, grey and of camera 0 where it tells neither.

    Raises MessageError for a cloud without x, y and z, or whose sizes contradict its data.
    """
    points, colors, camera = fields_from_cloud_msg(msg)
    if colors is None:
        colors = np.full(points.shape, _GREY, np.uint8)
    if camera is None:
        camera = np.zeros(len(points), np.uint8)
    return PointCloud.of(points, colors, camera, stamp_ns(msg.header), msg.header.frame_id)
