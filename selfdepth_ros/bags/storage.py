# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The messages of a rosbag2, healthy or damaged, one at a time."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rosbags.rosbag2 import Reader

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.bags.salvage import Damage, RawMessage, salvage_mcap, salvage_sqlite
from selfdepth_ros.bags.types import typestore
from selfdepth_ros.messages import stamp_ns

_SALVAGE: dict[str, Callable[[Path, Damage], Iterator[RawMessage]]] = {
    '.mcap': salvage_mcap,
    '.db3': salvage_sqlite,
}


class BagStorage:
    """A rosbag2 folder, or one .mcap or .db3 file without its metadata.yaml.

    A damaged bag is read as far as it goes and the damage is reported.
    """

    topics: dict[str, str]
    """Message type by topic."""
    counts: Counter[str]
    """Messages by topic."""
    end_ns: int
    """Log time of the last message."""

    def __init__(self, path: Path, report: BagReport) -> None:
        if not path.exists():
            raise BagError(f'{path} does not exist: expected a rosbag2 folder, .mcap or .db3 file')
        self.path = path
        self._report = report
        self._store = typestore()
        self._salvaging = False
        self._idle: list[Reader] = []
        weakref.finalize(self, _close, self._idle)
        try:
            self._open_healthy()
        except Exception as error:  # rosbags lets struct, apsw and decompressor errors through
            self._open_damaged(error)

    @property
    def damaged(self) -> bool:
        """True when the bag's own index cannot be used."""
        return self._salvaging

    def files(self) -> list[Path]:
        """Return the data files (and the metadata) that make up the bag."""
        if self.path.is_file():
            return [self.path]
        return sorted(item for item in self.path.iterdir() if item.is_file())

    def messages(
        self,
        topics: Collection[str],
        dropped: Counter[str] | None = None,
        since_ns: int | None = None,
    ) -> Iterator[tuple[str, int, Any]]:
        """Yield (topic, log_ns, message) in log order; damaged ones are counted in `dropped`.

        `since_ns`: from this log time on; a healthy bag is not read up to there.
        """
        for raw in self._raw(frozenset(topics), since_ns):
            try:
                msg = self._store.deserialize_cdr(raw.data, raw.msgtype)
            except Exception:  # damaged CDR fails in many ways inside the generated code
                if dropped is not None:
                    dropped[f'{raw.topic}: unreadable message'] += 1
                continue
            yield raw.topic, raw.log_ns, msg

    def span_ns(self, offsets_ns: Mapping[str, int]) -> tuple[int, int]:
        """Stamp of the first message on some topics, and about that of the bag's last one.

        `offsets_ns`: topic -> what its stamps are too late by.
        """
        first_ns, lag_ns = self._first_stamp(offsets_ns)
        return first_ns, self.end_ns - lag_ns

    def logged_ns(self, offsets_ns: Mapping[str, int], stamp_ns: int) -> int:
        """About when a message on some topics, of this corrected stamp, was logged."""
        return stamp_ns + self._first_stamp(offsets_ns)[1]

    def _first_stamp(self, offsets_ns: Mapping[str, int]) -> tuple[int, int]:
        """Return the first stamp on some topics, and how long after it the message was logged.

        What was logged live or converted may be logged by another clock than its stamps'. Raises
        BagError when no message has a stamp.
        """
        for topic, log_ns, msg in self.messages(list(offsets_ns)):
            if stamp := stamp_ns(msg.header):
                stamp -= offsets_ns[topic]
                return stamp, log_ns - stamp
        raise BagError(
            f'{self.path}: no message on {", ".join(sorted(offsets_ns))} has a stamp, expected '
            'one: record it again'
        )

    def _open_healthy(self) -> None:
        with self._reader() as reader:
            self.end_ns = reader.end_time - 1
            self.topics = {link.topic: link.msgtype for link in reader.connections}
            self.counts = Counter()
            for link in reader.connections:
                self.counts[link.topic] += link.msgcount

    def _open_damaged(self, error: Exception) -> None:
        """Count what can be salvaged; BagError when that is nothing."""
        self._salvaging = True
        self.topics, self.counts, self.end_ns = {}, Counter(), 0
        self._report.damaged(f'the index is unusable ({error}); messages are read one by one')
        if any(item.suffix == '.zstd' for item in self.files()):
            raise BagError(
                f'{self.path} has compressed files and no usable metadata.yaml: expected both; '
                'decompress the files first (zstd -d)'
            )
        for raw in self._salvage():
            self.topics[raw.topic] = raw.msgtype
            self.counts[raw.topic] += 1
            self.end_ns = max(self.end_ns, raw.log_ns)
        if not self.counts:
            raise BagError(
                f'{self.path} holds no readable message ({error}): expected a rosbag2 in mcap or '
                'sqlite3 storage; record it again or copy it anew'
            ) from error

    @contextmanager
    def _reader(self) -> Iterator[Reader]:
        """Lend an open reader to one user at a time; opening one costs a tenth of a second."""
        if self._idle:
            reader = self._idle.pop()
        else:
            reader = Reader(self.path)
            reader.open()
        try:
            yield reader
        finally:
            self._idle.append(reader)

    def _raw(self, topics: frozenset[str], since_ns: int | None) -> Iterator[RawMessage]:
        last_ns = -1 if since_ns is None else since_ns - 1
        if self._salvaging:
            late = (raw for raw in self._salvage() if raw.log_ns > last_ns)
            yield from (raw for raw in late if raw.topic in topics)
            return
        try:
            with self._reader() as reader:
                links = [link for link in reader.connections if link.topic in topics]
                for link, log_ns, data in reader.messages(links, since_ns) if links else ():
                    last_ns = log_ns
                    yield RawMessage(link.topic, link.msgtype, log_ns, data)
        except Exception as error:  # see __init__; what was delivered came in log order
            self._report.damaged(f'a part of the bag is unreadable ({error})')
            rest = (raw for raw in self._salvage() if raw.log_ns > last_ns)
            yield from (raw for raw in rest if raw.topic in topics)

    def _salvage(self) -> Iterator[RawMessage]:
        for file in self.files():
            if file.suffix in _SALVAGE:
                yield from _SALVAGE[file.suffix](file, self._report.damaged)


def _close(readers: list[Reader]) -> None:
    """Close what is open."""
    while readers:
        readers.pop().close()
