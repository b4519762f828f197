# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Points that a cloud does not have because the network was too unsure of them."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float32

from selfdepth_ros.core.depth import DepthLimit
from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.fusion_tables import tables_of
from selfdepth_ros.core.rig import Rig


class UnsurePoints:
    """Finds what `FusionConfig.min_confidence` alone keeps from becoming points.

    Args:
        rig: cameras and masks at the size of the depth maps.
        filters: what the clouds are fused with.
        depth_kind: 'z_depth' or 'ray_distance'.
        depth_limit: the largest depth the network can say: the sky is no obstacle.
    """

    def __init__(
        self, rig: Rig, filters: FusionConfig, depth_kind: str, depth_limit: DepthLimit
    ) -> None:
        self._least = filters.min_confidence
        limits = depth_kind, depth_limit
        self._tables = tables_of(rig, filters, *limits) if self._least > 0 else ()

    def of_cameras(
        self,
        depths: Float32[np.ndarray, 'c h w'],
        confidence: Float32[np.ndarray, 'c h w'] | None,
        present: Sequence[bool],
    ) -> Iterator[Float32[np.ndarray, 'n 3']]:
        """Give each present camera's, in the body frame: in range, and not on the robot."""
        if confidence is None or not self._tables:
            return
        for index in np.flatnonzero(present):
            tables, depth = self._tables[index], depths[index]
            with np.errstate(divide='ignore', invalid='ignore'):
                inverse = 1 / depth
                within = (inverse > tables.far) & (inverse < tables.near)
            chosen = np.flatnonzero(within & (confidence[index] < self._least))
            points = tables.body_rays[:, chosen] * depth.reshape(-1)[chosen]
            yield np.ascontiguousarray((points + tables.origin[:, None]).T)
