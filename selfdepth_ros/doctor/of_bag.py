# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A check-up of a bag."""

from pathlib import Path

from selfdepth_ros.bags.discovery import load_mapping
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.bags.storage import BagStorage
from selfdepth_ros.bags.survey import discover_in
from selfdepth_ros.core.parallax import ParallaxLimits
from selfdepth_ros.doctor.checkup import Checkup
from selfdepth_ros.doctor.examination import examine
from selfdepth_ros.doctor.lidar import lidar_warnings
from selfdepth_ros.doctor.observation import Observation

_LOOKS = 300
"""So many images of each camera are decoded, spread over the bag."""


def check_bag(path: Path, limits: ParallaxLimits, mapping: Path | None = None) -> Checkup:
    """Read a bag once, from end to end. Raises BagError when it is none, or has no camera."""
    report = BagReport(path)
    storage = BagStorage(path, report)
    if not storage.counts:
        raise BagError(f'{path} is empty: expected images; record it again')
    topics = load_mapping(mapping) if mapping else discover_in(storage)
    most = max(storage.counts[camera.image] for camera in topics.cameras)
    observation = Observation(topics, max(1, most // _LOOKS))
    for topic, received_ns, msg in storage.messages(observation.wanted):
        observation.take(topic, received_ns, msg)
    return examine(
        observation, str(path), limits, storage.topics,
        size_bytes=sum(file.stat().st_size for file in storage.files()),
        damaged=storage.damaged, oddities=[*report.damage, *lidar_warnings(storage, observation)],
    )  # fmt: skip
