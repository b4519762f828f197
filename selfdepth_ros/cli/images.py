# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images for a network out of a bag or a folder: to calibrate with, to check with."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference.precision import Batch
from selfdepth_ros.resizing import resized

SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.webp')
_FOCAL = 0.6
"""fx of an unknown camera over its width: 80 degrees across."""


class ImageError(SelfdepthError):
    """A source of images that has none."""


def batches(
    source: Path, manifest: Manifest, most: int, mapping: Path | None = None
) -> Iterator[Batch]:
    """At most `most` images of the network's size, spread evenly over a bag or a folder.

    `mapping` names the bag's topics. A folder's cameras are unknown; the depth of its images is
    right up to a factor only. Raises ImageError.
    """
    if not source.exists():
        raise ImageError(f'{source} does not exist; expected a bag or a folder of images')
    files = _files(source)
    if files and mapping is not None:
        raise ImageError(f'{source} is a folder of images; expected a bag beside --mapping')
    if files:
        return _from_files(files, manifest, most)
    return _from_bag(source, manifest, most, mapping)


def _files(folder: Path) -> list[Path]:
    items = folder.rglob('*') if folder.is_dir() else ()
    return sorted(item for item in items if item.suffix.lower() in SUFFIXES)


def _from_files(files: list[Path], manifest: Manifest, most: int) -> Iterator[Batch]:
    import cv2

    focal = np.full(1, _FOCAL * manifest.width, np.float32)
    for path in _spread(files, most):
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise ImageError(f'{path} cannot be read as an image; take it out of the folder')
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        yield resized(rgb, manifest.width, manifest.height)[None], focal


def _from_bag(bag: Path, manifest: Manifest, most: int, mapping: Path | None) -> Iterator[Batch]:
    from selfdepth_ros.bags.reader import BagReader

    reader = BagReader(bag, mapping)
    rig = reader.rig()
    size = manifest.width, manifest.height
    scaled = [entry.scaled(*size) for entry in rig.cameras]
    focal = np.array([entry.camera.focal for entry in scaled], np.float32)
    sets = -(-most // len(scaled))
    step = max(reader.most_frames // sets, 1)
    frames = reader.surround_frames(lambda _, image: resized(image, *size))
    for frame in islice(frames, 0, sets * step, step):
        there = [index for index, image in enumerate(frame.images) if image is not None]
        if there:
            yield np.stack([np.asarray(frame.images[index]) for index in there]), focal[there]


def _spread(files: list[Path], most: int) -> list[Path]:
    picks = np.linspace(0, len(files) - 1, min(most, len(files))).round().astype(int)
    return [files[index] for index in picks]
