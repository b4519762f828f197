# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a LiDAR can be compared with the cameras: its place, and the clock of its stamps."""

import statistics
from itertools import islice
from typing import Any

from selfdepth_ros.bags.checks import CLOCK_AGREEMENT_NS
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.storage import BagStorage
from selfdepth_ros.doctor.observation import Observation
from selfdepth_ros.messages import stamp_ns

_LOOK_AT = 10
"""Sweeps that are looked at: a minute of them is a gigabyte."""


def lidar_warnings(storage: BagStorage, observation: Observation) -> list[str]:
    """Why no sweep is any image's. Its stamps are held against the time of recording.

    Depth can be learned and clouds made without a LiDAR, so this is no refusal.
    """
    topic = observation.topics.lidar
    first = list(islice(storage.messages([topic]), _LOOK_AT)) if topic else []
    if not first:
        return []
    return [*_place(observation, first[0][2].header.frame_id), *_clock(observation, first)]


def _place(observation: Observation, frame_id: str) -> list[str]:
    try:
        observation.frames.target_from_source(observation.topics.body_frame, frame_id)
    except BagError as error:
        return [f'{observation.topics.lidar} cannot be compared with images: {error}']
    return []


def _clock(observation: Observation, first: list[tuple[str, int, Any]]) -> list[str]:
    topic = observation.topics.lidar
    stamped = [(log_ns, stamp) for _, log_ns, msg in first if (stamp := stamp_ns(msg.header))]
    images = [
        received - stamp
        for camera in observation.cameras.values()
        for received, stamp in zip(camera.received_ns, camera.stamps_ns, strict=True)
    ]
    if not images:
        return []
    if not stamped:
        return [
            f'{topic}: every stamp looked at is 0: nothing can be measured by it or learned from '
            "it; the LiDAR's driver must fill header.stamp"
        ]
    lag = statistics.median(log_ns - stamp for log_ns, stamp in stamped)
    apart = statistics.median(images) - lag
    if abs(apart) <= CLOCK_AGREEMENT_NS:
        return []
    return [
        f'{topic} is stamped {apart / 1e9:+.3f} s from the images, both measured against the time '
        "of recording: it cannot be compared with them; set the LiDAR to the cameras' clock "
        '(PTP, NTP)'
    ]
