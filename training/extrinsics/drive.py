# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The frames of some recordings that are looked at: as far apart as parallax needs."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from selfdepth_ros.core import so3
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_training.corners import grey
from selfdepth_training.data.cache import FrameCache
from selfdepth_training.data.samples import spread
from selfdepth_training.masks import FRAMES as MASK_FRAMES

# A key frame comes when the robot has moved or turned so far since the last one.
MOVED_M, TURNED_DEG = 0.4, 4.0
# Key frames whose corners are looked at, in each recording and in all; more cost time and tell
# little new. Corners are looked for in so many key frames on either side of each.
MOST_ANCHORS, REACH = 60, 2
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
        frames = [
            (i, now)
            for i, cache in enumerate(caches)
            for now in _key_frames(cache.world_from_body[:, 0])
        ]
        drive = cls(caches, tuple(frames))
        if len(drive) < LEAST_FRAMES or drive.length_m < LEAST_M:
            raise ExtrinsicsError(
                f'Found a robot that moved {drive.length_m:.1f} m in {len(caches)} recording(s), '
                f'expected {LEAST_M:.0f} m or more, {LEAST_FRAMES} frames {MOVED_M} m apart: a '
                'robot that stands does not tell how its cameras sit. Record while driving, with '
                'some turns.'
            )
        if not drive.judged:
            raise ExtrinsicsError(
                f'Found no three key frames {MOVED_M} m apart, one after the other, in any of '
                f'{len(caches)} recording(s), expected some to judge the rig by. Record longer '
                'drives.'
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

    @cached_property
    def anchors(self) -> list[int]:
        """Key frames whose corners are looked at; all have images, see `looked_at`."""
        recording = np.array([i for i, _ in self.frames])
        found: list[int] = []
        for which in range(len(self.caches)):
            own = np.flatnonzero(recording == which)
            found += own[spread(len(own), MOST_ANCHORS)].tolist()
        return [found[place] for place in spread(len(found), MOST_ANCHORS)]

    @property
    def judged(self) -> list[tuple[int, tuple[int, int, int]]]:
        """Recording and frames before, now and after, a key frame apart, to judge a rig on: around
        anchors, and such between which the robot did not only turn, where there are any."""
        inner = [k for k in self.anchors if self.together(k - 1, k) and self.together(k, k + 1)]
        position = self.world_from_body[:, 0, :3, 3]
        moved = [
            k for k in inner
            if np.linalg.norm(np.diff(position[k - 1 : k + 2], axis=0), axis=1).min() > MOVED_M / 2
        ]  # fmt: skip
        frames = self.frames
        return [
            (frames[k][0], (frames[k - 1][1], frames[k][1], frames[k + 1][1]))
            for k in moved or inner
        ]

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


def looked_at(world_from_body: Float[np.ndarray, 'f c 4 4'] | None) -> Int[np.ndarray, ' n']:
    """Frames of a recording whose images are looked at: a `Drive`'s anchors, the key frames beside
    them, and those that tell masks of the robot."""
    if world_from_body is None:
        return np.array([], int)
    keys = np.array(_key_frames(world_from_body[:, 0]))
    places = np.array(spread(len(keys), MOST_ANCHORS))[:, None] + np.arange(-REACH, REACH + 1)
    beside = keys[places[(places >= 0) & (places < len(keys))]]
    steps_m = np.linalg.norm(np.diff(world_from_body[:, 0, :3, 3], axis=0), axis=1)
    travelled_m = np.append(0.0, np.cumsum(steps_m))
    even = np.searchsorted(travelled_m, np.linspace(0, travelled_m[-1], MASK_FRAMES))
    return np.union1d(beside, even.clip(max=len(travelled_m) - 1))


def _key_frames(poses: Float[np.ndarray, 'f 4 4']) -> list[int]:
    chosen = [0]
    for now in range(1, len(poses)):
        last = poses[chosen[-1]]
        moved_m = np.linalg.norm(poses[now, :3, 3] - last[:3, 3])
        turned = np.linalg.norm(so3.log(last[:3, :3].T @ poses[now, :3, :3]))
        if moved_m >= MOVED_M or turned >= np.radians(TURNED_DEG):
            chosen.append(now)
    return chosen
