# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Compiled engines on disk, keyed by all that they depend on. Knows no vendor.

A file is one line with the SHA-256 of all that follows, one line of JSON (the key's parts and what
the builder noted), and the engine. So one rename puts it in place, and no flipped bit goes unseen.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from selfdepth_ros.inference.engine import EngineError
from selfdepth_ros.inference.graph import write_file

log = logging.getLogger(__name__)

MAGIC = b'selfdepth engine 1'
_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True)
class EngineKey:
    """All that a compiled engine depends on."""

    onnx_sha256: str
    """SHA-256 of the ONNX file that it was compiled from."""
    tensorrt: str
    """Version of TensorRT."""
    gpu: str
    """Name of the GPU."""
    compute_capability: str
    """Of the GPU, e.g. 8.7."""
    multiprocessors: int
    """Of the GPU; an engine for more of them than there are does not run."""
    precision: str
    """fp32, fp16 or int8."""
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    """(input, its shape), the batch included."""

    @property
    def digest(self) -> str:
        """SHA-256 of the key's parts."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def parts(self) -> dict[str, str]:
        """The parts in words, for a header and for people."""
        shapes = ', '.join(f'{name} {"x".join(map(str, shape))}' for name, shape in self.shapes)
        return {**{k: str(v) for k, v in asdict(self).items()}, 'shapes': shapes}

    def differences(self, parts: dict[str, str]) -> str:
        """Say what another engine was built for, where that is not this key."""
        return ', '.join(
            f'{name} {parts.get(name, "unknown")[:40]!r} and not {value[:40]!r}'
            for name, value in self.parts().items()
            if parts.get(name) != value
        )


@dataclass(frozen=True)
class CachedEngine:
    """An engine in the cache."""

    path: Path
    plan: bytes
    """What the vendor's runtime takes."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What the builder noted: its time, its self-check, the model's manifest."""
    built: bool = False
    """Whether it was built just now."""


class Built(NamedTuple):
    """What a builder returns."""

    plan: bytes
    notes: dict[str, Any]


class DamagedError(EngineError):
    """A file of the cache that is not what was written."""


def default_folder() -> Path:
    """`$XDG_CACHE_HOME/selfdepth_ros/engines`, below ~/.cache when that is not set."""
    base = os.environ.get('XDG_CACHE_HOME', '')
    # The specification says: a relative path is to be ignored.
    root = Path(base) if Path(base).is_absolute() else Path.home() / '.cache'
    return root / 'selfdepth_ros' / 'engines'


class EngineCache:
    """A folder of engines, safe to share between processes."""

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = Path(folder) if folder else default_folder()

    def path(self, name: str, key: EngineKey) -> Path:
        """Where the engine of a key lies, whether it is there or not."""
        return self.folder / f'{_slug(name)}.{key.precision}.{key.digest[:16]}.engine'

    def find(self, name: str, key: EngineKey) -> CachedEngine | None:
        """The engine of a key; None, with one warning that says why, when it cannot be used."""
        path = self.path(name, key)
        try:
            return _read(path, key)
        except FileNotFoundError:
            self._warn_of_relatives(path, key)
        except (OSError, DamagedError) as cause:
            log.warning('%s; the engine is built anew', cause)
        return None

    def store(self, name: str, key: EngineKey, plan: bytes, notes: dict[str, Any]) -> CachedEngine:
        """Put an engine in its place, whole or not at all. Raises EngineError."""
        path = self.path(name, key)
        write_file(path, seal({'key': key.parts(), 'notes': notes}, plan))
        return CachedEngine(path, plan, notes, built=True)

    def get_or_build(
        self, name: str, key: EngineKey, build: Callable[[], Built], must_store: bool = False
    ) -> CachedEngine:
        """The engine of a key, built when it is not there; a second process waits for the first.

        Where the file system has no locks, both build, and the last one stays. One that cannot be
        stored is there for this time, with a warning; with `must_store` that is an EngineError,
        before anything is built where the folder already refuses. Raises whatever `build` raises;
        then nothing is stored.
        """
        if found := self.find(name, key):
            return found
        path = self.path(name, key)
        with self._locked(path):
            with suppress(OSError, DamagedError):
                return _read(path, key)  # built by another process meanwhile
            if must_store:
                self._try_writing()
            built = build()
            try:
                return self.store(name, key, *built)
            except EngineError as cause:
                if must_store:
                    raise
                log.warning('%s; the engine is used now, and built anew at the next start', cause)
                return CachedEngine(path, *built, built=True)

    def discard(self, engine: CachedEngine, why: str) -> None:
        """Take out an engine that the vendor's runtime refuses, with a warning."""
        log.warning('%s cannot be used (%s); the engine is built anew', engine.path, why)
        with suppress(OSError):
            engine.path.unlink()

    def _try_writing(self) -> None:
        """Raise EngineError where nothing can be written."""
        probe = self.folder / f'.{os.getpid()}.probe'
        write_file(probe, b'0')
        probe.unlink()

    def _warn_of_relatives(self, path: Path, key: EngineKey) -> None:
        """Say why an engine of the same name that is there does not do."""
        model, precision = path.name.split('.')[:2]
        for other in sorted(self.folder.glob(f'{model}.{precision}.*.engine')):
            with suppress(OSError, DamagedError):
                parts = read_header(other).get('key', {})
                log.warning('%s is for %s; another engine is built', other, key.differences(parts))
                return

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        """Hold the lock of an engine, where the system has locks."""
        try:
            import fcntl

            self.folder.mkdir(parents=True, exist_ok=True)
            file = path.with_suffix('.lock').open('wb')
        except (ImportError, OSError):
            yield
            return
        with file:
            _lock(fcntl, file)
            yield


def _lock(fcntl: Any, file: Any) -> None:
    """Lock a file until it is closed or the process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info('another process builds this engine; waiting for it')
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        return  # a file system without locks: both build, and the last one stays


def _read(path: Path, key: EngineKey) -> CachedEngine:
    """Read an engine and make sure that it is the key's. Raises DamagedError, OSError."""
    header, plan = unseal(path.read_bytes(), path)
    if stale := key.differences(header.get('key', {})):
        raise DamagedError(f'{path} was built for {stale}')
    return CachedEngine(path, plan, header.get('notes', {}))


def seal(header: dict[str, Any], payload: bytes) -> bytes:
    """The content of a cache file."""
    sizes = {'payload_bytes': len(payload), 'payload_sha256': hashlib.sha256(payload).hexdigest()}
    rest = json.dumps({**header, **sizes}).encode() + b'\n' + payload
    return b'%s %s\n' % (MAGIC, hashlib.sha256(rest).hexdigest().encode()) + rest


def unseal(content: bytes, path: Path) -> tuple[dict[str, Any], bytes]:
    """Header and payload of a cache file; DamagedError when it is not as written."""
    first, _, rest = content.partition(b'\n')
    magic, _, digest = first.rpartition(b' ')
    if magic != MAGIC:
        raise DamagedError(f'{path} is no engine of this cache ({len(content)} bytes)')
    if hashlib.sha256(rest).hexdigest().encode() != digest:
        raise DamagedError(f'{path} is truncated or corrupt ({len(content)} bytes, wrong SHA-256)')
    head, _, payload = rest.partition(b'\n')
    return json.loads(head), payload


def read_header(path: Path) -> dict[str, Any]:
    """The header alone, not verified. Raises DamagedError, OSError."""
    with path.open('rb') as file:
        if not file.readline(len(MAGIC) + 80).startswith(MAGIC):
            raise DamagedError(f'{path} is no engine of this cache')
        try:
            header = json.loads(file.readline(_LONGEST_HEADER))
        except ValueError as cause:
            raise DamagedError(f'{path} is corrupt') from cause
    if not isinstance(header, dict):
        raise DamagedError(f'{path} is corrupt')
    return header


def _slug(name: str) -> str:
    """A name that is a file name everywhere, and without the dots that separate its parts."""
    return re.sub(r'[^A-Za-z0-9_-]+', '_', name)[:60] or 'model'
