# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A cloud as a planar scan: the nearest obstacle of every direction, and what nobody looks at.

Ranges are measured in the body frame's x-y plane, from its origin. As REP-117 has it: +inf where
all is looked at and nothing is there, -inf where something is too near to be measured, NaN where
it is not known. Free space is claimed from what cameras can see, not from missing points:
a dead camera must not turn its sector into free space.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32

from selfdepth_ros.core.config_fields import knob
from selfdepth_ros.core.coverage import sees
from selfdepth_ros.core.depth import NO_LIMIT, DepthLimit
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.obstacles import HeightBand
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.rig_camera import RigCamera
from selfdepth_ros.core.scan_steps import ANGLE_MIN, NumpyScanSteps, ScanSteps, narrow_gaps
from selfdepth_ros.core.too_near import TooNear
from selfdepth_ros.core.unsure import UnsurePoints

_DISTANCES = 8
"""Places along a beam, in equal ratios, at which cameras are asked whether they see it."""
_BEFORE = 0.8
"""What a beam meets at less than this share of its range stands before it; else it is its rim."""
_HEIGHTS = 9
"""Heights at each of these places; the camera's own comes in addition, if it is in the band."""


@dataclass(frozen=True)
class ScanConfig(HeightBand):
    """The scan: a full circle of beams in the body frame, from straight back to the left."""

    beams: int = knob(720, low=8, high=7200)
    """Number of beams around the circle."""
    min_range_m: float = knob(0.3, unit='m', low=0.01, high=1000.0)
    """Obstacles nearer to the body's origin make their beam -inf: too near."""
    max_range_m: float = knob(20.0, unit='m', low=0.1, high=1000.0)
    """Obstacles further than this do not count; a beam without any is +inf. At most as far as the
    cloud reaches (fusion.max_range_m) and the network can say: beyond, nothing is known."""
    opening_px: int = knob(4, unit='pixel', low=1, high=64)
    """Narrower openings between obstacles are closed: filters leave such ones at outlines."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.min_range_m < self.max_range_m:
            raise ConfigError(
                f'found min_range_m {self.min_range_m} and max_range_m {self.max_range_m}, '
                'expected the first below the second.'
            )

    @property
    def angle_increment(self) -> float:
        """Radians from one beam to the next."""
        return 2 * math.pi / self.beams

    def azimuths(self) -> Float[np.ndarray, ' beams']:
        """Directions of the beams in radians, from the body's x axis to the left."""
        return ANGLE_MIN + self.angle_increment * np.arange(self.beams)


def _ending_with_the_cloud(
    config: ScanConfig, filters: FusionConfig, rig: Rig, depth_limit: DepthLimit
) -> ScanConfig:
    """The scan as far as clouds reach: their limit is from the camera, beams begin at the body."""
    aside = max(math.hypot(*item.body_from_camera.translation[:2]) for item in rig.cameras)
    sky_m = min(depth_limit.sky_m(item.camera.focal) for item in rig.cameras)
    least_m = math.nextafter(config.min_range_m, math.inf)
    reach_m = max(min(filters.max_range_m, sky_m) - aside, least_m)
    return replace(config, max_range_m=min(config.max_range_m, reach_m))


class Scanner:
    """Makes scans of the clouds of one rig.

    Args:
        rig: cameras and masks; what each can see of every beam is computed once.
        config: beams, heights, ranges.
        ground_height_m: height of the ground in the body frame, which heights are above.
        filters: what the clouds were fused with. The scan ends where they end, if that is before
            `max_range_m`; what they drop as too near or too unsure is no free space.
        depth_kind: of the depth maps, 'z_depth' or 'ray_distance'.
        depth_limit: the largest depth the network can say; the scan ends there at the latest.
        steps: who does the work per point and pixel; every variant gives the same scan, bit for
            bit. Not for several threads at once: it may keep what it works with.
    """

    def __init__(
        self,
        rig: Rig,
        config: ScanConfig | None = None,
        ground_height_m: float = 0.0,
        filters: FusionConfig | None = None,
        depth_kind: str = 'z_depth',
        depth_limit: DepthLimit = NO_LIMIT,
        steps: ScanSteps | None = None,
    ) -> None:
        self.rig = rig
        self._steps = steps or NumpyScanSteps()
        self._filters = filters or FusionConfig()
        self.config = _ending_with_the_cloud(
            config or ScanConfig(), self._filters, rig, depth_limit
        )
        """With `max_range_m` as far as the clouds reach in every direction."""
        self._ground_m = ground_height_m
        pixel_rad = max(1 / item.camera.focal for item in rig.cameras)
        self._slit = int(self.config.opening_px * pixel_rad / self.config.angle_increment)
        self._too_near = TooNear(
            rig,
            self.config.azimuths(),
            self.config,
            ground_height_m,
            self._filters.min_range_m,
            self.config.max_range_m,
            depth_kind,
        )
        self._unsure = UnsurePoints(rig, self._filters, depth_kind, depth_limit)
        self._blocked = np.zeros(self.config.beams, bool)
        self._unknown = np.zeros(self.config.beams, bool)
        self._views = np.stack([self._view(item) for item in rig.cameras])
        self._known: dict[tuple[bool, ...], Any] = {}

    def ranges(
        self,
        points: Float32[np.ndarray, 'n 3'],
        present: Sequence[bool],
        depths: Float32[np.ndarray, 'c h w'] | None = None,
        confidence: Float32[np.ndarray, 'c h w'] | None = None,
    ) -> Float32[np.ndarray, ' beams']:
        """Metres to the nearest of `points` (body frame) in every beam, or an infinity, or NaN.

        `present` says which cameras of the rig took part; `depths` and `confidence`, if given,
        tell what was too near or too unsure to be in the cloud, and where there is no depth. An
        obstacle that was seen is in the scan, also in a beam that is not wholly looked at, unless
        something was seen before it that is too near, or too unsure.
        """
        steps, config = self._steps, self.config
        ranges = np.full(config.beams, np.inf, np.float32)
        limits = config.min_range_m, config.max_range_m
        steps.nearest(points, config.limits_m(self._ground_m), limits, ranges)
        self._blocked[:] = self._unknown[:] = False
        if depths is not None:
            self._too_near.mark(depths, present, steps, self._blocked, self._unknown)
            for unsure in self._unsure.of_cameras(depths, confidence, present):
                found = np.full(config.beams, np.inf, np.float32)
                steps.nearest(unsure, config.limits_m(self._ground_m), limits, found)
                self._unknown |= found < np.inf
                ranges[found < _BEFORE * ranges] = np.nan
        for beams in narrow_gaps(self._unknown, self._slit):  # beams may be finer than pixels
            self._unknown[beams] = True
        known = np.logical_not(self._unknown, out=self._unknown)
        known &= self.looked_at(present)
        steps.finish(self._blocked, known, self._slit, ranges)
        return ranges

    def looked_at(self, present: Sequence[bool]) -> Bool[np.ndarray, ' beams']:
        """Tell which beams the present cameras see to the end, and nothing less of than all would.

        So a beam that a missing camera alone sees a part of is not looked at, and the blind
        places beside the robot that the rig itself has do not count.
        """
        key = tuple(map(bool, present))
        if key not in self._known:
            now: Any = self._views[list(key)].any(axis=0)
            lost = (self._views.any(axis=0) & ~now).any(axis=1)
            self._known[key] = now[:, -1] & ~lost
        return self._known[key]

    def _view(self, item: RigCamera) -> Bool[np.ndarray, 'beams distances']:
        """Where along the beams a camera sees the band at some height."""
        config = self.config
        azimuth = config.azimuths()[:, None]
        distance = np.geomspace(config.min_range_m, config.max_range_m, _DISTANCES)
        low, high = config.min_height_m + self._ground_m, config.max_height_m + self._ground_m
        own = np.clip(item.body_from_camera.translation[2], low, high)
        seen = np.zeros((config.beams, _DISTANCES), bool)
        for height in (own, *np.linspace(low, high, _HEIGHTS)):
            x, y = np.cos(azimuth) * distance, np.sin(azimuth) * distance
            seen |= sees(item, np.stack([x, y, np.full_like(x, height)], axis=-1))
        return seen
