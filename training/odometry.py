# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How a rig without odometry moved, from its images alone.

Corners are tracked from frame to frame in every camera. Some have a depth, and those fix the
length of the motion; all the others fix its direction and its rotation by the epipolar constraint.
One motion serves the whole rig, a generalised camera (Pless, "Using many cameras as one", CVPR
2003). Where two cameras overlap, a plane sweep gives depths in metres, for the extrinsics are
known; without any overlap they come from the motion so far, in a unit of their own.
"""

import hashlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.files import appearing
from selfdepth_ros.core.masks import encode_mask
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import TrainConfig
from selfdepth_training.corners import OdometryError, Tracks
from selfdepth_training.data.cache import FrameCache
from selfdepth_training.data.folder import as_cache_error, kept
from selfdepth_training.geometry import depth_kind
from selfdepth_training.landmarks import Landmarks
from selfdepth_training.overlap_depths import OverlapDepths

log = logging.getLogger(__name__)

FORMAT = 3
"""Raised whenever what is estimated changes."""
# Residuals are trusted to this; a swept depth is wrong by this share of the flow it explains.
SIGMA_PX, SIGMA_DEPTH = 0.5, 0.1
# Robust scales tried one after the other, in sigmas: wide first, so that a start from standstill
# reaches a fast drive. Where nothing moves every epipolar residual vanishes, so that these wait
# until the corners with a depth have made a start.
SCALES_METRIC, SCALES_ALL = (60.0, 20.0, 8.0), (8.0, 4.0, 2.0, 2.0, 2.0)
LEAST_TRACKS, LEAST_METRIC_TRACKS = 40, 10
# Share of the frames that may move on at the speed before them, because they tell too little.
MOST_LOST = 0.2
# Of the twist, for its derivative.
STEP = 1e-5


class CornerDepths(Protocol):
    """Corners followed through a recording, some of them with a depth."""

    first_frame: int
    """Before it the robot stands still."""
    first_rate: Float[np.ndarray, '6']
    """Twist of the body by second at that frame, as far as it is known."""

    def tracks(self, now: int, rate: Float[np.ndarray, '6']) -> list[Tracks]:
        """Corners of frame `now` in the next one; the body moves at about `rate`."""

    def moved(self, now: int, twist: Float[np.ndarray, '6']) -> None:
        """Hear how the body moved from frame `now` to the next one."""


def with_visual_odometry(
    cache: FrameCache, rig: Rig, config: TrainConfig, progress: bool = True
) -> FrameCache:
    """Return `cache` with the body's poses at every image's stamp, estimated from its images.

    They are kept in the cache's folder, by all that they depend on (`file_name`). `rig` has the
    size of the cache's images and the self-occlusion masks. The world is the body at the first
    frame; a single frame stands there. Raises OdometryError when too little can be tracked.
    """

    def estimate(path: Path) -> None:
        poses = _estimate(cache, rig, config, progress)
        with as_cache_error(path.parent), appearing(path) as file:
            np.savez(file, world_from_body=poses)  # a zip: damage does not go unseen

    def read(path: Path) -> Float[np.ndarray, 'f c 4 4']:
        with np.load(path) as stored:
            poses: np.ndarray = stored['world_from_body']
        if poses.shape != (*cache.stamps_ns.shape, 4, 4):
            raise ValueError(f'poses of shape {poses.shape}')
        return poses

    path = cache.folder / file_name(rig, config)
    return replace(cache, world_from_body=kept(path, read, estimate))


def file_name(rig: Rig, config: TrainConfig) -> str:
    """What the poses are called, by what they depend on beside the cache's images and rig.

    Corners are looked for outside of the masks only; of the settings, a plane sweep of the
    overlaps asks for some (`hints.swept_depth`), and nothing where there are none.
    """
    digest = hashlib.sha256()
    if rig.overlap_pairs():
        digest.update(repr((config.loss.ssim, config.network.max_depth_m)).encode())
    for entry in rig.cameras:
        mask = entry.self_occlusion
        # No mask and an empty one are the same.
        told = '' if mask is None or not mask.any() else encode_mask(mask)
        digest.update(f'{entry.name}:{told};'.encode())
    return f'visual_odometry_{FORMAT}_{digest.hexdigest()[:8]}.npz'


def _estimate(
    cache: FrameCache, rig: Rig, config: TrainConfig, progress: bool
) -> Float[np.ndarray, 'f c 4 4']:
    if len(cache) == 1:  # as the leftover of a recording that was split: no motion to estimate
        return np.tile(np.eye(4), (*cache.stamps_ns.shape, 1, 1))
    kind = depth_kind(rig)
    depths: CornerDepths
    if rig.overlap_pairs():
        depths = OverlapDepths(cache, rig, config)
    else:
        depths = Landmarks(cache, rig, progress)
    means = cache.stamps_ns.mean(1) * 1e-9
    offsets = cache.stamps_ns * 1e-9 - means[:, None]
    twists = np.zeros((len(cache) - 1, 6))
    rate, lost = depths.first_rate, []
    frames = range(depths.first_frame, len(cache) - 1)
    for now in tqdm(frames, f'odometry {cache.source.name}', disable=not progress):
        span = means[now + 1] - means[now]
        try:
            twists[now] = estimate_motion(depths.tracks(now, rate), rig, kind, rate * span)
        except OdometryError as error:
            lost.append(str(error))
            twists[now] = rate * span
        depths.moved(now, twists[now])
        rate = twists[now] / span
    if len(lost) > MOST_LOST * len(twists):
        raise OdometryError(f'{len(lost)} of {len(twists)} frames of {cache.source}: {lost[0]}')
    if lost:
        log.warning('%d of %d frames of %s move on at the speed before them. %s',
                    len(lost), len(twists), cache.source, lost[0])  # fmt: skip
    return _poses(twists, means, offsets)


def estimate_motion(
    tracks: list[Tracks], rig: Rig, kind: str, guess: Float[np.ndarray, '6']
) -> Float[np.ndarray, '6']:
    """Twist (metres, radians) of the body from the first frame to the second.

    Robust Gauss-Newton on reprojection (corners with a depth) and epipolar (the others) residuals.
    """
    metric = sum(int(np.isfinite(t.depth).sum()) for t in tracks)
    total = sum(len(t.depth) for t in tracks)
    if total < LEAST_TRACKS or metric < LEAST_METRIC_TRACKS:
        raise OdometryError(
            f'Found {total} corners tracked between two frames, {metric} of them with a depth '
            f'(from overlaps, or from the motion before), expected {LEAST_TRACKS} and '
            f'{LEAST_METRIC_TRACKS}. Record /odom, or leave out the part of the recording that is '
            'dark or plain.'
        )
    lenses = [_Lens.of(t, rig, kind) for t in tracks]
    twist = guess.copy()
    for scale in SCALES_METRIC:
        twist = _improved(twist, lenses, scale, epipolar=False)
    for scale in SCALES_ALL:
        twist = _improved(twist, lenses, scale, epipolar=True)
    return twist


def _improved(
    twist: Float[np.ndarray, '6'], lenses: list['_Lens'], scale: float, epipolar: bool
) -> Float[np.ndarray, '6']:
    """One step of Gauss-Newton, weighted by Geman and McClure's robust function."""
    base, sigma = _residuals(twist, lenses, epipolar)
    slopes = [(_residuals(twist + e, lenses, epipolar)[0] - base) / STEP for e in STEP * np.eye(6)]
    weighted = np.stack(slopes) / (sigma**2 * (1 + (base / (scale * sigma)) ** 2) ** 2)
    normal = weighted @ np.stack(slopes).T + 1e-6 * np.eye(6)
    return twist - np.linalg.solve(normal, weighted @ base)


class _Lens(NamedTuple):
    """One camera's tracks as rays in metres, ready for residuals."""

    body_from_camera: SE3
    camera: Camera
    points: Float[np.ndarray, 'm 3']
    seen: Float[np.ndarray, 'm 2']
    flow: Float[np.ndarray, ' m']
    first_rays: Float[np.ndarray, 'n 3']
    second_rays: Float[np.ndarray, 'n 3']

    @classmethod
    def of(cls, tracks: Tracks, rig: Rig, kind: str) -> '_Lens':
        entry = rig.cameras[tracks.camera]
        first, valid = entry.camera.rays(tracks.first)
        second, also = entry.camera.rays(tracks.second)
        metric = np.isfinite(tracks.depth) & valid & also
        metres = first / np.maximum(first[:, 2:], 1e-6) if kind == 'z_depth' else first
        plain = valid & also & ~metric
        return cls(
            entry.body_from_camera,
            entry.camera,
            metres[metric] * tracks.depth[metric, None],
            tracks.second[metric],
            np.linalg.norm(tracks.second - tracks.first, axis=1)[metric],
            first[plain],
            second[plain],
        )


def _residuals(
    twist: Float[np.ndarray, '6'], lenses: list[_Lens], epipolar: bool
) -> tuple[Float[np.ndarray, ' r'], Float[np.ndarray, ' r']]:
    """Residuals in pixels and what they may be, the same number for every twist."""
    found, expected = [], []
    moved = SE3.exp(twist)
    for lens in lenses:
        second_from_first = (
            lens.body_from_camera.inverse() @ moved.inverse() @ lens.body_from_camera
        )
        pixels, valid = lens.camera.project(second_from_first.apply(lens.points))
        off = np.where(valid[:, None], pixels - lens.seen, 100.0)
        sigma = np.hypot(SIGMA_PX, SIGMA_DEPTH * lens.flow)
        found += [off[:, 0], off[:, 1]]
        expected += [sigma, sigma]
        if not epipolar:
            continue
        normal = np.cross(second_from_first.translation, second_from_first.rotate(lens.first_rays))
        length = np.sqrt((normal**2).sum(1) + 1e-6)
        found.append(lens.camera.focal * (lens.second_rays * normal).sum(1) / length)
        expected.append(np.full(len(length), SIGMA_PX))
    return np.concatenate(found), np.concatenate(expected)


def _poses(
    twists: Float[np.ndarray, 'p 6'],
    means_s: Float[np.ndarray, ' f'],
    offsets_s: Float[np.ndarray, 'f c'],
) -> Float[np.ndarray, 'f c 4 4']:
    """Body poses at each camera's stamp, moving at constant twist around each frame's mean."""
    rates = twists / np.diff(means_s)[:, None]
    around = np.concatenate([rates[:1], (rates[1:] + rates[:-1]) / 2, rates[-1:]])
    pose, frames = SE3.identity(), []
    for index, rate in enumerate(around):
        frames.append((pose @ SE3.exp(rate * offsets_s[index][:, None])).matrix)
        if index < len(twists):
            pose = pose @ SE3.exp(twists[index])
    return np.stack(frames)
