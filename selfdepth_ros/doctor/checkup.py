# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is known of a recording or a live rig after a look at it, in figures and two verdicts."""

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CameraFigures:
    """One camera; NaN or an empty text: not known."""

    name: str
    topic: str
    images: int
    rate_hz: float
    lost: int
    """Images that gaps between the stamps lack."""
    out_of_order: int
    """Stamps that are not later than the one before."""
    delay_ms: float
    """From stamp to reception, median."""
    delay_spread_ms: float
    """From the 5th to the 95th percentile of the delay."""
    width: int
    height: int
    lens: str
    rectified: bool
    """Whether P describes the images, instead of K and D."""
    bits_per_pixel: float
    brightness: float
    sharpness: float
    in_sets: float
    """Share of the surround sets that have it."""
    overlap: float
    """Largest share of its view that one other camera sees, too."""


@dataclass(frozen=True)
class SetFigures:
    """Surround sets: images that belong together."""

    count: int
    complete: int
    spread_median_ms: float
    """Between the first and the last image of a set."""
    spread_p95_ms: float
    tolerance_ms: float
    """Largest spread that training allows a set of these cameras."""


@dataclass(frozen=True)
class MotionFigures:
    """How the robot moves; NaN: images alone do not tell."""

    source: str
    """A topic, or 'images'."""
    distance_m: float
    speed_mean_m_s: float
    speed_max_m_s: float
    turning_max_deg_s: float
    still: float
    """Share of the time in which the robot stands."""


@dataclass(frozen=True)
class Verdict:
    """Yes or no, and why."""

    yes: bool
    because: tuple[str, ...]

    def __str__(self) -> str:
        return f'{"yes" if self.yes else "no"}, because {"; ".join(self.because)}'


@dataclass(frozen=True)
class Checkup:
    """All of it."""

    source: str
    seconds: float
    bytes: int
    """On the disk, or what came in live."""
    cameras: tuple[CameraFigures, ...]
    sets: SetFigures
    motion: MotionFigures | None
    """None: neither poses nor images tell."""
    lidar: str | None
    """Topic that is taken for the LiDAR, by which depths are measured."""
    usable_sets: int | None
    """Sets with parallax to others before and after them, by odometry; None: without it."""
    overlaps: tuple[tuple[str, str, float], ...]
    """Two cameras and the larger share that one sees of the other's view."""
    blind_deg: float
    """Degrees of azimuth that no camera sees; NaN without a rig."""
    warnings: tuple[str, ...]
    trainable: Verdict
    deployable: Verdict
    record: str = ''
    """The call that records these topics; empty: they are of a recording."""

    def to_json(self) -> str:
        """All fields as JSON; what is not known is null."""
        return json.dumps(_without_nan(dataclasses.asdict(self)), indent=1) + '\n'


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
