# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The messages of a rosbag2, healthy or damaged, one at a time."""

from __future__ import annotations

import errno
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from selfdepth_ros.bags.data_file import DataFile, ReaderPool, natural_order
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.bags.salvage import RawMessage
from selfdepth_ros.bags.types import typestore
from selfdepth_ros.messages import stamp_ns


def files_of(path: Path) -> list[Path]:
    """Return the files in a bag's folder, or that which it is; BagError where it is closed."""
    try:
        return [item for item in (path.iterdir() if path.is_dir() else [path]) if item.is_file()]
    except OSError as error:
        raise BagError(
            f'{path} cannot be read ({error.strerror or error}): expected a rosbag2 that this '
            'user may read; give permission (chmod -R a+rX), or copy it to a sound disk'
        ) from error


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
        self._unpacked: list[Path] = []
        self._readers = ReaderPool(path)
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
        return sorted(files_of(self.path), key=natural_order)

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
        with self._readers.lend() as reader:
            self.end_ns = reader.end_time - 1
            self.topics = {link.topic: link.msgtype for link in reader.connections}
            self.counts = Counter()
            for link in reader.connections:
                self.counts[link.topic] += link.msgcount
        self._unpacked = self._readers.unpacked()

    def _open_damaged(self, error: Exception) -> None:
        """Count what can be salvaged; BagError when that is nothing."""
        self._salvaging = True
        self.topics, self.counts, self.end_ns = {}, Counter(), 0
        self._report.damaged(f'the index is unusable ({error}); files are read one by one')
        if any(item.suffix == '.zstd' for item in self.files()):
            raise _not_unpacked(self.path, error) from error
        for file in self._data_files:
            self.topics |= file.topics
            self.counts += file.counts
            self.end_ns = max(self.end_ns, file.end_ns)
        if not self.counts:
            raise BagError(
                f'{self.path} holds no readable message ({error}): expected a rosbag2 in mcap or '
                'sqlite3 storage; record it again or copy it anew'
            ) from error
        if self.path.is_dir():
            self._report.damaged(self._advice())

    def _advice(self) -> str:
        """Say which files are broken, or how to get an index where none is."""
        if broken := [file.path.name for file in self._data_files if not file.whole]:
            return f'read message by message: {", ".join(broken)}'
        kind = 'mcap' if self._data_files[0].path.suffix == '.mcap' else 'sqlite3'
        call = f'ros2 bag reindex {self.path} -s {kind}'
        return f'its files themselves are whole: `{call}` makes the index anew'

    @cached_property
    def _data_files(self) -> list[DataFile]:
        """In the order of time."""
        paths = self._unpacked or self.files()
        files = [DataFile(path, self._report.damaged) for path in paths if DataFile.is_one(path)]
        return sorted(files, key=lambda file: file.begin_ns)

    def _raw(self, topics: frozenset[str], since_ns: int | None) -> Iterator[RawMessage]:
        next_ns = since_ns or 0
        if not (self._salvaging or self._unpacked):
            try:
                for raw in self._readers.messages(topics, since_ns):
                    next_ns = raw.log_ns + 1
                    yield raw
                return
            except Exception as error:  # see __init__; what was delivered came in log order
                self._report.damaged(f'a part of the bag is unreadable ({error})')
        for file in self._data_files:
            if file.end_ns >= next_ns:
                yield from file.messages(topics, next_ns)


def _not_unpacked(path: Path, error: Exception) -> BagError:
    """Say why the compressed files of a bag cannot be read."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return BagError(
            f'{path} is compressed and does not fit into {tempfile.gettempdir()}, where it is '
            f'unpacked ({error.strerror}): set TMPDIR to a folder with room'
        )
    return BagError(
        f'{path} has compressed files that cannot be read ({error}): expected a usable '
        'metadata.yaml and whole files; decompress them first (zstd -d)'
    )
