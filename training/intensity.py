# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Gain and offset of each camera's colours, so that neighbours agree where they overlap.

Cameras differ in exposure and white balance; what is compared across cameras is brought to one
brightness first. Means and spreads of the overlaps tell how (as VFDepth, Kim et al. 2022, does in
every step), here once for a recording and for all cameras together, so that nothing is left of
chance in a step, and plane sweeps profit as well.
"""

import logging
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.samples import RigSample, SampleSource, spread
from selfdepth_training.geometry import Alignments, Overlap, RigGeometry, common_depth_kind
from selfdepth_training.losses.surround import NOW, Views, surround_views
from selfdepth_training.sweep import depth_ladder, sweep
from selfdepth_training.warp import sample, source_grid

log = logging.getLogger(__name__)

FRAMES, LEVEL, RUNGS, NEAR_M = 8, 1, 40, 1.5
# Where nothing is known over time, overlaps are looked at as at this distance.
ASSUMED_M = 10.0
# Pairs that differ more than this after a first fit see different things (share of the pixels).
KEPT, ROUNDS = 0.7, 3
LEAST_PIXELS = 100
# Brighter than this, a pixel does not say how bright it would have been.
SATURATED = 0.97
# Darker than this, it is noise; the pixels of a dead camera all are.
DARK = 0.02


class _Seen(NamedTuple):
    """Colours of the same places in two cameras."""

    target: int
    source: int
    colours: Float[np.ndarray, 'n 2 3']


def alignments(source: SampleSource, rigs: list[Rig], config: TrainConfig) -> Alignments:
    """Gain and offset by camera and colour, for every recording: an image times gain plus offset
    is as its neighbours' are. Gains of a recording have the geometric mean 1, offsets the mean 0.
    None where the recipe takes the cameras for alike.
    """
    if not config.data.align_intensity:
        return [None] * len(rigs)
    size = config.data.width >> LEVEL, config.data.height >> LEVEL
    kind = common_depth_kind(rigs)
    found: Alignments = []
    for index, rig in enumerate(rigs):
        geometry = RigGeometry.of(rig, *size, kind, torch.device('cpu'))
        frames = [now for recording, now in source.entries if recording == index]
        samples = [source.middling(index, frames[at]) for at in spread(len(frames), FRAMES)]
        aligned = alignment(samples, geometry, config.loss.ssim)
        gains = zip(rig.names, aligned[..., 0].mean(1).tolist(), strict=True)
        told = ', '.join(f'{name} x{gain:.2f}' for name, gain in gains)
        found.append(aligned)
        log.info('brightness of %s: %s', source.caches[index].source, told)
    return found


@torch.no_grad()
def alignment(
    samples: list[RigSample], geometry: RigGeometry, ssim_weight: float
) -> Float[Tensor, 'c 3 2']:
    """Gain and offset of the cameras of one recording, from some of its samples."""
    seen: dict[tuple[int, int], list[Float[np.ndarray, 'n 2 3']]] = {}
    for each in samples:
        known = each.world_from_body is not None
        poses = SE3(each.world_from_body if known else each.at_rest)
        views = surround_views(each, poses, geometry, LEVEL)
        depth = _depth(views, geometry, ssim_weight, known)
        for overlap in geometry.overlaps:
            colours = _colours(views, geometry, overlap, depth[overlap.target])
            seen.setdefault((overlap.target, overlap.source), []).append(colours)
    pairs = [_Seen(*key, np.concatenate(parts)) for key, parts in seen.items()]
    pairs = [pair for pair in pairs if len(pair.colours) >= LEAST_PIXELS]
    count = len(geometry.cameras)
    gains = np.stack([_aligned(pairs, count, colour) for colour in range(3)], axis=1)
    return torch.from_numpy(gains).float()


def _depth(
    views: Views, geometry: RigGeometry, ssim_weight: float, known: bool
) -> Float[Tensor, 'c h w']:
    """Each camera's own depth: neighbours of another brightness must have no say. NaN: unknown."""
    if not known:
        return torch.full((len(geometry.cameras), *geometry.size), ASSUMED_M)
    ladder = depth_ladder(NEAR_M, 80.0, RUNGS, geometry.rays.device)
    found = sweep(views, geometry, ladder, ssim_weight, temporal=True, spatial=False)
    return torch.where(found.sure, found.depth, torch.nan)


def _colours(
    views: Views, geometry: RigGeometry, overlap: Overlap, depth: Float[Tensor, 'h w']
) -> Float[np.ndarray, 'n 2 3']:
    """Colours (0..1) of what both cameras see now."""
    target, source = overlap.target, overlap.source
    poses = views.world_from_camera
    moved = poses[NOW, source].inverse() @ poses[NOW, target]
    known = depth.isfinite()
    points = torch.where(known, depth, 1.0)[..., None] * geometry.rays[target]
    grid = source_grid(
        geometry.cameras[source], SE3(moved.matrix[None].to(points)), points,
        geometry.visible[source],
    )  # fmt: skip
    there = sample(views.images[NOW, source][None], grid.coordinates)[0]
    good = grid.valid[0] & known & geometry.visible[target]
    good &= bool(views.present[NOW, target] & views.present[NOW, source])
    pair = torch.stack([views.images[NOW, target], there])
    good &= ((pair > DARK) & (pair < SATURATED)).all(0).all(0)
    return pair[:, :, good].permute(2, 0, 1).numpy()


def _aligned(pairs: list[_Seen], count: int, colour: int) -> Float[np.ndarray, 'c 2']:
    """Gain and offset of each camera for one colour, by rounds of leaving out what disagrees."""
    gain, offset = np.ones(count), np.zeros(count)
    for _ in range(ROUNDS):
        moments = [_moments(pair, colour, gain, offset) for pair in pairs]
        rows = np.zeros((len(pairs), count))
        for row, pair in zip(rows, pairs, strict=True):
            row[pair.target], row[pair.source] = 1, -1
        # Weak ties to 1 and to the mean 0 hold cameras that overlap no other, and the whole.
        ties = np.concatenate([rows, 1e-3 * np.eye(count)])
        none = np.zeros(count)
        spreads = [np.log(m[1, 1] / m[0, 1]) for m in moments]
        gain = np.exp(np.linalg.lstsq(ties, np.r_[spreads, none], rcond=None)[0])
        apart = [
            gain[p.source] * m[1, 0] - gain[p.target] * m[0, 0]
            for p, m in zip(pairs, moments, strict=True)
        ]
        offset = np.linalg.lstsq(ties, np.r_[apart, none], rcond=None)[0]
    return np.stack([gain, offset], axis=1)


def _moments(
    pair: _Seen, colour: int, gain: Float[np.ndarray, ' c'], offset: Float[np.ndarray, ' c']
) -> Float[np.ndarray, '2 2']:
    """Mean and spread in the target and in the source, of the pixels that agree best so far."""
    values = pair.colours[:, :, colour]
    both = [pair.target, pair.source]
    apart = np.abs(np.diff(values * gain[both] + offset[both], axis=1)[:, 0])
    first = np.allclose(gain, 1) and np.allclose(offset, 0)
    if first:  # a difference in exposure is no disagreement yet
        apart = np.abs(np.diff(values / values.mean(0).clip(min=DARK), axis=1)[:, 0])
    kept = values[apart <= np.quantile(apart, KEPT)]
    return np.stack([kept.mean(0), kept.std(0) + 1e-3], axis=1)
