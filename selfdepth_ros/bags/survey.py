# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A first look into a bag: the rig, and whether the images fit it and its clocks agree."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from selfdepth_ros.bags.checks import FirstPicture, check_clocks, optical_frame, what_lacks
from selfdepth_ros.bags.discovery import BagTopics, CameraTopics, discover
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.frames import FrameTree, Mounts
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.bags.storage import BagStorage
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.messages import stamp_ns

log = logging.getLogger(__name__)
_LOOK_AT = 10
"""Images per camera that are looked at."""
_LOOK_FOR_NS = 5_000_000_000
"""How long, in log time, slower cameras are waited for."""


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
    lags: dict[str, list[int]] = {camera.image: [] for camera in cameras}
    stamps: dict[str, list[int]] = {camera.image: [] for camera in cameras}
    zero = dict.fromkeys(lags, 0)
    pictures = {topic: FirstPicture() for topic in lags}
    begin = None
    for topic, log_ns, msg in storage.messages(list(lags)):
        begin = log_ns if begin is None else begin
        stamp = stamp_ns(msg.header)
        pictures[topic].take(msg)
        if stamp:
            lags[topic].append(log_ns - stamp)
            stamps[topic].append(stamp)
        else:
            zero[topic] += 1
        seen = [len(lags[name]) + zero[name] for name in lags]
        if not all(picture.settled for picture in pictures.values()):
            continue
        if min(seen) >= _LOOK_AT or (min(seen) and log_ns - begin > _LOOK_FOR_NS):
            break
    for camera in cameras:
        pictures[camera.image].check(camera.image, rig[camera.name].camera)
    check_clocks(lags, zero, report)
    steps = [np.diff(sorted(set(values))) for values in stamps.values()]
    return min((int(np.median(values)) for values in steps if values.size), default=None)
