# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The frames of some recordings that are looked at: as far apart as parallax needs."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, UInt8

from selfdepth_ros.core import so3
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_training.corners import grey
from selfdepth_training.data.cache import FrameCache

# A key frame comes when the robot has moved or turned so far since the last one.
MOVED_M, TURNED_DEG = 0.4, 4.0
# Less than this tells too little of any camera.
LEAST_FRAMES, LEAST_M = 10, 4.0


class ExtrinsicsError(SelfdepthError):
    """Recordings that do not tell where the cameras sit."""


@dataclass(frozen=True)
class Drive:
    """Key frames of recordings with odometry, those of one after those of the other."""

    caches: list[FrameCache]
    frames: tuple[tuple[int, int], ...]
    """Recording, and frame in it, of each key frame."""

    @classmethod
    def of(cls, caches: list[FrameCache]) -> 'Drive':
        """Choose the key frames. Raises ExtrinsicsError without odometry, or without motion."""
        for cache in caches:
            if cache.world_from_body is None:
                raise ExtrinsicsError(
                    f'Found no odometry in {cache.source}, expected poses of the body: without '
                    'them nothing tells which way a camera looks. Record /odom.'
                )
        frames = [(i, now) for i, cache in enumerate(caches) for now in _key_frames(cache)]
        drive = cls(caches, tuple(frames))
        if len(drive) < LEAST_FRAMES or drive.length_m < LEAST_M:
            raise ExtrinsicsError(
                f'Found a robot that moved {drive.length_m:.1f} m in {len(caches)} recording(s), '
                f'expected {LEAST_M:.0f} m or more, {LEAST_FRAMES} frames {MOVED_M} m apart: a '
                'robot that stands does not tell how its cameras sit. Record while driving, with '
                'some turns.'
            )
        return drive

    def __len__(self) -> int:
        return len(self.frames)

    @cached_property
    def world_from_body(self) -> Float[np.ndarray, 'k c 4 4']:
        """Where the body was at each image's own stamp; every recording has its own world."""
        return np.stack([self.caches[i].world_from_body[now] for i, now in self.frames])

    @cached_property
    def present(self) -> Bool[np.ndarray, 'k c']:
        """Which cameras have an image."""
        return np.stack([self.caches[i].present[now] for i, now in self.frames])

    @property
    def length_m(self) -> float:
        """What the robot drove between the key frames."""
        steps = np.linalg.norm(np.diff(self.world_from_body[:, 0, :3, 3], axis=0), axis=1)
        return float(sum(step for k, step in enumerate(steps) if self.together(k, k + 1)))

    def together(self, first: int, second: int) -> bool:
        """Whether two key frames exist and are of one recording."""
        inside = 0 <= first < len(self) and 0 <= second < len(self)
        return inside and self.frames[first][0] == self.frames[second][0]

    def grey(self, frame: int, camera: int) -> UInt8[np.ndarray, 'h w']:
        """Brightness of one image."""
        recording, now = self.frames[frame]
        return grey(self.caches[recording], now, camera)


def _key_frames(cache: FrameCache) -> list[int]:
    poses = cache.world_from_body[:, 0]
    chosen = [0]
    for now in range(1, len(cache)):
        last = poses[chosen[-1]]
        moved_m = np.linalg.norm(poses[now, :3, 3] - last[:3, 3])
        turned = np.linalg.norm(so3.log(last[:3, :3].T @ poses[now, :3, :3]))
        if moved_m >= MOVED_M or turned >= np.radians(TURNED_DEG):
            chosen.append(now)
    return chosen
