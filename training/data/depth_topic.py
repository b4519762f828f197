# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth images that a bag has beside its pictures, as labels, kept beside the frame cache.

They may come from a depth camera, another network or a renderer (32FC1 and 16UC1, REP-118).
"""

import hashlib
import math
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import torch
from jaxtyping import Float16, Float32, Int64
from tqdm import tqdm

from selfdepth_ros.core.files import appearing
from selfdepth_training.data.cache import FrameCache
from selfdepth_training.data.folder import as_cache_error, kept
from selfdepth_training.data.samples import LABEL_LEVEL, DataError, SureDepth

# A depth belongs to an image whose stamp is this near: theirs should be the same.
SAME_NS = 5_000_000
# More is not a depth, and no float16.
FARTHEST_M = 60_000.0
# Raised whenever what is stored changes.
FORMAT = 1


class TopicDepth:
    """Z-depths of every frame of a cache, at the size of labels. Raises DataError without any."""

    def __init__(self, cache: FrameCache, pattern: str, progress: bool = True) -> None:
        digest = hashlib.sha256(pattern.encode()).hexdigest()[:8]
        path = cache.folder / f'depth_topic_{FORMAT}_{digest}.npy'
        shape = *cache.images.shape[:2], *(side >> LABEL_LEVEL for side in cache.images.shape[2:4])
        self._depths = kept(
            path,
            lambda path: _read(path, shape),
            lambda path: _store(cache, pattern, path, progress),
        )

    def of(self, frame: int) -> SureDepth:
        """Z-depths (c, h, w) in metres, and where there are any."""
        depth = torch.from_numpy(self._depths[frame].astype(np.float32))
        return SureDepth(depth, depth > 0)


def _read(path: Path, shape: tuple[int, ...]) -> Float16[np.ndarray, 'f c h w']:
    depths: np.memmap = np.load(path, mmap_mode='r')
    if depths.shape != shape or depths.dtype != np.float16:
        raise ValueError(f'{depths.dtype} of shape {depths.shape}')
    if depths.offset + depths.nbytes != path.stat().st_size:
        raise ValueError('a header of another length, which shifts what it describes')
    return depths


def _store(cache: FrameCache, pattern: str, path: Path, progress: bool) -> None:
    """Write the depths of all frames as float16, 0 where there is none.

    Each goes to its place in the file as it is read: those of an hour do not fit into memory. Not
    through a memory map, in which a full disk is no error but the end of the process.
    """
    with as_cache_error(path.parent), appearing(path) as file:
        if not _write(cache, pattern, file, progress):
            raise _no_depth(cache, pattern)


def _write(cache: FrameCache, pattern: str, file: BinaryIO, progress: bool) -> int:
    """Write the .npy; return of how many images the depth was found."""
    frames, cameras, height, width = cache.images.shape[:4]
    shape = frames, cameras, height >> LABEL_LEVEL, width >> LABEL_LEVEL
    described = {'descr': '<f2', 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(file, described)
    begin, each = file.tell(), 2 * math.prod(shape[2:])
    # What is never written reads as zeros.
    file.truncate(begin + each * frames * cameras)
    found = 0
    images = cache.reader().depth_images(pattern)
    for camera, stamp, depth in tqdm(images, f'depths {cache.source.name}', disable=not progress):
        frame = _frame_of(cache.stamps_ns[:, camera], stamp)
        if frame is not None and cache.present[frame, camera]:
            file.seek(begin + each * (frame * cameras + camera))
            file.write(_nearest(depth, shape[3], shape[2]).astype('<f2').tobytes())
            found += 1
    return found


def _no_depth(cache: FrameCache, pattern: str) -> DataError:
    return DataError(
        f'Found no depth image of the pictures of {cache.source} on {pattern}, expected '
        'sensor_msgs/Image, 32FC1 or 16UC1, at their stamps. Name the topics with '
        'data.label_topic, {camera} standing for the name of each camera.'
    )


def _frame_of(stamps_ns: Int64[np.ndarray, ' f'], stamp_ns: int) -> int | None:
    off = np.abs(stamps_ns - stamp_ns)
    nearest = int(off.argmin())
    return nearest if off[nearest] <= SAME_NS else None


def _nearest(
    depth: Float32[np.ndarray, '_ _'], width: int, height: int
) -> Float32[np.ndarray, '_ _']:
    """The nearest pixels: a mean of near and far would be neither. 0 where nothing is known."""
    small = cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    known = (small > 0) & (small < FARTHEST_M)  # False of NaN
    return np.where(known, small, np.float32(0))
