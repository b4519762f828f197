# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One data file of a rosbag2: read by its own index, or from its start where that is damaged."""

from __future__ import annotations

import re
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rosbags.rosbag2 import Reader
from rosbags.rosbag2.reader import DirectoryReader
from rosbags.rosbag2.storage_mcap import DECOMPRESSORS, McapReader
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader

from selfdepth_ros.bags.salvage import Damage, RawMessage, salvage_mcap, salvage_sqlite

_SALVAGE: dict[str, Callable[[Path, Damage], Iterator[RawMessage]]] = {
    '.mcap': salvage_mcap,
    '.db3': salvage_sqlite,
}
_ZSTD = b'\x28\xb5\x2f\xfd'
"""How compressed data begin; CDR begins with a 0."""


def natural_order(path: Path) -> list[str | int]:
    """Return a key that sorts drive_10 behind drive_2."""
    parts = re.split(r'(\d+)', path.name)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


class ReaderPool:
    """Lends open readers of one path, each to one user at a time.

    Opening one costs a tenth of a second, so they stay open until the pool is gone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[Reader] = []
        weakref.finalize(self, _close, self._idle)

    @contextmanager
    def lend(self) -> Iterator[Reader]:
        """Lend one. Raises whatever rosbags lets through (struct, apsw and other errors)."""
        if self._idle:
            reader = self._idle.pop()
        else:
            reader = Reader(self._path)
            reader.open()
        try:
            yield reader
        finally:
            self._idle.append(reader)

    def messages(self, topics: frozenset[str], since_ns: int | None) -> Iterator[RawMessage]:
        """Yield messages in log order, from a log time on. Raises as `lend` does."""
        with self.lend() as reader:
            links = [link for link in reader.connections if link.topic in topics]
            for link, log_ns, data in reader.messages(links, since_ns) if links else ():
                yield _decompressed(RawMessage(link.topic, link.msgtype, log_ns, data))

    def unpacked(self) -> list[Path]:
        """Return the data files that rosbags has unpacked for its open reader.

        They are there as long as the pool is, if nobody else borrows: each reader unpacks anew.
        """
        with self.lend() as reader:
            bag = reader.storage
            if reader.compression_mode != 'file' or not isinstance(bag, DirectoryReader):
                return []
            files = (part for part in bag.storages if isinstance(part, McapReader | Sqlite3Reader))
            return [Path(str(part.path)) for part in files]


class DataFile:
    """A .mcap or .db3 file; `damage` is called with a sentence for what cannot be read of it."""

    topics: dict[str, str]
    """Message type by topic."""
    counts: Counter[str]
    """Messages by topic."""
    begin_ns: int
    """Log time of the first message."""
    end_ns: int
    """Log time of the last message."""
    whole: bool
    """Whether its own index can be used."""

    def __init__(self, path: Path, damage: Damage) -> None:
        self.path = path
        self._damage = damage
        self._readers = ReaderPool(path)
        self.topics, self.counts = {}, Counter()
        try:
            with self._readers.lend() as reader:
                self.begin_ns, self.end_ns = reader.start_time, reader.end_time - 1
                for link in reader.connections:
                    self.topics[link.topic] = link.msgtype
                    self.counts[link.topic] += link.msgcount
            self.whole = True
        except Exception:  # see ReaderPool.lend
            self.whole = False
            self._count()

    @staticmethod
    def is_one(path: Path) -> bool:
        """Whether a file is of a kind that can be read."""
        return path.suffix in _SALVAGE

    def messages(self, topics: frozenset[str], since_ns: int) -> Iterator[RawMessage]:
        """Yield messages from a log time on, as far as the file goes."""
        if self.whole:
            try:
                for raw in self._readers.messages(topics, since_ns):
                    since_ns = raw.log_ns + 1
                    yield raw
                return
            except Exception as error:  # what was delivered came in log order
                self._damage(f'{self.path.name} is unreadable in part ({error})')
        for raw in self._salvage():
            if raw.topic in topics and raw.log_ns >= since_ns:
                yield _decompressed(raw)

    def _count(self) -> None:
        """Read all that is left, to know what that is."""
        self.topics, self.counts = {}, Counter()
        self.begin_ns, self.end_ns = 2**63 - 1, 0
        for raw in self._salvage():
            self.topics[raw.topic] = raw.msgtype
            self.counts[raw.topic] += 1
            self.begin_ns = min(self.begin_ns, raw.log_ns)
            self.end_ns = max(self.end_ns, raw.log_ns)

    def _salvage(self) -> Iterator[RawMessage]:
        try:
            yield from _SALVAGE[self.path.suffix](self.path, self._damage)
        except OSError as error:  # of the disk, or without permission
            self._damage(f'{self.path.name} cannot be read ({error.strerror or error})')


def _decompressed(raw: RawMessage) -> RawMessage:
    """Decompress what the recorder compressed message by message, as metadata.yaml may not tell.

    There is none, or `ros2 bag reindex` made it anew. What cannot be is left, and is refused
    where it is decoded.
    """
    if not raw.data.startswith(_ZSTD):
        return raw
    try:
        return raw._replace(data=DECOMPRESSORS['zstd'](raw.data, 0))
    except Exception:  # of a type that depends on the library
        return raw


def _close(readers: list[Reader]) -> None:
    """Close what is open."""
    while readers:
        readers.pop().close()
