# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a step sees: three surround frames, chosen by distance moved, or single images.

It depends on (seed, step) alone, so that a resumed training goes on with the very samples
it would have had, and no loader state needs saving.
"""

from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from tqdm import tqdm

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.parallax import (
    MeasuredMotion,
    Motion,
    ParallaxLimits,
    Triplets,
    triplets,
    why_none,
)
from selfdepth_training.config import DataConfig
from selfdepth_training.data.cache import FrameCache
from selfdepth_training.data.stillness import ImageMotion


class DataError(SelfdepthError):
    """A recording from which nothing can be learned."""


LABEL_LEVEL = 1
"""Pyramid level of labels, hints among them: half of the training size, as the network's depth.
At a quarter, outlines are twice as far off."""


class SureDepth(NamedTuple):
    """Depth in metres at `LABEL_LEVEL`, and where it can be believed."""

    depth: Float[Tensor, 'c h w']
    sure: Bool[Tensor, 'c h w']


@dataclass(frozen=True)
class RigSample:
    """Surround frames of one recording: before, now, after, and at times more."""

    source: int
    """Index of the recording."""
    frames: tuple[int, ...]
    images: UInt8[Tensor, 't c h w 3']
    present: Bool[Tensor, 't c']
    stamps_s: Float[Tensor, 't c']
    """Seconds since the middle frame's first stamp, float64."""
    world_from_body: Float[Tensor, 't c 4 4'] | None
    """Body pose at each camera's own stamp, float64; None without odometry."""
    hint: SureDepth | None = None
    """Depth that a plane sweep found for the middle frame."""

    @property
    def at_rest(self) -> Float[Tensor, 't c 4 4']:
        """What `world_from_body` is if the robot does not move."""
        return torch.eye(4, dtype=torch.float64).expand(*self.stamps_s.shape, 4, 4)

    def to(self, device: torch.device) -> 'RigSample':
        """Return this sample with its images on `device`; poses stay where the algebra is."""
        return replace(self, images=self.images.to(device), present=self.present.to(device))


class View(NamedTuple):
    """One image: recording, frame and camera, by their indices."""

    source: int
    frame: int
    camera: int


class ViewBatch:
    """Single images with their hints, mostly of as many moments, for steps on hints alone.

    Six cameras of one moment share their street and its light; six images of six moments teach
    more. Neither a sequence nor a dataclass, as `SampleBatch`.
    """

    def __init__(
        self, views: list[View], images: UInt8[Tensor, 'n h w 3'], hint: SureDepth
    ) -> None:
        self.views = views
        self.images = images
        self.hint = hint

    def describe(self) -> str:
        """Say which images these are."""
        return f'(recording, frame, camera) {[tuple(view) for view in self.views]}'


class SampleBatch:
    """The samples of one step and process.

    Neither a sequence nor a dataclass, so that Fabric passes it on as it is: it would cast the
    float64 poses to the network's precision.
    """

    def __init__(self, samples: list[RigSample]) -> None:
        self.samples = samples

    def describe(self) -> str:
        """Say which frames these are."""
        return f'(recording, frames) {[(each.source, each.frames) for each in self.samples]}'


class SampleSource:
    """Draws samples from frame caches; recordings with more usable frames are drawn more often.

    With `alone` every frame is usable, with itself before and after: for recipes that look
    at no other times (`effect.compares_times`). Raises DataError where no frame is.
    """

    def __init__(self, caches: list[FrameCache], config: DataConfig, alone: bool = False) -> None:
        self.caches = caches
        self.config = config
        self.triplets = [_alone(c) if alone else _triplets(c, config) for c in caches]
        learned, self.held_out = _parted(self.triplets, caches, config.held_out)
        """Recordings and frames to learn from, and of what is kept back to be judged on."""
        self.entries = [learned[place] for place in spread(len(learned), config.frames)]
        """Recording and frame of everything that is learned from."""
        self._views = [
            View(source, now, camera)
            for source, now in self.entries
            for camera in np.flatnonzero(caches[source].present[now]).tolist()
        ]
        self.cameras = max(cache.images.shape[1] for cache in caches)
        """Of the largest rig."""
        if len(self.entries) == 0:
            raise _nothing_usable(caches, config)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def learn_motion(self) -> bool:
        """Whether a network says how the robot moved."""
        return self.config.learns_motion(c.world_from_body is not None for c in self.caches)

    def around(self, source: int, now: int, reach: int) -> list[int]:
        """Frames of the same recording within `reach` places of `now`, of those learned from."""
        place = bisect_left(self.entries, (source, now))
        near = self.entries[max(0, place - reach) : place + reach + 1]
        return [frame for recording, frame in near if recording == source and frame != now]

    def beside(self, source: int, now: int) -> list[int]:
        """Neighbours in time of `now` that have some themselves, those first that are farthest
        before and after; the cameras moved between them, and none is held out."""
        found = self.triplets[source]
        before, after = found[now]
        sides = zip_longest(after.tolist()[::-1], before.tolist())
        return [frame for pair in sides for frame in pair if frame in found]

    def drawn(self, seed: int, step: int) -> tuple[int, int]:
        """Recording and frame of the sample of a step."""
        return self.entries[_shuffled(seed, 1, len(self), step)]

    def draw(self, seed: int, step: int) -> RigSample:
        """Return the sample of a step: an epoch is a permutation, neighbours are drawn anew."""
        source, now = self.drawn(seed, step)
        rng = np.random.default_rng([seed, 2, step])
        before, after = (int(rng.choice(c)) for c in self.triplets[source][now])
        return self.load(source, (before, now, after))

    def draw_views(self, seed: int, step: int, rigs: int) -> list[View]:
        """Return as many images as `rigs` have cameras; an epoch shows every image once."""
        count = rigs * self.cameras
        turns = range(step * count, (step + 1) * count)
        return [self._views[_shuffled(seed, 3, len(self._views), turn)] for turn in turns]

    def middling(self, source: int, now: int) -> RigSample:
        """Return the frame with the neighbours in time that are neither nearest nor farthest."""
        before, after = (int(sorted(c)[len(c) // 2]) for c in self.triplets[source][now])
        return self.load(source, (before, now, after))

    def load(self, source: int, frames: tuple[int, ...]) -> RigSample:
        """Return these frames of a recording; the second one is the middle one."""
        return sample_of(self.caches[source], source, frames)


def sample_of(cache: FrameCache, source: int, frames: tuple[int, ...]) -> RigSample:
    """Return these frames of a recording, the `source`-th; the second one is the middle one."""
    index = list(frames)
    stamps = cache.stamps_ns[index]
    poses = cache.world_from_body
    return RigSample(
        source,
        frames,
        torch.from_numpy(np.stack([cache.images[i] for i in index])),
        torch.from_numpy(cache.present[index]),
        torch.from_numpy((stamps - stamps[1, 0]) * 1e-9),
        None if poses is None else torch.from_numpy(poses[index]),
    )


def spread(count: int, most: int) -> list[int]:
    """Places of at most `most` of `count` things, from the first to the last, evenly apart."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()


def _shuffled(seed: int, stream: int, count: int, turn: int) -> int:
    """Which of `count` things has its turn: each epoch is a permutation of its own."""
    epoch, position = divmod(turn, count)
    return int(_permutation(seed, stream, count, epoch)[position])


@lru_cache(maxsize=8)
def _permutation(seed: int, stream: int, count: int, epoch: int) -> Int[np.ndarray, ' n']:
    return np.random.default_rng([seed, stream, epoch]).permutation(count)


def _triplets(cache: FrameCache, config: DataConfig) -> Triplets:
    """For each usable frame, the frames before and after it that show parallax.

    Of frames that are learned from, none of these is held out.
    """
    first = _first_held_out(cache, config.held_out)
    present, stamps_ns = cache.present, cache.stamps_ns.min(1)
    shown, judged = present.any(1), np.arange(len(cache)) >= first
    motion = _motion(cache, config)
    watched = iter
    if isinstance(motion, ImageMotion):  # hundredths of a second for each pair
        watched = partial(tqdm, desc=f'neighbours {cache.source.name}', unit='frame')
    how = motion, _limits(config), watched
    learned = triplets(shown[:first], present[:first], stamps_ns[:first], *how)
    return learned | triplets(shown & judged, present, stamps_ns, *how)


def _alone(cache: FrameCache) -> Triplets:
    """Each frame that some camera saw, with itself instead of a frame before and after."""
    return {now: (np.array([now]),) * 2 for now in np.flatnonzero(cache.present.any(1)).tolist()}


def _nothing_usable(caches: list[FrameCache], config: DataConfig) -> DataError:
    """Say what was looked for, and why the first recording with poses has none of it."""
    found = f'Found no frame in {len(caches)} recording(s) with a neighbour on both sides '
    for cache in caches:
        if cache.world_from_body is not None:
            lack = why_none(cache.stamps_ns.min(1), _position(cache), _limits(config))
            return DataError(
                f'{found}{config.min_motion_m:g} to {config.max_motion_m:g} m away, within '
                f'{config.max_seconds:g} s, expected a robot that moves. In {cache.source} {lack}.'
            )
    return DataError(
        f'{found}in which corners have moved, within {config.max_seconds:g} s, expected a robot '
        'that moves. Record while driving; for a slow drive raise data.max_seconds.'
    )


def _limits(config: DataConfig) -> ParallaxLimits:
    return ParallaxLimits(
        config.min_motion_m, config.max_motion_m, config.max_offset, config.max_seconds
    )


def _first_held_out(cache: FrameCache, share: float) -> int:
    """Where the last `share` of a recording begins: of all frames, whether usable or not, so that
    no other setting moves it."""
    return round((1 - share) * len(cache))


def _parted(
    found: list[dict[int, Any]], caches: list[FrameCache], share: float
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Frames to learn from, and those of the last `share` of each recording, as (recording,
    frame)."""
    learned, held_out = [], []
    for source, cache in enumerate(caches):
        first = _first_held_out(cache, share)
        for now in found[source]:
            (learned if now < first else held_out).append((source, now))
    return learned, held_out


def _motion(cache: FrameCache, config: DataConfig) -> Motion:
    """How the robot moved between frames, by its poses or by its images."""
    if cache.world_from_body is not None:
        return MeasuredMotion(_position(cache), config.min_motion_m, config.max_motion_m)
    return ImageMotion(cache)


def _position(cache: FrameCache) -> Float[np.ndarray, 'f 3']:
    """Mean over the cameras' stamps of the body's positions."""
    found: np.ndarray = cache.world_from_body[:, :, :3, 3].mean(1)
    return found


def jitter(
    images: Float[Tensor, 'n 3 h w'], strength: float, rng: np.random.Generator
) -> Float[Tensor, 'n 3 h w']:
    """Random brightness, contrast, gamma and colour balance, one draw for each image."""
    if strength == 0:
        return images
    count = len(images)

    def draw(channels: int, spread: float) -> Tensor:
        values = rng.uniform(-spread, spread, (count, channels, 1, 1)).astype(np.float32)
        return torch.from_numpy(values).to(images.device)

    gain = torch.exp(draw(1, strength) + draw(3, strength / 4))
    mean = images.mean((1, 2, 3), keepdim=True)
    contrasted = mean + (images - mean) * torch.exp(draw(1, strength))
    return (contrasted * gain + draw(1, strength / 4)).clamp(0, 1)
