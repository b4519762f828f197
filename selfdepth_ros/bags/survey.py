# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A first look into a bag: the rig, and whether the images fit it and its clocks agree."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Any

from selfdepth_ros.bags.checks import (
    FirstImages,
    FirstPicture,
    check_clocks,
    optical_frame,
    what_lacks,
)
from selfdepth_ros.bags.discovery import BagTopics, CameraTopics, discover
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.frames import FrameTree, Mounts
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.bags.storage import BagStorage
from selfdepth_ros.core.rig import Rig

log = logging.getLogger(__name__)


def discover_in(storage: BagStorage, report: BagReport | None = None) -> BagTopics:
    """Find the topics to read by name and type, and by their first messages.

    What was left out, or chosen among several, is noted in the report and logged.
    """

    def first(topic: str) -> Any:
        return next((msg for _, _, msg in storage.messages([topic])), None)

    topics = discover(storage.topics, storage.counts, first)
    if report is not None:
        for note in topics.notes:
            report.note(note)
            _say_once(storage.path, note)
    return topics


@cache
def _say_once(path: Path, note: str) -> None:
    """Log it once in a process, which may open a bag many times."""
    log.warning('%s: %s', path, note)


def usable_cameras(
    topics: BagTopics, storage: BagStorage, report: BagReport
) -> tuple[CameraTopics, ...]:
    """Return the cameras with images and CameraInfo.

    In a healthy bag a camera without either is an error; of a damaged one it is left out.
    """
    if not storage.counts:
        raise BagError(f'{storage.path} is empty: expected images; record it again')
    usable = []
    for camera in topics.cameras:
        problem = what_lacks(camera, storage.counts, storage.topics)
        if problem is None:
            usable.append(camera)
        elif storage.damaged:
            report.dropped_cameras.append(problem)
        else:
            raise BagError(problem)
    if not usable:
        raise BagError(f'{storage.path}: no camera is usable: {"; ".join(report.dropped_cameras)}')
    return tuple(usable)


def read_frames_and_infos(
    topics: BagTopics, storage: BagStorage, report: BagReport
) -> tuple[FrameTree, dict[str, Any]]:
    """Return the fixed frames and each camera's first CameraInfo, by topic.

    Cameras that only /tf connects to the body are fixed where they do not move over the bag,
    which is then read whole.
    """
    frames = FrameTree(topics.tf_static)
    for _, _, msg in storage.messages([topics.tf_static]):
        frames.add(msg)
    infos: dict[str, Any] = {}
    wanted = {camera.info for camera in topics.cameras}
    for topic, _, msg in storage.messages(wanted):
        infos.setdefault(topic, msg)
        if len(infos) == len(wanted):
            break
    optical = [optical_frame(c, infos[c.info]) for c in topics.cameras if c.info in infos]
    if loose := [name for name in optical if not frames.joins(topics.body_frame, name)]:
        mounts = Mounts()
        for _, _, msg in storage.messages([topics.tf]):
            mounts.add(msg)
        frames = frames.with_mounts(mounts, topics.body_frame, loose)
        if fixed := [name for name in loose if frames.joins(topics.body_frame, name)]:
            report.note(f'{", ".join(fixed)} are placed by {topics.tf}, where they do not move')
    return frames, infos


def check_images(
    cameras: tuple[CameraTopics, ...], rig: Rig, storage: BagStorage, report: BagReport
) -> int | None:
    """Look at the first images: their size must be the rig's and their clocks must agree.

    Returns the period of the fastest camera (ns); None when every camera has one image only.
    """
    by_topic = {camera.image: camera for camera in cameras}
    first = FirstImages(by_topic)
    pictures = {topic: FirstPicture() for topic in by_topic}
    for topic, log_ns, msg in storage.messages(list(by_topic)):
        pictures[topic].take(msg)
        enough = first.add(topic, log_ns, by_topic[topic].exposed_ns(msg))
        if enough and all(picture.settled for picture in pictures.values()):
            break
    for camera in cameras:
        pictures[camera.image].check(camera.image, rig[camera.name].camera)
    offsets_ns = {topic: camera.stamp_offset_ns for topic, camera in by_topic.items()}
    check_clocks(first.lags_ns, offsets_ns, report)
    return first.period_ns
