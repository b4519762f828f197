# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth labels from semi-global matching, fused from some settings and pairs of images.

Watson et al., "Self-supervised monocular depth hints", 2019: of all that is found for a pixel,
what reprojects best counts. A pair is a camera and itself before or after, or a neighbour that
sees the same. Images are matched at the training size; depths are told, and judged, at that of
labels.
"""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.samples import LABEL_LEVEL, RigSample, SampleSource, SureDepth
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.losses.combine import UNSEEN
from selfdepth_training.losses.fast_photometric import smoothed_photometric_error
from selfdepth_training.losses.surround import (
    NOW,
    Views,
    WarpedViews,
    match_brightness,
    surround_views,
)
from selfdepth_training.sgm.matching import Setting, drawn, fixed
from selfdepth_training.sgm.pair import GreyView, matched_distances
from selfdepth_training.sky import with_sky_as_asked
from selfdepth_training.source_grids import source_grids
from selfdepth_training.sweep import GOOD_FAR, Comparison, comparisons
from selfdepth_training.warp import sample


class SgmLabels:
    """Labels by recording and frame, computed when first asked for and kept in memory.

    Where it is not known how the robot moved, only neighbours at one moment are matched. A label
    depends on its frame alone, random settings too, so that a resumed training sees the same.
    """

    def __init__(self, source: SampleSource, geometries: list[RigGeometry], config: TrainConfig):
        self.source = source
        self.geometries = geometries
        self.config = config
        self._kept: dict[tuple[int, int], SureDepth] = {}

    def of(self, recording: int, now: int, device: torch.device) -> SureDepth:
        """See `Labels`."""
        key = recording, now
        if key not in self._kept:
            shown = self.source.middling(recording, now)
            settings = self._settings(recording, now)
            self._kept[key] = self._fused(shown, self.geometries[recording], settings, device)
        return self._kept[key]

    def _settings(self, recording: int, now: int) -> list[Setting]:
        config = self.config
        if config.data.matching == 'fixed':
            return fixed(config.data.width)
        return drawn(config.data.width, np.random.default_rng([config.seed, recording, now]))

    @torch.no_grad()
    def _fused(
        self,
        shown: RigSample,
        geometry: RigGeometry,
        settings: list[Setting],
        device: torch.device,
    ) -> SureDepth:
        """Of all that is found for a pixel what reprojects best."""
        poses = SE3(shown.at_rest if shown.world_from_body is None else shown.world_from_body)
        views = surround_views(shown.to(device), poses, geometry, LABEL_LEVEL)
        colours, visible = views.images[NOW], geometry.visible & views.present[NOW][:, None, None]
        # Brightness alone ranks them as colours do, in less time.
        views = views._replace(
            images=views.images.mean(2, keepdim=True), aligned=views.across.mean(2, keepdim=True)
        )
        grey = _GreyViews.of(shown, geometry)
        depth = torch.ones_like(geometry.rays[..., 0])
        error = torch.full_like(depth, UNSEEN)
        for camera, pairs in _pairs(shown, geometry).items():
            found = self._candidates(grey, views, geometry, pairs, settings)
            judged = _errors(views, geometry, pairs, found, self.config.loss.ssim)
            # As in the plane sweep: the last, which nothing matched, is an answer only where it
            # fits as the sky does. Matches beyond the farthest are told as it, and count as all
            # others: without them the abs_rel of nine street frames is .1079 instead of .1076.
            judged[-1] = torch.where(judged[-1] < GOOD_FAR, judged[-1], UNSEEN)
            least, which = judged.min(0)
            depth[camera] = torch.where(least < UNSEEN, found.gather(0, which[None])[0], 1.0)
            error[camera] = least
        matched = SureDepth(depth, (error < UNSEEN) & geometry.visible)
        return with_sky_as_asked(matched, colours, visible, geometry, self.config)

    def _candidates(
        self,
        grey: '_GreyViews',
        views: Views,
        geometry: RigGeometry,
        pairs: list[Comparison],
        settings: list[Setting],
    ) -> Float[Tensor, 'k h w']:
        """Depths of one camera by pair and setting up to the farthest, NaN where none was found.

        The last is the farthest everywhere: matching cannot tell the sky, which has no parallax.
        """
        rays = geometry.rays[pairs[0].camera]
        distances = [
            matched_distances(
                *grey.of_pair(pair),
                _source_from_target(views, pair), rays.double().cpu().numpy(), settings,
                self.config.data.left_right_px,
            )
            for pair in pairs
        ]  # fmt: skip
        found = torch.from_numpy(np.concatenate(distances)).to(rays) / rays.norm(dim=-1)
        farthest_m = self.config.network.max_depth_m
        return torch.cat([found.clamp(max=farthest_m), torch.full_like(found[:1], farthest_m)])


def _pairs(shown: RigSample, geometry: RigGeometry) -> dict[int, list[Comparison]]:
    """What can be matched, by camera: both images are there, and known is how they lie."""
    found: dict[int, list[Comparison]] = {}
    for pair in comparisons(geometry, temporal=shown.world_from_body is not None):
        if shown.present[NOW, pair.camera] and shown.present[pair.time, pair.source]:
            found.setdefault(pair.camera, []).append(pair)
    return found


class _GreyViews(NamedTuple):
    """Brightness of all images at full size, by time and camera."""

    own: list[list[GreyView]]
    across: list[list[GreyView]]
    """As cameras compare them with each other."""

    @classmethod
    def of(cls, shown: RigSample, geometry: RigGeometry) -> '_GreyViews':
        own = _grey_views(shown.images, geometry)
        if geometry.alignment is None:
            return cls(own, own)
        planes = shown.images.permute(0, 1, 4, 2, 3).to(geometry.rays) / 255
        bytes_ = (255 * geometry.aligned(planes)).round().clamp(0, 255).byte()
        return cls(own, _grey_views(bytes_.permute(0, 1, 3, 4, 2).cpu().contiguous(), geometry))

    def of_pair(self, pair: Comparison) -> tuple[GreyView, GreyView]:
        """Target and source."""
        views = self.own if pair.source == pair.camera else self.across
        return views[NOW][pair.camera], views[pair.time][pair.source]


def _grey_views(images: UInt8[Tensor, 't c h w 3'], geometry: RigGeometry) -> list[list[GreyView]]:
    height, width = images.shape[2:4]
    cameras = [camera.scaled(width, height) for camera in geometry.cameras]
    visible = geometry.visible.cpu().numpy()
    return [
        [
            GreyView(camera, cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), mask)
            for camera, image, mask in zip(cameras, moment, visible, strict=True)
        ]
        for moment in images.numpy()
    ]


def _source_from_target(views: Views, pair: Comparison) -> SE3:
    """NumPy, float64."""
    poses = views.world_from_camera
    found = poses[pair.time, pair.source].inverse() @ poses[NOW, pair.camera]
    return SE3(found.matrix.double().cpu().numpy())


def _errors(
    views: Views,
    geometry: RigGeometry,
    pairs: list[Comparison],
    depth: Float[Tensor, 'k h w'],
    ssim_weight: float,
) -> Float[Tensor, 'k h w']:
    """Mean photometric error of every depth against the sources that see it, else UNSEEN."""
    known = depth.isfinite()
    total, count = torch.zeros_like(depth), torch.zeros_like(depth)
    for pair in pairs:
        rays = geometry.planes_of_rays[pair.camera, None]
        pose = torch.from_numpy(_source_from_target(views, pair).matrix).to(rays)[None, None]
        grid = source_grids(geometry, [pair.source], pose, torch.where(known, depth, 1.0), rays)
        shown = views.images if pair.source == pair.camera else views.across
        image = shown[pair.time, pair.source].expand(len(depth), -1, -1, -1)
        target = shown[NOW, pair.camera].expand(len(depth), -1, -1, -1)
        warped = WarpedViews(sample(image, grid.coordinates), grid.valid & known)
        if pair.source != pair.camera:
            warped = warped._replace(images=match_brightness(warped, target))
        error = smoothed_photometric_error(target, warped.images, ssim_weight)
        total += torch.where(warped.valid, error, 0.0)
        count += warped.valid
    return torch.where(count > 0, total / count.clamp(min=1), UNSEEN)
