# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which images of several cameras belong together, as the bag reader forms sets of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from selfdepth_ros.bags.checks import FirstImages, sync_of_recording, usual_tolerance_ns
from selfdepth_ros.core.sync import SetReady
from selfdepth_ros.doctor.checkup import SetFigures
from selfdepth_ros.doctor.observation import Observation


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
    """Form the sets of some cameras, as the bag reader would; there is none without a camera."""
    first = FirstImages(cameras)
    for received_ns, camera, stamp in observation.arrivals:
        if camera in cameras and first.add(camera, received_ns, stamp):
            break
    tolerance_ns = usual_tolerance_ns(first.period_ns)
    ready = _ready(observation, cameras, tolerance_ns) if cameras else []
    shape = len(ready), len(cameras)
    stamps = [[item.stamp_ns if s is None else s for s in item.members] for item in ready]
    present = [[s is not None for s in item.members] for item in ready]
    return Sets(
        np.array(stamps, np.int64).reshape(shape), np.array(present, bool).reshape(shape),
        tolerance_ns,
    )  # fmt: skip


def _ready(observation: Observation, cameras: list[str], tolerance_ns: int) -> list[SetReady]:
    sync = sync_of_recording(cameras, tolerance_ns)
    ready = []
    for received_ns, camera, stamp in observation.arrivals:
        if camera in cameras and stamp:
            ready += sync.push(camera, stamp, received_ns)
    return ready + sync.flush()
