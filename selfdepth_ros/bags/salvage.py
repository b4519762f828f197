# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Read what is left of a bag whose recorder was killed or whose copy broke off.

rosbags needs the index at the end of an MCAP file and a sound SQLite database. Here a file is
read from its start until it makes no sense any more. Formats: the MCAP specification
(mcap.dev/spec) and the tables of rosbag2_storage_sqlite3.
"""

from __future__ import annotations

import io
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

from selfdepth_ros.bags.sqlite_pages import leaf_rows

MAGIC = b'\x89MCAP0\r\n'
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 0x03, 0x04, 0x05, 0x06, 0x0F
_MAX_RECORD = 1 << 31
Damage = Callable[[str], None]
"""Called with a sentence for each damage that was met."""


class RawMessage(NamedTuple):
    """One message as recorded; `data` is CDR."""

    topic: str
    msgtype: str
    log_ns: int
    data: bytes


def salvage_mcap(path: Path, damage: Damage) -> Iterator[RawMessage]:
    """Yield the messages of a damaged MCAP file in file order; one chunk in memory at a time."""
    schemas: dict[int, str] = {}
    channels: dict[int, tuple[str, str]] = {}
    with path.open('rb') as file:
        if file.read(len(MAGIC)) != MAGIC:
            damage(f'{path.name} does not begin as an MCAP file')
            return
        yield from _mcap_records(file, path.name, schemas, channels, damage)


def _mcap_records(
    file: io.BufferedIOBase,
    name: str,
    schemas: dict[int, str],
    channels: dict[int, tuple[str, str]],
    damage: Damage,
) -> Iterator[RawMessage]:
    """Walk over records; recurses once, into chunks. Stops at the first that makes no sense."""
    while head := file.read(9):
        length = struct.unpack_from('<Q', head, 1)[0] if len(head) == 9 else _MAX_RECORD
        body = file.read(length) if length < _MAX_RECORD else b''
        if len(body) != length:
            damage(f'{name} breaks off in the middle of a record')
            if head[0] == _CHUNK:
                rest = io.BytesIO(_begun_chunk(body))
                yield from _mcap_records(rest, name, schemas, channels, damage)
            return
        try:
            if head[0] == _MESSAGE:
                channel, _, log_ns, _ = struct.unpack_from('<HIQQ', body)
                yield RawMessage(*channels[channel], log_ns, body[22:])
            elif head[0] == _SCHEMA:
                (number,) = struct.unpack_from('<H', body)
                schemas[number] = _string(body, 2)[0]
            elif head[0] == _CHANNEL:
                number, schema = struct.unpack_from('<HH', body)
                channels[number] = (_string(body, 4)[0], schemas.get(schema, ''))
            elif head[0] == _CHUNK:
                chunk = io.BytesIO(_chunk(body))
                yield from _mcap_records(chunk, name, schemas, channels, damage)
            elif head[0] == _DATA_END:
                return
        except (ValueError, LookupError, struct.error) as error:
            damage(f'{name}: a record of {length} bytes is unreadable ({error})')


def _string(body: bytes, offset: int) -> tuple[str, int]:
    """Return a length-prefixed string and the offset behind it."""
    (length,) = struct.unpack_from('<I', body, offset)
    end = offset + 4 + length
    if end > len(body):
        raise ValueError('a string is longer than its record')
    return body[offset + 4 : end].decode(), end


def _chunk(body: bytes) -> bytes:
    """Return the records inside a chunk."""
    size, crc = struct.unpack_from('<QI', body, 16)
    compression, offset = _string(body, 28)
    (length,) = struct.unpack_from('<Q', body, offset)
    try:
        raw = DECOMPRESSORS[compression](body[offset + 8 : offset + 8 + length], size)
    except Exception as error:  # zstd and lz4 raise types of their own
        raise ValueError(f'{compression or "no"} compression: {error}') from error
    if len(raw) != size or (crc and crc32(raw) != crc):
        raise ValueError('a chunk does not have the size or the checksum it should have')
    return raw


def _begun_chunk(body: bytes) -> bytes:
    """Return the records of a chunk that breaks off; none of a compressed one."""
    try:
        compression, offset = _string(body, 28)
    except (ValueError, struct.error):
        return b''
    return b'' if compression else body[offset + 8 :]


def salvage_sqlite(path: Path, damage: Damage) -> Iterator[RawMessage]:
    """Yield the messages of a damaged rosbag2 database in the order they were written."""
    last = 0
    try:
        for row_id, message in _sqlite_messages(path):
            last = row_id
            yield message
    except sqlite3.Error as error:
        damage(f'{path.name} breaks off ({error})')
        rows = _sqlite_loose_messages(path)
        yield from (message for row_id, message in rows if row_id > last)


def _sqlite_messages(path: Path) -> Iterator[tuple[int, RawMessage]]:
    """Let SQLite walk over the table, without needing its index."""
    with closing(sqlite3.connect(f'file:{path}?mode=ro&immutable=1', uri=True)) as connection:
        # Lets SQLite open a file that is shorter than its header says; nothing is written.
        connection.execute('PRAGMA writable_schema = ON')
        found = connection.execute('SELECT id, name, type FROM topics')
        topics = {number: (name, kind) for number, name, kind in found}
        for row in connection.execute('SELECT id, topic_id, timestamp, data FROM messages'):
            if row[1] in topics and isinstance(row[3], bytes):
                yield row[0], RawMessage(*topics[row[1]], row[2], row[3])


def _sqlite_loose_messages(path: Path) -> Iterator[tuple[int, RawMessage]]:
    """Read the leaves of the tables by themselves; rows are told apart by their columns."""
    topics = {}
    for row_id, columns in leaf_rows(path):
        name, kind = (*columns[1:3], None, None)[:2]
        if isinstance(name, str) and name.startswith('/') and isinstance(kind, str):
            topics[row_id] = (name, kind)
    for row_id, columns in leaf_rows(path):
        if len(columns) == 4 and isinstance(columns[3], bytes):
            _, number, log_ns, data = columns
            if number in topics and isinstance(log_ns, int):
                yield row_id, RawMessage(*topics[number], log_ns, data)
