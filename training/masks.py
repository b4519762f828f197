# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Self-occlusion masks from the recording itself: what never changes while the robot drives.

Full Surround Monodepth needs such masks and draws them by hand; here they are measured. The
robot's own body keeps its brightness in every frame, while anything of the world, sky included,
changes over a drive.
"""

import logging
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.rig_difference import rig_differences
from selfdepth_training.data.cache import FrameCache

log = logging.getLogger(__name__)

# Frames looked at, spread over the drive.
FRAMES = 120
# Fewer frames than this, and a chance alignment could pass for the robot's body.
LEAST_FRAMES = 20
# A step of the odometry counts for at most so many usual ones, else frames spread by metres would
# all lie beside one leap of it, or beside a gap of the recording.
MOST_STEPS = 10
# Steps below this (metres) are noise of the odometry at a halt, and not what is usual.
LEAST_STEP_M = 0.001
# A pixel belongs to the body when its deviation over the drive stays below this share of what is
# usual in the image, its median deviation. Measured on streets with JPEG and sensor noise: 99 %
# of a body stays below .16, while an even road over a short drive goes down to .26.
STILL_SHARE = 0.2
# Where the body fills half of an image, the median is the body's own deviation: what is usual is
# at least this share of what the liveliest tenth exceeds. Of 60 street cameras .35 was the least.
USUAL_SHARE = 1 / 3
# A mask of more than this share of an image is worth a look.
MUCH = 0.6
# The body is one piece at the border of the image; smaller pieces are chance (share of the image).
LEAST_AREA = 0.002


def rigs_of(caches: list[FrameCache], measure: bool) -> list[Rig]:
    """The rigs of recordings, each with masks measured on it where `measure` (data.body_masks).

    A recording that is too short for that has those of another one of the same rig.
    """
    if not measure:
        return [cache.rig for cache in caches]
    rigs = [with_self_occlusion(cache.rig, cache) for cache in caches]
    return [_with_masks_of(rig, rigs) for rig in rigs]


def _with_masks_of(rig: Rig, others: list[Rig]) -> Rig:
    """The rig; cameras without a mask have that of the first other rig that agrees with it."""
    if all(entry.self_occlusion is not None for entry in rig.cameras):
        return rig
    same = [other for other in others if not rig_differences(rig, other)]
    cameras = []
    for entry in rig.cameras:
        found = (each[entry.name].self_occlusion for each in (rig, *same))
        mask = next((mask for mask in found if mask is not None), None)
        cameras.append(replace(entry, self_occlusion=mask))
    return replace(rig, cameras=tuple(cameras))


def with_self_occlusion(rig: Rig, cache: FrameCache) -> Rig:
    """Return `rig` with masks measured on `cache`, for cameras that have none yet."""
    cameras = []
    for index, entry in enumerate(rig.cameras):
        if entry.self_occlusion is None:
            frames = _spread_frames(cache, index)
            mask = still_mask(frames) if len(frames) >= LEAST_FRAMES else None
            if mask is None:
                log.warning(
                    '%s: found %d frames in motion, expected %d or more to measure a '
                    'self-occlusion mask; it has that of another recording of its rig, or none.',
                    entry.name, len(frames), LEAST_FRAMES,
                )  # fmt: skip
            else:
                log.info('%s: %.1f %% robot body', entry.name, 100 * mask.mean())
                if mask.mean() > MUCH:
                    log.warning(
                        '%s: %.0f %% of the image hardly change and are taken for the robot body; '
                        'where they are none, --set data.body_masks=false learns from them',
                        entry.name, 100 * mask.mean(),
                    )  # fmt: skip
            entry = replace(entry, self_occlusion=mask)
        cameras.append(entry)
    return replace(rig, cameras=tuple(cameras))


def still_mask(frames: UInt8[np.ndarray, 'n h w 3']) -> Bool[np.ndarray, 'h w']:
    """True where a camera sees the robot: unchanging pixels connected to the image border."""
    deviation = brightness_deviation(frames)
    usual = max(np.median(deviation), USUAL_SHARE * np.quantile(deviation, 0.9))
    still = deviation < STILL_SHARE * usual
    still = cv2.morphologyEx(still.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(still, connectivity=4)
    height, width = still.shape
    mask = np.zeros((height, width), np.uint8)
    for label in range(1, count):
        x, y, w, h, area = stats[label]
        lower = y + h > height // 2
        at_border = y + h == height or (lower and (x == 0 or x + w == width))
        if at_border and area >= LEAST_AREA * height * width:
            mask |= labels == label
    # One pixel more: where body and world mix in a pixel, neither's depth is right.
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    return cv2.dilate(closed, np.ones((3, 3), np.uint8)).astype(bool)


def brightness_deviation(frames: UInt8[np.ndarray, 'n h w 3']) -> Float[np.ndarray, 'h w']:
    """How much each pixel's brightness changes over the frames (standard deviation, of 255)."""
    total = np.zeros(frames.shape[1:3], np.float64)
    square = np.zeros_like(total)
    for frame in frames:
        grey = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (3, 3), 0).astype(float)
        total += grey
        square += grey * grey
    count = len(frames)
    return np.sqrt(np.maximum(square / count - (total / count) ** 2, 0)).astype(np.float32)


def _spread_frames(cache: FrameCache, camera: int) -> UInt8[np.ndarray, 'n h w 3']:
    """Frames of one camera spread evenly over the drive, so that a halt counts as one frame."""
    usable = np.nonzero(cache.present[:, camera])[0]
    if len(usable):
        travelled = np.cumsum(_steps(cache, camera, usable))
        marks = np.linspace(0, travelled[-1], FRAMES)
        usable = np.unique(usable[np.searchsorted(travelled, marks).clip(0, len(usable) - 1)])
    frames = np.empty((len(usable), *cache.images.shape[2:]), np.uint8)
    for row, frame in enumerate(usable):
        frames[row] = cache.images[frame, camera]
    return frames


def _steps(
    cache: FrameCache, camera: int, usable: Int[np.ndarray, ' n']
) -> Float[np.ndarray, ' n']:
    """How far the robot went before each frame: metres, or without odometry the image's change.

    Averages of 8x8 pixels hardly change from noise alone, and much from driving.
    """
    if cache.world_from_body is not None:
        position = cache.world_from_body[usable, camera, :3, 3]
        steps = np.linalg.norm(np.diff(position, axis=0, prepend=position[:1]), axis=1)
        driven = steps[steps > LEAST_STEP_M]
        return np.minimum(steps, MOST_STEPS * np.median(driven)) if len(driven) else steps
    height, width = (max(1, side // 8) for side in cache.images.shape[2:4])
    small = [
        cv2.resize(cache.images[frame, camera], (width, height), interpolation=cv2.INTER_AREA)
        for frame in usable
    ]
    changes = [cv2.absdiff(before, after).mean() for before, after in pairwise(small)]
    return np.array([0.0, *changes])
