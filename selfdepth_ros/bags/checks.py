# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a rig's messages must be to be used, wherever they come from: a bag, or a live graph."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from selfdepth_ros.bags.discovery import CameraTopics
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.frames import FrameTree
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.sync import SurroundSync
from selfdepth_ros.messages import (
    MessageError,
    beside_frame_m,
    camera_from_info,
    check_own_frame,
    decode_image,
)

CLOCK_AGREEMENT_NS = 500_000_000
"""Cameras whose clocks differ by more than this cannot be matched."""
_WIDEST_NS = 50_000_000
"""The widest tolerance that is chosen without being asked for."""
_LOOK_AT = 10
"""Images per camera that are looked at."""
_LOOK_FOR_NS = 5_000_000_000
"""How long, in log time, slower cameras are waited for."""
_DEADLINE_NS = 1_000_000_000
"""Recorders write late and in bursts; offline there is no hurry."""
_STRAY = 2
"""So many wrong stamps beside each other are strays."""
_STARTS_AGAIN_S = 1.0
_MOST_TRIED = 10
"""So many images of a camera that cannot be decoded are enough."""


class FirstImages:
    """The first images of each camera, by whose stamps all of them are judged."""

    def __init__(self, cameras: Iterable[str]) -> None:
        self.stamps_ns: dict[str, list[int]] = {name: [] for name in cameras}
        self.lags_ns: dict[str, list[int]] = {name: [] for name in self.stamps_ns}
        """How long after its stamp each was logged."""
        self.unstamped = dict.fromkeys(self.stamps_ns, 0)
        self._begin_ns: int | None = None

    def seen(self, camera: str) -> int:
        """How many of a camera were taken in."""
        return len(self.stamps_ns[camera]) + self.unstamped[camera]

    def add(self, camera: str, log_ns: int, stamp_ns: int) -> bool:
        """Take one in (stamp 0: it has none); True when there are enough."""
        self._begin_ns = log_ns if self._begin_ns is None else self._begin_ns
        if stamp_ns:
            self.stamps_ns[camera].append(stamp_ns)
            self.lags_ns[camera].append(log_ns - stamp_ns)
        else:
            self.unstamped[camera] += 1
        least = min(map(self.seen, self.stamps_ns))
        return least >= _LOOK_AT or (least > 0 and log_ns - self._begin_ns > _LOOK_FOR_NS)

    @property
    def period_ns(self) -> int | None:
        """That of most cameras; None when every camera has one image at most.

        A faster one among them lends each set its nearest image.
        """
        steps = [np.diff(sorted(set(values))) for values in self.stamps_ns.values()]
        periods = [int(np.median(values)) for values in steps if values.size]
        return statistics.median_low(periods) if periods else None


def two_drives(topic: str, stamps_ns: Iterable[int]) -> str:
    """Say that poses, in the order of their log, start again; empty: they do not.

    Poses of two drives at one time tell no motion. Single stray stamps are none.
    """
    stamps = np.fromiter(stamps_ns, np.int64)
    if len(stamps) < 2 * _STRAY + 2:
        return ''
    usual = np.median(np.lib.stride_tricks.sliding_window_view(stamps, 2 * _STRAY + 1), axis=1)
    back_s = -np.diff(usual).min() * 1e-9
    if back_s < _STARTS_AGAIN_S:
        return ''
    return (
        f'{topic} starts again, {back_s:.1f} s back: of two drives at one time it tells no motion '
        'and is not used; record each drive in a bag of its own'
    )


def what_lacks(
    camera: CameraTopics, counts: Mapping[str, int], topics: Collection[str]
) -> str | None:
    """Say which messages of a camera are missing; None: none. `topics`: those that exist."""
    for topic, what in ((camera.image, 'image'), (camera.info, 'CameraInfo')):
        if not counts.get(topic, 0):
            there = 'has no message' if topic in topics else 'is not there'
            return (
                f'{camera.name}: {topic} {there}: expected a {what} topic with messages beside '
                f'{camera.info if what == "image" else camera.image}; record it, or leave the '
                'camera out with a mapping file'
            )
    return None


def usual_tolerance_ns(period_ns: int | None) -> int:
    """Largest difference of stamps within a set, for cameras of this period (None: unknown)."""
    return _WIDEST_NS if period_ns is None else int(min(_WIDEST_NS, 0.45 * period_ns))


def sync_of_recording(cameras: Sequence[str], tolerance_ns: int) -> SurroundSync:
    """Return what forms the surround sets of a recording, fed in the order of its log."""
    return SurroundSync(cameras, tolerance_ns, _DEADLINE_NS)


def build_rig(
    cameras: tuple[CameraTopics, ...],
    body_frame: str,
    frames: FrameTree,
    infos: Mapping[str, Any],
) -> Rig:
    """Assemble the rig in the order of `cameras`; errors name the camera."""
    members = []
    for topics in cameras:
        if topics.info not in infos:
            raise BagError(f'{topics.name}: no message on {topics.info} can be read')
        frame_id = optical_frame(topics, infos[topics.info])
        others = [
            optical_frame(c, infos[c.info]) for c in cameras if c != topics and c.info in infos
        ]
        try:
            lens = camera_from_info(infos[topics.info], rectified=topics.rectified)
            check_own_frame(frame_id, beside_frame_m(infos[topics.info]), others)
            pose = frames.target_from_source(body_frame, frame_id)
        except (CalibrationError, BagError) as error:
            raise type(error)(f'{topics.name}: {error}') from error
        members.append(
            RigCamera(
                name=topics.name,
                camera=lens,
                body_from_camera=pose,
                frame_id=frame_id,
                self_occlusion=None,
            )
        )
    return Rig(body_frame=body_frame, cameras=tuple(members))


def optical_frame(camera: CameraTopics, info: Any) -> str:
    """Return the optical frame of a camera: the mapping's, else the CameraInfo's."""
    return (camera.frame_id or info.header.frame_id).lstrip('/')


def counter_clockwise(rig: Rig) -> list[int]:
    """Return the cameras' indices ordered by where they look: the foremost first, then leftwards.

    Gives the usual order (front, front left, back left, back, ...) whatever the topics are called.
    """
    azimuth = []
    for member in rig.cameras:
        x, y, _ = np.asarray(member.body_from_camera.matrix)[:3, 2]
        azimuth.append(math.atan2(y, x))
    first = min(range(len(azimuth)), key=lambda index: abs(azimuth[index]))
    # Rounded, so that cameras looking the same way keep the order of their names.
    turn = [
        round((angle - azimuth[first]) % math.tau, 2) % round(math.tau, 2) for angle in azimuth
    ]
    return sorted(range(len(azimuth)), key=lambda index: (index != first, turn[index]))


class FirstPicture:
    """The size of a camera's first image that can be decoded: one or two may be damaged."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        """Width and height in pixels."""
        self._tried, self._problem = 0, 'no image came'

    @property
    def settled(self) -> bool:
        """Whether further images change nothing."""
        return self.size is not None or self._tried >= _MOST_TRIED

    def take(self, msg: Any) -> None:
        """Look at the next image."""
        if self.settled:
            return
        self._tried += 1
        try:
            height, width = decode_image(msg).shape[:2]
            self.size = width, height
        except MessageError as error:
            self._problem = str(error)

    def check(self, topic: str, lens: Any) -> None:
        """Compare it with the CameraInfo; BagError also where none could be decoded."""
        if self.size is None:
            raise BagError(f'{topic}: {self._problem} (none of the first {self._tried} is better)')
        width, height = self.size
        if (width, height) != (lens.width, lens.height):
            raise BagError(
                f'{topic} has images of {width}x{height} but its CameraInfo describes '
                f'{lens.width}x{lens.height}: expected the same size; publish the CameraInfo of '
                'the images that are recorded'
            )


def check_clocks(
    lags: dict[str, list[int]], offsets_ns: Mapping[str, int], report: BagReport
) -> None:
    """Refuse images without stamps, and cameras that run on different clocks.

    `lags`: image topic -> how long after its corrected stamp each was received (ns);
    `offsets_ns`: what the stamps were corrected by. A camera whose stamps are late by a known
    time agrees with the others as corrected, where its clock is ahead, or as it stamped, where
    it stamps what it receives.
    """
    unstamped = sorted(topic for topic, values in lags.items() if not values)
    if unstamped:
        raise BagError(
            f'{", ".join(unstamped)}: every stamp looked at is 0: expected the time of exposure; '
            'the camera driver must fill header.stamp'
        )
    lag = {topic: statistics.median(values) for topic, values in lags.items()}
    usual = statistics.median(lag.values())
    far = {
        topic: value
        for topic, value in lag.items()
        if min(abs(value - usual), abs(value - offsets_ns[topic] - usual)) > CLOCK_AGREEMENT_NS
    }
    if far:
        texts = [f'{topic} is {(usual - value) / 1e9:+.3f} s' for topic, value in far.items()]
        raise BagError(
            f'stamps disagree: {"; ".join(texts)} from the other cameras, both measured against '
            'the time of recording: expected one clock; synchronize the cameras (PTP, NTP) or '
            'leave them out with a mapping file'
        )
    if abs(usual) > 60e9:
        report.note(
            f'stamps are {usual / 1e9:.1f} s before the time of recording (simulated time, or a '
            'bag written later); the stamps are used'
        )
