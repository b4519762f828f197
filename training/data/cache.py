# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A bag's surround frames, decoded and resized once, as memory-mapped arrays in a folder.

The folder appears under its name only when it is complete, belongs to one bag (size and time of
its files) and one set of settings, and is built again when either changed or a file is damaged.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8

from selfdepth_ros.bags.discovery import BagTopics
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.mapping import GivenTopics, topics_from_dict, topics_of, topics_to_dict
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.storage import files_of
from selfdepth_ros.core.errors import CalibrationError, SelfdepthError
from selfdepth_ros.core.rig import Rig, load_rig, save_rig
from selfdepth_training.data.folder import (
    DAMAGED,
    CacheError,
    appearing,
    as_cache_error,
    npy_header,
    only_one,
)
from selfdepth_training.data.images import Choose, write_images

log = logging.getLogger(__name__)

FORMAT = 2
"""Raised whenever the meaning of a cache's files changes: older ones are then built again.

2: cameras of nested namespaces have short names, and another odometry may be taken.
"""
_OF_BAGS = re.compile(r'\.(mcap|db3)|^metadata\.yaml$')
"""Names of what a bag's folder holds of the bag: compressed files and SQLite's logs are."""


@dataclass(frozen=True, eq=False)
class FrameCache:
    """Frames of one bag at one size; arrays are read-only memory maps or small arrays."""

    images: UInt8[np.ndarray, 'f c h w 3']
    """RGB; zeros where a camera is missing."""
    stamps_ns: Int64[np.ndarray, 'f c']
    """Each image's own stamp; the set's where the camera is missing."""
    world_from_body: Float[np.ndarray, 'f c 4 4'] | None
    """Body poses at those stamps (float64, metres); None when the bag has no odometry."""
    present: Bool[np.ndarray, 'f c']
    """Which cameras have an image."""
    rig: Rig
    """At the size of the images."""
    source: Path
    """The bag."""
    folder: Path
    topics: BagTopics | None = None
    """Those of a mapping file; None: found by their names."""

    def __len__(self) -> int:
        return len(self.images)

    def reader(self) -> BagReader:
        """Open the bag again, with the topics that the cache was made of."""
        return BagReader(self.source, self.topics)

    @classmethod
    def open(cls, folder: str | Path) -> FrameCache:
        """Open a complete cache; CacheError when a file is missing or damaged."""
        folder = Path(folder)
        with _as_unusable(folder):
            return cls._described(folder, _read_about(folder))

    @classmethod
    def _described(cls, folder: Path, about: Mapping[str, Any]) -> FrameCache:
        """Open what `about` tells of; anything may be raised where it is not so."""
        if about['format'] != FORMAT:
            raise ValueError(f'format {about["format"]}, expected {FORMAT}')
        if about['checksums'] != _checksums(folder, about['checksums']):
            raise ValueError('a file is not as it was written')
        small = {name: np.load(folder / f'{name}.npy') for name in about['arrays']}
        shape = (about['frames'], small['present'].shape[1])
        if any(array.shape[:2] != shape for array in small.values()):
            raise ValueError('arrays of different lengths')
        images = _mapped(folder / 'images.npy', (*shape, about['height'], about['width'], 3))
        rig = load_rig(folder / 'rig.yaml')
        if len(rig.cameras) != shape[1]:
            raise ValueError(f'a rig of {len(rig.cameras)} cameras, images of {shape[1]}')
        return cls(
            images=images,
            stamps_ns=small['stamps_ns'],
            world_from_body=small.get('world_from_body'),
            present=small['present'],
            rig=rig,
            source=Path(about['source']),
            folder=folder,
            topics=topics_from_dict(about['topics']),
        )


def build_cache(
    bag_path: str | Path,
    cache_root: str | Path,
    width: int,
    height: int,
    *,
    mapping: GivenTopics = None,
    tolerance_ns: int | None = None,
    choose: Choose | None = None,
    progress: bool = True,
) -> FrameCache:
    """Return the frame cache of a bag at width x height, building it where there is none.

    `mapping` is a mapping file or its content: the cache is of these topics, and no other's.
    Frames whose poses odometry does not reach are left out. Several processes may call this at
    once: one builds, the others wait. Raises BagError for a bag without use, CacheError when the
    disk is full; nothing is left behind then.

    `choose` says of which frames images are wanted: the others are there without, and take no room
    on the disk.
    """
    bag, root = Path(bag_path).resolve(), Path(cache_root)
    topics = topics_of(mapping)
    settings = {
        'width': width,
        'height': height,
        'tolerance_ns': tolerance_ns,
        'mapping': repr(topics),
    }
    if choose is not None:
        settings['choose'] = choose.__qualname__
    digest = hashlib.sha256(json.dumps([str(bag), settings]).encode()).hexdigest()[:12]
    folder = root / f'{bag.stem}-{width}x{height}-{digest}'
    with as_cache_error(root), only_one(folder):
        identity = _identity(bag)
        found = _open_current(folder, identity)
        if found is None:
            reader = BagReader(bag, topics, tolerance_ns=tolerance_ns)
            with appearing(folder) as partial:
                about = settings | {'identity': identity, 'topics': topics_to_dict(topics)}
                _build(reader, partial, about, choose, progress)
            found = FrameCache.open(folder)
    return found


def with_rig(cache: FrameCache, rig: Rig) -> FrameCache:
    """Return the cache with another calibration of its cameras, as one that was corrected.

    What is derived from it is kept in a folder of its own. Raises CalibrationError for a rig
    without one of the cameras, or whose poses are in another frame than the recording's.
    """
    try:
        rig = cache.rig.calibrated_as(rig)
    except CalibrationError as cause:
        raise CalibrationError(f'{cache.source}: {cause}') from cause
    told = repr([(e.camera, e.body_from_camera.matrix.tolist()) for e in rig.cameras])
    digest = hashlib.sha256(told.encode()).hexdigest()[:12]
    return replace(cache, rig=rig, folder=cache.folder / f'rig-{digest}')


def _identity(bag: Path) -> list[list[Any]]:
    """Return name, size and time of each of the bag's files; what lies beside them is none."""
    if not bag.exists():
        raise BagError(f'{bag} does not exist: expected a rosbag2 folder, .mcap or .db3 file')
    own = [f for f in sorted(files_of(bag)) if f == bag or _OF_BAGS.search(f.name)]
    return [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in own]


def _open_current(folder: Path, identity: list[list[Any]]) -> FrameCache | None:
    """Open the cache if it is complete and of this very bag; else say why not."""
    if not folder.exists():
        return None
    try:
        with _as_unusable(folder):
            about = _read_about(folder)
            cache = FrameCache._described(folder, about)
            same = about['identity'] == identity
    except CacheError as error:
        log.warning('%s; it is built again.', error)
        return None
    if not same:
        log.warning('%s has changed since %s was built; it is built again.', cache.source, folder)
        return None
    return cache


@contextlib.contextmanager
def _as_unusable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (*DAMAGED, SelfdepthError) as error:
        raise CacheError(
            f'{folder} is not a usable frame cache ({error}): remove it to have it built again'
        ) from error


def _read_about(folder: Path) -> dict[str, Any]:
    """What a cache says of itself, as it was written."""
    about = json.loads((folder / 'about.json').read_text(encoding='utf-8'))
    if not isinstance(about, dict):
        raise ValueError(f'about.json holds {type(about).__name__}, expected a mapping')
    if about.pop('digest', None) != _digest(about):
        raise ValueError('about.json is not as it was written')
    return about


def _digest(about: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _mapped(path: Path, shape: tuple[int, ...]) -> UInt8[np.ndarray, 'f c h w 3']:
    """Map images whose header is that of the shape, bit for bit: one may shift them, unseen."""
    header = npy_header(shape)
    with path.open('rb') as file:
        if file.read(len(header)) != header:
            raise ValueError(f'{path.name} has not the header of images of shape {shape}')
    images: np.ndarray = np.load(path, mmap_mode='r')
    return images


def _build(
    reader: BagReader, folder: Path, about: dict[str, Any], choose: Choose | None, progress: bool
) -> None:
    """Write every file of a cache into `folder`, images frame by frame."""
    rig = reader.rig().scaled(about['width'], about['height'])
    rows = write_images(reader, folder / 'images.npy', rig, choose, progress)
    if not reader.report.clean:
        log.warning('%s', reader.report)
    arrays = {
        'stamps_ns': np.array([row.stamps_ns for row in rows], np.int64),
        'present': np.array([row.present for row in rows], bool),
    }
    if rows[0].poses is not None:
        arrays['world_from_body'] = np.array([row.poses for row in rows], np.float64)
    for name, array in arrays.items():
        np.save(folder / f'{name}.npy', array)
    save_rig(rig, folder / 'rig.yaml')
    names = [*(f'{name}.npy' for name in arrays), 'rig.yaml']
    about = about | {
        'format': FORMAT,
        'checksums': _checksums(folder, names),
        'frames': len(rows),
        'arrays': sorted(arrays),
        'source': str(reader.path),
        'report': str(reader.report),
    }
    about |= {'digest': _digest(about)}
    (folder / 'about.json').write_text(json.dumps(about, indent=1), encoding='utf-8')


def _checksums(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Of what a training takes for true throughout; a few milliseconds.

    Not of the images: they would have to be read whole (1.1 MB a frame of six 320x192 images), for
    a damaged byte that is one colour of one pixel of one frame. Their size is looked at.
    """
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
