# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The clouds in a bag: ours, or any other PointCloud2 in the frame of the body."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from selfdepth_ros.bags.discovery import POINT_CLOUD
from selfdepth_ros.bags.frames import FrameTree, tf_static_among
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.bags.storage import BagStorage
from selfdepth_ros.clouds.errors import CloudError
from selfdepth_ros.clouds.writing import CLOUD_TOPIC
from selfdepth_ros.messages import CloudFields, MessageError, fields_from_cloud_msg, stamp_ns

log = logging.getLogger(__name__)

_MARGIN_NS = 500_000_000
"""Reading from a stamp on begins so much earlier: later clouds may be logged sooner."""
A, B = TypeVar('A'), TypeVar('B')


class RecordedCloud(NamedTuple):
    """One cloud of a bag; the points are in the body frame."""

    stamp_ns: int
    fields: CloudFields

    @property
    def points(self) -> Any:
        """(n, 3), metres."""
        return self.fields.points


class RecordedClouds:
    """The clouds on one topic of a bag, read in a stream. Raises CloudError when it has none."""

    def __init__(
        self, path: Path, topic: str = CLOUD_TOPIC, body_frame: str = 'base_link'
    ) -> None:
        self._storage = BagStorage(path, BagReport(path))
        self.topic, self._body_frame = topic, body_frame
        self.count = self._storage.counts[topic]
        """How many there are."""
        if self._storage.topics.get(topic) != POINT_CLOUD or not self.count:
            there = sorted(t for t, kind in self._storage.topics.items() if kind == POINT_CLOUD)
            raise CloudError(
                f'{path} has no clouds on {topic}, expected {POINT_CLOUD} there; it has them on '
                f'{", ".join(there) or "no topic"}: make them with `selfdepth cloud`, or name the '
                'topic'
            )
        fixed = tf_static_among(self._storage.topics, self._storage.counts)
        self._frames = FrameTree(fixed)
        for _, _, msg in self._storage.messages([fixed]):
            self._frames.add(msg)

    @property
    def span_ns(self) -> tuple[int, int]:
        """Stamp of the first cloud, and about that of the last message."""
        return self._storage.span_ns({self.topic: 0})

    def since(self, stamp_ns: int) -> Iterator[RecordedCloud]:
        """Yield the clouds of this stamp and later ones, without reading up to there."""
        clouds = self._clouds(self._storage.logged_ns({self.topic: 0}, stamp_ns) - _MARGIN_NS)
        return (cloud for cloud in clouds if cloud.stamp_ns >= stamp_ns)

    def __iter__(self) -> Iterator[RecordedCloud]:
        return self._clouds(None)

    def _clouds(self, since_ns: int | None) -> Iterator[RecordedCloud]:
        for _, _, msg in self._storage.messages([self.topic], since_ns=since_ns):
            try:
                fields = fields_from_cloud_msg(msg)
            except MessageError as error:
                log.warning('%s: a cloud is left out: %s', self.topic, error)
                continue
            frame = msg.header.frame_id.lstrip('/')
            if frame != self._body_frame:
                body_from_cloud = self._frames.target_from_source(self._body_frame, frame)
                fields = fields._replace(points=body_from_cloud.apply(fields.points))
            yield RecordedCloud(stamp_ns(msg.header), fields)


def nearest_in_time(
    items: Iterable[tuple[int, A]], others: Iterable[tuple[int, B]], within_ns: int
) -> Iterator[tuple[int, A, tuple[int, B] | None]]:
    """Yield each (stamp, item) with the other that is nearest in time; None: none within reach.

    Both in order of time; one of the others is held at a time.
    """
    rest = iter(others)
    before, after = None, next(rest, None)
    for stamp, item in items:
        while after is not None and after[0] <= stamp:
            before, after = after, next(rest, None)
        near = [other for other in (before, after) if other is not None]
        best = min(near, key=lambda other: abs(other[0] - stamp), default=None)
        yield stamp, item, best if best and abs(best[0] - stamp) <= within_ns else None
