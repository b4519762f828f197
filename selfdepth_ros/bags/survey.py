# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A first look into a bag: the rig, and whether the images fit it and its clocks agree."""

from __future__ import annotations

from typing import Any

from selfdepth_ros.bags.checks import FirstImages, check_clocks, check_size, what_lacks
from selfdepth_ros.bags.discovery import BagTopics, CameraTopics
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.frames import FrameTree
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.bags.storage import BagStorage
from selfdepth_ros.core.rig import Rig


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
    cameras: tuple[CameraTopics, ...], storage: BagStorage
) -> tuple[FrameTree, dict[str, Any]]:
    """Return the fixed frames and each camera's first CameraInfo, by topic."""
    frames = FrameTree()
    for _, _, msg in storage.messages(['/tf_static']):
        frames.add(msg)
    infos: dict[str, Any] = {}
    wanted = {camera.info for camera in cameras}
    for topic, _, msg in storage.messages(wanted):
        infos.setdefault(topic, msg)
        if len(infos) == len(wanted):
            break
    return frames, infos


def check_images(
    cameras: tuple[CameraTopics, ...], rig: Rig, storage: BagStorage, report: BagReport
) -> int | None:
    """Look at the first images: their size must be the rig's and their clocks must agree.

    Returns the period of the fastest camera (ns); None when every camera has one image only.
    """
    by_topic = {camera.image: camera for camera in cameras}
    first = FirstImages(by_topic)
    for topic, log_ns, msg in storage.messages(list(by_topic)):
        if not first.seen(topic):
            check_size(topic, msg, rig[by_topic[topic].name].camera)
        if first.add(topic, log_ns, by_topic[topic].exposed_ns(msg)):
            break
    check_clocks(first.lags_ns, first.unstamped, report)
    return first.period_ns
