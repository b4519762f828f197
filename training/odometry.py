# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How a rig without odometry moved, in metres, from its images alone.

Corners are tracked from frame to frame in every camera. Where two cameras overlap, a plane sweep
gives some of them a depth in metres (the extrinsics are known), and those fix the length of the
motion; all the others fix its direction and its rotation by the epipolar constraint. One motion
serves the whole rig, a generalised camera (Pless, "Using many cameras as one", CVPR 2003).
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from tqdm import tqdm

from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.files import appearing
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.cache import FrameCache
from selfdepth_training.data.folder import as_cache_error, kept
from selfdepth_training.data.samples import RigSample
from selfdepth_training.geometry import RigGeometry, depth_kind
from selfdepth_training.hints import LEVEL, swept_depth
from selfdepth_training.sweep import SureDepth

log = logging.getLogger(__name__)

FILE_NAME = 'visual_odometry_2.npy'
"""In the cache's folder; the number is raised whenever what is estimated changes."""
CORNERS, CORNER_QUALITY, CORNER_SPACING_PX = 250, 0.005, 5
TRACK_WINDOW_PX, TRACK_LEVELS = 15, 4
# A corner must come back to where it started, tracked there and back again.
RETURN_PX = 0.7
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


class OdometryError(SelfdepthError):
    """Images that do not tell how the robot moved."""


class Tracks(NamedTuple):
    """Corners of one camera in two consecutive frames."""

    camera: int
    first: Float[np.ndarray, 'n 2']
    second: Float[np.ndarray, 'n 2']
    depth: Float[np.ndarray, ' n']
    """Metres in the first frame, of the rig's depth kind; NaN where the sweep was not sure."""


def with_visual_odometry(
    cache: FrameCache, rig: Rig, config: TrainConfig, progress: bool = True
) -> FrameCache:
    """Return `cache` with the body's poses at every image's stamp, estimated from its images.

    They are kept in the cache's folder. `rig` has the size of the cache's images and the
    self-occlusion masks. The world is the body at the first frame. Raises OdometryError when too
    little can be tracked.
    """

    def estimate(path: Path) -> None:
        poses = _estimate(cache, rig, config, progress)
        with as_cache_error(path.parent), appearing(path) as file:
            np.save(file, poses)

    def read(path: Path) -> Float[np.ndarray, 'f c 4 4']:
        poses: np.ndarray = np.load(path)
        if poses.shape != (*cache.stamps_ns.shape, 4, 4):
            raise ValueError(f'poses of shape {poses.shape}')
        return poses

    return replace(cache, world_from_body=kept(cache.folder / FILE_NAME, read, estimate))


def _estimate(
    cache: FrameCache, rig: Rig, config: TrainConfig, progress: bool
) -> Float[np.ndarray, 'f c 4 4']:
    kind = depth_kind(rig)
    geometry = RigGeometry.of(
        rig, config.data.width >> LEVEL, config.data.height >> LEVEL, kind, torch.device('cpu')
    )
    means = cache.stamps_ns.mean(1) * 1e-9
    offsets = cache.stamps_ns * 1e-9 - means[:, None]
    twists = np.zeros((len(cache) - 1, 6))
    rate, lost = np.zeros(6), []
    bar = tqdm(range(len(cache) - 1), f'odometry {cache.source.name}', disable=not progress)
    for now in bar:
        swept = _overlap_depth(cache, now, rate, offsets[now], geometry, config)
        tracks = _tracks(cache, now, rig, swept)
        span = means[now + 1] - means[now]
        try:
            twists[now] = estimate_motion(tracks, rig, kind, rate * span)
        except OdometryError as error:
            lost.append(str(error))
            twists[now] = rate * span
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
            f'from the overlaps, expected {LEAST_TRACKS} and {LEAST_METRIC_TRACKS}. Record /odom, '
            'or leave out the part of the recording that is dark or plain.'
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


def _overlap_depth(
    cache: FrameCache, now: int, rate: np.ndarray, offsets_s: np.ndarray, geometry: RigGeometry,
    config: TrainConfig,
) -> SureDepth:  # fmt: skip
    """Metric depth where cameras overlap; `rate` moves the robot between their stamps."""
    # The sweep looks at the middle frame alone, so that this one may stand for its neighbours.
    images, present, poses = (
        torch.from_numpy(np.array(array)).expand(3, *array.shape)
        for array in (
            cache.images[now], cache.present[now], SE3.exp(rate * offsets_s[:, None]).matrix
        )
    )  # fmt: skip
    stamps = torch.zeros(present.shape, dtype=torch.float64)
    sample = RigSample(0, (now,) * 3, images, present, stamps, poses)
    return swept_depth(sample, SE3(poses), geometry, config, temporal=False)


def _tracks(cache: FrameCache, now: int, rig: Rig, swept: SureDepth) -> list[Tracks]:
    found = []
    for index in np.flatnonzero(cache.present[now] & cache.present[now + 1]):
        mask = rig.cameras[index].self_occlusion
        pictures = [
            cv2.cvtColor(cache.images[f][index], cv2.COLOR_RGB2GRAY) for f in (now, now + 1)
        ]
        first, second = _followed(*pictures, mask)
        if len(first):
            rows, columns = (first[:, ::-1] / (1 << LEVEL)).astype(int).T
            depth = swept.depth[index].numpy()[rows, columns].astype(float)
            sure = swept.sure[index].numpy()[rows, columns]
            found.append(Tracks(int(index), first, second, np.where(sure, depth, np.nan)))
    return found


def _followed(
    first: np.ndarray, second: np.ndarray, own_body: Bool[np.ndarray, 'h w'] | None
) -> tuple[Float[np.ndarray, 'n 2'], Float[np.ndarray, 'n 2']]:
    """Corners of the first grey image and where they are in the second, there and back again."""
    usable = None if own_body is None else np.where(own_body, 0, 255).astype(np.uint8)
    corners = cv2.goodFeaturesToTrack(
        first, CORNERS, CORNER_QUALITY, CORNER_SPACING_PX, mask=usable
    )
    if corners is None:
        return np.zeros((0, 2)), np.zeros((0, 2))
    how = {'winSize': (TRACK_WINDOW_PX,) * 2, 'maxLevel': TRACK_LEVELS}
    there, ok, _ = cv2.calcOpticalFlowPyrLK(first, second, corners, None, **how)
    back, again, _ = cv2.calcOpticalFlowPyrLK(second, first, there, None, **how)
    height, width = first.shape
    corners, there, back = (p.reshape(-1, 2).astype(float) for p in (corners, there, back))
    good = (ok.ravel() > 0) & (again.ravel() > 0)
    good &= np.linalg.norm(back - corners, axis=1) < RETURN_PX
    good &= (there >= 0).all(1) & (there[:, 0] <= width - 1) & (there[:, 1] <= height - 1)
    if own_body is not None:
        rows, columns = there[:, ::-1].round().clip(0, [height - 1, width - 1]).astype(int).T
        good &= ~own_body[rows, columns]
    return corners[good], there[good]


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
