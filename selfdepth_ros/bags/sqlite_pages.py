# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows of a SQLite file whose tree is broken: every leaf page is read by itself.

A database that was cut off has often lost the page at the top of its tree and with it, for SQLite,
every row. Format: sqlite.org/fileformat2.html, sections 1.3 (header), 1.6 (pages), 2.1 (records).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

_MAGIC = b'SQLite format 3\x00'
_TABLE_LEAF = 0x0D
_MAX_PAYLOAD = 1 << 30
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
Value = int | bytes | str | None
Row = tuple[int, list[Value]]
"""Row id and columns; a column that is the row id itself is None, floats are None too."""


def leaf_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of all tables in the order of the file's pages; broken rows are skipped."""
    with path.open('rb') as file:
        header = file.read(100)
        if header[:16] != _MAGIC:
            return
        size = int.from_bytes(header[16:18], 'big')
        size = 65536 if size == 1 else size
        if size < 512:
            return
        number = 1
        while page := _page(file, number, size):
            start = 100 if number == 1 else 0
            if page[start] == _TABLE_LEAF:
                yield from _rows(file, page, start, size, size - header[20])
            number += 1


def _page(file: io.BufferedIOBase, number: int, size: int) -> bytes:
    """Return a whole page, or nothing when the file ends before it does."""
    file.seek((number - 1) * size)
    page = file.read(size)
    return page if len(page) == size else b''


def _rows(
    file: io.BufferedIOBase, page: bytes, start: int, size: int, usable: int
) -> Iterator[Row]:
    """Yield the rows of one leaf."""
    count = int.from_bytes(page[start + 3 : start + 5], 'big')
    for index in range(count):
        at = start + 8 + 2 * index
        cell = int.from_bytes(page[at : at + 2], 'big')
        try:
            length, cell = _varint(page, cell)
            row_id, cell = _varint(page, cell)
            yield row_id, _columns(_payload(file, page, cell, length, size, usable))
        except (IndexError, ValueError):
            continue


def _payload(
    file: io.BufferedIOBase, page: bytes, at: int, length: int, size: int, usable: int
) -> bytes:
    """Return a record: what lies in the leaf, then its chain of overflow pages."""
    if length > _MAX_PAYLOAD:
        raise ValueError('a record of absurd length')
    most = usable - 35
    if length <= most:
        return page[at : at + length]
    least = (usable - 12) * 32 // 255 - 23
    local = least + (length - least) % (usable - 4)
    local = local if local <= most else least
    parts = [page[at : at + local]]
    following, missing = page[at + local : at + local + 4], length - local
    while missing > 0:
        overflow = _page(file, int.from_bytes(following, 'big'), size) if any(following) else b''
        if not overflow:
            raise ValueError('a record goes on behind the end of the file')
        parts.append(overflow[4 : 4 + min(missing, usable - 4)])
        following, missing = overflow[:4], missing - (usable - 4)
    return b''.join(parts)


def _columns(record: bytes) -> list[Value]:
    """Decode a record: its header lists a type for each column."""
    end, at = _varint(record, 0)
    kinds = []
    while at < end:
        kind, at = _varint(record, at)
        kinds.append(kind)
    values: list[Value] = []
    for kind in kinds:
        length = (kind - 12) // 2 if kind >= 12 else {**_INTEGER_BYTES, 7: 8}.get(kind, 0)
        raw = record[at : at + length]
        if len(raw) != length:
            raise ValueError('a column goes on behind the end of its record')
        values.append(_value(kind, raw))
        at += length
    return values


def _value(kind: int, raw: bytes) -> Value:
    """Decode one column."""
    if kind >= 12:
        return raw.decode() if kind % 2 else raw
    if kind in _INTEGER_BYTES:
        return int.from_bytes(raw, 'big', signed=True)
    return {8: 0, 9: 1}.get(kind)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable-length integer and the offset behind it."""
    value = 0
    for _ in range(8):
        value = value << 7 | data[at] & 0x7F
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    return value << 8 | data[at], at + 1
