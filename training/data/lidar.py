# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A bag's LiDAR as depth labels of its cached frames, kept beside the cache."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from tqdm import tqdm

from selfdepth_ros.core.cameras import Camera, PinholeCamera
from selfdepth_ros.core.depth import FORWARD_LEAST
from selfdepth_ros.core.files import appearing
from selfdepth_ros.core.rig import Rig
from selfdepth_training.data.cache import FrameCache
from selfdepth_training.data.folder import as_cache_error, kept
from selfdepth_training.data.samples import LABEL_LEVEL, DataError, SureDepth
from selfdepth_training.truth import (
    SWEEP_TOLERANCE_NS,
    lidar_seen,
    middle_ns,
    no_sweep_near,
)

FILE_NAME = 'lidar_4.npz'
"""In the cache's folder; the number is raised whenever what is projected changes."""
LEAST_FORWARD = 0.1
"""Cosine of the angle off axis (84 degrees) below which the z-depth of a pixel tells nothing: its
border has another."""


class LidarDepth:
    """Sparse depths of every frame of a cache, at the size of labels.

    Each image has the points that it can see, moved by the robot's motion between sweep and image;
    of several in a pixel the nearest. For a pinhole z-depths are kept, for any other lens
    distances: far off axis its z-depths differ a lot within a pixel, and beyond 90 degrees there
    are none. Raises DataError when the bag has no LiDAR, or one that no image has a point of.
    """

    def __init__(self, cache: FrameCache, progress: bool = True) -> None:
        path = cache.folder / FILE_NAME
        self._rig = cache.rig
        cameras, height, width = cache.images.shape[1:4]
        self._shape = cameras, height >> LABEL_LEVEL, width >> LABEL_LEVEL
        self._ends, self._pixels, self._depths = kept(
            path,
            lambda path: _read(path, len(cache)),
            lambda path: _project(cache, self._shape, path, progress),
        )

    def of(self, frame: int) -> SureDepth:
        """Z-depths (c, h, w) in metres, and where there are any: not to the side or behind."""
        depth, sure = self.measured(frame)
        z_per_measured, has_z = self._as_z
        return SureDepth(depth * z_per_measured, sure & has_z)

    @cached_property
    def _as_z(self) -> tuple[Float[torch.Tensor, 'c h w'], Bool[torch.Tensor, 'c h w']]:
        """How much z-depth a metre of what is kept is, and where that tells something."""
        _, height, width = self._shape
        cameras = [entry.camera for entry in self._rig.scaled(width, height).cameras]
        rays = torch.from_numpy(np.stack([c.pixel_rays()[0] for c in cameras])).float()
        z = rays[..., 2].clamp(min=FORWARD_LEAST)
        return z / measured_per_metre(cameras, rays), forward(rays)

    def measured(self, frame: int) -> SureDepth:
        """What is kept (c, h, w), in metres, see `measured_per_metre`, and where there is any."""
        part = slice(self._ends[frame], self._ends[frame + 1])
        depth = np.zeros(int(np.prod(self._shape)), np.float32)
        depth[self._pixels[part]] = self._depths[part]
        found = torch.from_numpy(depth.reshape(self._shape))
        return SureDepth(found, found > 0)


def measured_per_metre(
    cameras: Sequence[Camera], rays: Float[torch.Tensor, 'c h w 3']
) -> Float[torch.Tensor, 'c h w']:
    """How much of what `LidarDepth` keeps a metre of depth is, that of `rays`."""
    z, distance = rays[..., 2].clamp(min=FORWARD_LEAST), rays.norm(dim=-1)
    flat = [isinstance(camera, PinholeCamera) for camera in cameras]
    return torch.where(torch.tensor(flat, device=rays.device)[:, None, None], z, distance)


def forward(rays: Float[torch.Tensor, '*b 3']) -> Bool[torch.Tensor, '*b']:
    """Where the z-depth of a pixel, whose centre's ray is given, holds for all of it."""
    return rays[..., 2] > LEAST_FORWARD * rays.norm(dim=-1)


def _read(path: Path, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.load(path) as stored:
        ends, pixels, depths = (stored[name] for name in ('ends', 'pixels', 'depths'))
    if ends.shape != (frames + 1,) or not len(pixels) == len(depths) == ends[-1]:
        raise ValueError(f'{len(ends) - 1} frames, {len(pixels)} and {len(depths)} points')
    return ends, pixels, depths


def _project(cache: FrameCache, shape: tuple[int, int, int], path: Path, progress: bool) -> None:
    reader = cache.reader()
    rig = _at_sizes_of(reader.rig(), cache.rig)
    odometry = reader.odometry()
    sweeps = np.array([stamp for stamp, _ in reader.lidar()], np.int64)
    if not len(sweeps):
        raise DataError(
            f'Found no LiDAR in {cache.source}, expected sensor_msgs/PointCloud2 with a transform '
            'to the robot, which this recipe learns from. Record with the LiDAR on, or take a '
            'recipe without labels (fsm).'
        )
    # The frames of a sweep: those for which it is the nearest, and near enough.
    middles = middle_ns(cache.stamps_ns)  # where a camera is missing, its set's stamp is there
    nearest = nearest_sweeps(middles, sweeps)
    near = np.abs(sweeps[nearest] - middles) <= SWEEP_TOLERANCE_NS
    if not near.any():
        raise DataError(no_sweep_near(reader, sweeps, middles))
    found: list[list[np.ndarray]] = [[] for _ in range(len(cache))]
    bar = tqdm(reader.lidar(), f'lidar {cache.source.name}', len(sweeps), disable=not progress)
    for number, (stamp, points) in enumerate(bar):
        for frame, camera in np.argwhere(((nearest == number) & near)[:, None] & cache.present):
            at = int(cache.stamps_ns[frame, camera])
            image = _image(points, (stamp, at), rig, int(camera), odometry, shape)
            found[frame].append(image)
    if not any(len(image) for images in found for image in images):
        raise DataError(
            f'Found no point of {reader.topics.lidar} in any image of {cache.source}, expected '
            "depths to learn from. Look at the LiDAR's transform in /tf_static, or name another "
            'LiDAR in a mapping file (--mapping).'
        )
    _save(found, path)


def nearest_sweeps(
    stamps_ns: Int64[np.ndarray, '*batch'], sweeps_ns: Int64[np.ndarray, ' n']
) -> Int[np.ndarray, '*batch']:
    """For each stamp the index of the sweep nearest in time, of several as near the first one.

    Sweeps may be in any order. Only the two neighbours of a stamp are compared: all differences
    of twenty minutes with six cameras would need 14 GB.
    """
    times, first = np.unique(sweeps_ns, return_index=True)
    later = np.searchsorted(times, stamps_ns)
    sides = np.stack([later - 1, later]).clip(0, len(times) - 1)
    off = np.abs(times[sides] - stamps_ns)
    before = (off[0] < off[1]) | ((off[0] == off[1]) & (first[sides[0]] < first[sides[1]]))
    return first[np.where(before, *sides)]


def _at_sizes_of(recorded: Rig, rig: Rig) -> Rig:
    """The cache's rig, which may be a corrected one, at the sizes of the recorded images."""
    lenses = [recorded[name].camera for name in rig.names]
    cameras = zip(rig.cameras, lenses, strict=True)
    return replace(rig, cameras=tuple(c.scaled(at.width, at.height) for c, at in cameras))


def _image(
    points: Float[np.ndarray, 'n 3'],
    stamps_ns: tuple[int, int],
    rig: Rig,
    camera: int,
    odometry: Any,
    shape: tuple[int, int, int],
) -> np.ndarray:
    """Indices into the flat (c, h, w) and depths of one image, as columns (n, 2)."""
    lens = rig.cameras[camera].camera
    kind = 'z_depth' if isinstance(lens, PinholeCamera) else 'ray_distance'
    u, v, depth_m = lidar_seen(points, stamps_ns, rig.cameras[camera], odometry, kind)
    _, height, width = shape
    u, v = _shrunk(u, lens.width, width), _shrunk(v, lens.height, height)
    depth = np.full((height, width), np.inf)
    np.minimum.at(depth, (v, u), depth_m)
    pixels = np.flatnonzero(np.isfinite(depth))
    return np.stack([pixels + camera * height * width, depth.ravel()[pixels]], 1)


def _shrunk(at: Int[np.ndarray, ' n'], size: int, smaller: int) -> Int[np.ndarray, ' n']:
    """The pixel that holds the centre of a pixel of a larger image."""
    return ((at + 0.5) * smaller / size).astype(np.int64)


def _save(found: list[list[np.ndarray]], path: Path) -> None:
    rows = [np.concatenate([np.zeros((0, 2)), *images]) for images in found]
    every = np.concatenate(rows)
    with as_cache_error(path.parent), appearing(path) as file:
        np.savez(
            file,
            ends=np.cumsum([0, *(len(row) for row in rows)]),
            pixels=every[:, 0].astype(np.int32),
            depths=every[:, 1].astype(np.float32),
        )
