# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which images of several cameras belong together, as the bag reader forms sets of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from selfdepth_ros.bags.checks import usual_tolerance_ns
from selfdepth_ros.core.sync import SetReady, SurroundSync
from selfdepth_ros.doctor.checkup import SetFigures
from selfdepth_ros.doctor.observation import Observation

DEADLINE_NS = 1_000_000_000


@dataclass(frozen=True, eq=False)
class Sets:
    """Surround sets in order of time."""

    stamps_ns: Int64[np.ndarray, 'f c']
    """Each image's own stamp; the set's where the camera is missing."""
    present: Bool[np.ndarray, 'f c']
    tolerance_ns: int

    def figures(self) -> SetFigures:
        """Return how many there are, and how far apart in time their images are."""
        ends = np.iinfo(np.int64)
        highest = np.where(self.present, self.stamps_ns, ends.min).max(1, initial=ends.min)
        lowest = np.where(self.present, self.stamps_ns, ends.max).min(1, initial=ends.max)
        spread_ms = (highest - lowest) / 1e6 if len(self.present) else np.array([np.nan])
        median, high = np.percentile(spread_ms, [50, 95]).tolist()
        complete = int(self.present.all(axis=1).sum())
        return SetFigures(len(self.present), complete, median, high, self.tolerance_ns / 1e6)


def sets_of(observation: Observation, cameras: list[str]) -> Sets:
    """Form the sets of some cameras; there is none without a camera."""
    tolerance_ns = usual_tolerance_ns(_period_ns(observation, cameras))
    ready = _ready(observation, cameras, tolerance_ns) if cameras else []
    shape = len(ready), len(cameras)
    stamps = [[item.stamp_ns if s is None else s for s in item.members] for item in ready]
    present = [[s is not None for s in item.members] for item in ready]
    return Sets(
        np.array(stamps, np.int64).reshape(shape), np.array(present, bool).reshape(shape),
        tolerance_ns,
    )  # fmt: skip


def _ready(observation: Observation, cameras: list[str], tolerance_ns: int) -> list[SetReady]:
    sync = SurroundSync(cameras, tolerance_ns, DEADLINE_NS)
    ready = []
    for received_ns, camera, stamp in observation.arrivals:
        if camera in cameras:
            ready += sync.push(camera, stamp, received_ns)
    return ready + sync.flush()


def _period_ns(observation: Observation, cameras: list[str]) -> int | None:
    """Period of the fastest camera; None when each has one image at most."""
    steps = [np.diff(np.unique(observation.cameras[name].stamps_ns)) for name in cameras]
    return min((int(np.median(step)) for step in steps if step.size), default=None)
