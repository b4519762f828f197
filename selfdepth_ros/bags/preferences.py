# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which of several topics of one type is taken: the LiDAR of clouds, the odometry of poses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

FirstMessage = Callable[[str], Any]
"""The first message on a topic; None where there is none to look at, as on a live graph."""

# A word between separators: /depthai/rgb/image_raw is a picture, /camera/depth/image_raw is not.
DEPTH_WORDS = re.compile(
    r'[/_](?:depth|disparity|confidence|mask|labels?|segmentation|flow)(?:[/_]|$)'
)
_OURS = re.compile(r'/(?:surround|surround_depth)/(?:points|obstacles)$')
_LIDAR_WORDS = re.compile(
    r'[/_](?:lidar|laser|velodyne|ouster|os[0-3]|livox|hesai|pandar|rslidar|robosense)'
)
_LIDAR_FIELDS = {'intensity', 'ring', 'reflectivity', 'reflectance'}
_FUSED_WORDS = re.compile(r'[/_](?:filtered|fused|[eu]kf|local)(?:[/_]|$)')
_LEAPING_WORDS = re.compile(r'[/_](?:gps|gnss|navsat|global|map)(?:[/_]|$)')
_LEAPING_FRAMES = ('map', 'world', 'earth', 'utm')


class Choice(NamedTuple):
    """What was taken."""

    topic: str | None
    note: str = ''
    """What else there was, and the rule; empty where there was no choice."""


def choose_lidar(found: Sequence[str], counts: Mapping[str, int], first: FirstMessage) -> Choice:
    """Choose among the clouds with messages.

    The node's own are never taken. /lidar/points before all; then what is named after a LiDAR or
    has its fields (intensity, ring); what is named after a depth camera or has colours last; of
    equals the one with the most messages, then the first by name.
    """
    if len(found) == 1 and _LIDAR_WORDS.search(found[0].lower()):
        return Choice(found[0])
    heads = {topic: first(topic) for topic in found}
    fields = {t: {f.name for f in msg.fields} if msg else set() for t, msg in heads.items()}
    ours = [t for t in found if _OURS.search(t) or {'rgb', 'camera'} <= fields[t]]

    def rank(topic: str) -> tuple[bool, int, int, str]:
        of_camera = DEPTH_WORDS.search(topic) or {'rgb', 'rgba'} & fields[topic]
        of_lidar = _LIDAR_WORDS.search(topic.lower()) or _LIDAR_FIELDS & fields[topic]
        likeness = 2 if of_camera else 0 if of_lidar else 1
        return topic != '/lidar/points', likeness, -counts[topic], topic

    others = sorted((topic for topic in found if topic not in ours), key=rank)
    if not others:
        told = f'{", ".join(ours)}: clouds of this package, not taken for those of a LiDAR'
        return Choice(None, told if ours else '')
    return _told('the LiDAR', others, 'what is named or has fields as a LiDAR, most messages')


def choose_odometry(
    found: Sequence[str], counts: Mapping[str, int], first: FirstMessage
) -> Choice:
    """Choose among the odometry with messages.

    What goes on without leaps before what may leap: first by the frame of its poses (odom; not
    map, world, earth, utm) and by its name (not gps, global). Then what is named as fused
    (filtered, ekf, local); then /odom; then the one with the most messages, the first by name.
    """
    if len(found) < 2:
        return Choice(found[0] if found else None)

    def rank(topic: str) -> tuple[int, bool, bool, int, str]:
        head, name = first(topic), topic.lower()
        frame = '' if head is None else head.header.frame_id.strip('/').lower()
        leaps = frame.startswith(_LEAPING_FRAMES) or _LEAPING_WORDS.search(name)
        steadiness = 2 if leaps else 0 if 'odom' in frame else 1
        fused = bool(_FUSED_WORDS.search(name))
        return steadiness, not fused, topic != '/odom', -counts[topic], topic

    return _told('odometry', sorted(found, key=rank), 'without leaps, fused, /odom, most messages')


def _told(what: str, ranked: Sequence[str], rule: str) -> Choice:
    """The first, and a word about the others."""
    best, *others = ranked
    if not others:
        return Choice(best)
    return Choice(
        best,
        f'{best} is taken for {what} (before {", ".join(others)}, by: {rule}); a mapping file '
        'names another',
    )
