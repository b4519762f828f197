# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From surround frames, or single images with hints, to one loss, by a schedule of its terms."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.samples import (
    RigSample,
    SampleBatch,
    SureDepth,
    ViewBatch,
    jitter,
)
from selfdepth_training.geometry import RigGeometry, common_depth_kind
from selfdepth_training.losses import edge_aware_smoothness
from selfdepth_training.losses.photometric import masked_mean
from selfdepth_training.losses.surround import (
    AFTER,
    BEFORE,
    NOW,
    SurroundReprojection,
    reprojection_loss,
    surround_views,
    to_float,
)
from selfdepth_training.networks import DepthNetwork, EgoMotionNetwork

# Image pyramid: full, half, quarter and eighth size.
LEVELS = 4


class Losses(NamedTuple):
    """The loss of a step, and its terms for the log (detached)."""

    total: Tensor
    terms: dict[str, Tensor]


class SurroundLearner(nn.Module):
    """Full Surround Monodepth as one module: samples in, loss out.

    One recording may have another rig than the next; `rigs[i]` belongs to `sample.source == i`,
    and has its self-occlusion masks. With `learn_motion`, recordings without odometry are learned
    from too: a second network then says how the robot moved.
    """

    def __init__(self, config: TrainConfig, rigs: list[Rig], learn_motion: bool) -> None:
        super().__init__()
        self.config = config
        self.rigs = rigs
        self.depth_kind = common_depth_kind(rigs)
        width, height = config.data.width, config.data.height
        focals = [entry.camera.focal for entry in rigs[0].scaled(width, height).cameras]
        self.depth = DepthNetwork(config.network, float(np.mean(focals)))
        self.ego_motion = EgoMotionNetwork(config.network.pose_width) if learn_motion else None
        self._geometry: dict[tuple[int, int, torch.device], SurroundReprojection] = {}

    @property
    def depth_bounds_m(self) -> tuple[float, float]:
        """Nearest and farthest depth that the network can say for any camera of its rigs."""
        data, (nearest_m, farthest_m) = self.config.data, self.depth.head.bounds_m
        scaled = [rig.scaled(data.width, data.height) for rig in self.rigs]
        focals = [entry.camera.focal for rig in scaled for entry in rig.cameras]
        reference = float(self.depth.reference_focal)
        return (
            nearest_m * min(focals) / reference,
            farthest_m * max(focals) / reference,
        )

    def forward(self, batch: SampleBatch | ViewBatch, progress: float, seed: list[int]) -> Losses:
        """Loss of some samples, or of single images, at `progress` (0..1) of the training.

        `seed` drives the augmentation, and which neighbour in time the spatial terms take.
        """
        rng = np.random.default_rng(seed)
        if isinstance(batch, ViewBatch):
            terms = self._view_losses(batch, progress, rng)
        else:
            terms = self._surround_losses(batch.samples, progress, rng)
        return Losses(
            torch.stack(list(terms.values())).sum(),
            {name: value.detach() for name, value in terms.items()},
        )

    def _view_losses(
        self, batch: ViewBatch, progress: float, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        # Never beside an ego motion network, whose parameters would get no gradient.
        images = to_float(batch.images)
        focal = torch.stack(
            [self._focal(view.source, images.device)[view.camera] for view in batch.views]
        )
        logits = self._logits(images, rng)
        return {'hint': self._hint_loss(logits, focal, batch.hint, progress)}

    def _surround_losses(
        self, samples: list[RigSample], progress: float, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        images = torch.cat([to_float(sample.images[NOW]) for sample in samples])
        focal = torch.cat([self._focal(sample.source, images.device) for sample in samples])
        counts = [sample.images.shape[1] for sample in samples]
        parts = (images, focal, self._logits(images, rng))
        losses = [
            self._sample_losses(sample, *each, progress, rng)
            for sample, *each in zip(samples, *(p.split(counts) for p in parts), strict=True)
        ]
        names = dict.fromkeys(name for loss in losses for name in loss)
        terms = {
            name: sum(loss[name] for loss in losses if name in loss) / len(losses)
            for name in names
        }
        if self.ego_motion is not None and not any(s.world_from_body is None for s in samples):
            # Data-parallel training wants a gradient for every parameter in every step.
            terms['motion'] = 0 * sum(p.sum() for p in self.ego_motion.parameters())
        return terms

    def reprojection(self, source: int, level: int, device: torch.device) -> SurroundReprojection:
        """Tables of one recording's rig at one pyramid level."""
        key = source, level, device
        if key not in self._geometry:
            data = self.config.data
            # Depth comes at half size: no finer geometry than that.
            shift = max(level, 1)
            geometry = RigGeometry.of(
                self.rigs[source],
                data.width >> shift,
                data.height >> shift,
                self.depth_kind,
                device,
            )
            factor = 1 << (shift - level)
            self._geometry[key] = SurroundReprojection(geometry, factor, self.config.loss.ssim)
        return self._geometry[key]

    def _focal(self, source: int, device: torch.device) -> Float[Tensor, ' c']:
        """Focal lengths at the network's input size: twice those of the half-size geometry."""
        return 2 * self.reprojection(source, 0, device).geometry.focal

    def level_at(self, progress: float) -> int:
        """Pyramid level of the photometric terms: coarse to fine."""
        return sum(progress < until for until in self.config.loss.coarse_until)

    def _logits(self, images: Float[Tensor, 'n 3 h w'], rng: np.random.Generator) -> Tensor:
        """Answers for the images, which the network sees jittered and at times mirrored."""
        shown = jitter(images, self.config.data.jitter, rng)
        flip = self.config.data.flip and bool(rng.integers(2))
        if flip:
            shown = shown.flip(-1)
        logits = self.depth.logits(shown.contiguous(memory_format=torch.channels_last))
        return logits.flip(-1) if flip else logits

    def _sample_losses(
        self,
        sample: RigSample,
        images: Float[Tensor, 'c 3 h w'],
        focal: Float[Tensor, ' c'],
        logits: Float[Tensor, 'c k y x'],
        progress: float,
        rng: np.random.Generator,
    ) -> dict[str, Tensor]:
        """All terms of one sample."""
        inverse = self.depth.to_inverse_depth(logits, focal)
        small = functional.avg_pool2d(images, 2)
        smoothness = self.config.loss.smoothness * edge_aware_smoothness(inverse, small)
        terms = {'smoothness': smoothness}
        if sample.hint is not None:
            terms['hint'] = self._hint_loss(logits, focal, sample.hint, progress)
        return terms | self._reprojection_losses(sample, inverse, progress, rng)

    def _hint_loss(
        self, logits: Tensor, focal: Tensor, hint: SureDepth, progress: float
    ) -> Tensor:
        """Distance to the hints, fading with time."""
        loss = self.config.loss
        known_m = torch.where(hint.sure, hint.depth, 1.0)  # the others may be anything
        off = self.depth.hint_error(logits, focal, known_m)
        return loss.hint * (1 - progress / loss.hint_until) * masked_mean(off, hint.sure)

    def _reprojection_losses(
        self, sample: RigSample, inverse: Tensor, progress: float, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        loss, level = self.config.loss, self.level_at(progress)
        world_from_body = self._world_from_body(sample)
        reprojection = self.reprojection(sample.source, level, inverse.device)
        views = surround_views(sample, world_from_body, reprojection.geometry, level)
        shrunk = functional.avg_pool2d(inverse, 1 << (level - 1)) if level > 1 else inverse
        depth = 1 / shrunk[:, 0]
        # Until the motion is known, wrong motion must not teach wrong depth.
        motion_known = sample.world_from_body is not None or progress >= loss.motion_from
        temporal = reprojection.temporal(
            views, depth if motion_known else depth.detach(), progress >= loss.automask_from
        )
        terms = {'temporal': reprojection_loss(temporal)}
        other = (BEFORE, AFTER)[int(rng.integers(2))] if motion_known else NOW
        if loss.spatial and progress >= loss.spatial_from and reprojection.geometry.overlaps:
            spatial = reprojection.spatial(views, depth, other)
            terms['spatial'] = loss.spatial * reprojection_loss(spatial)
        return terms

    def _world_from_body(self, sample: RigSample) -> SE3:
        """Body pose at each image's own stamp (3, C): odometry's, or the learned motion's.

        The learned motion is one twist before and one after the middle frame; at constant twist it
        says where the body was when each camera exposed. Its world is the body at the middle
        frame's mean stamp.
        """
        if sample.world_from_body is not None:
            return SE3(sample.world_from_body)
        images = to_float(sample.images.flatten(0, 1)).unflatten(0, sample.images.shape[:2])
        geometry = self.reprojection(sample.source, 0, images.device).geometry
        motions = self.ego_motion(
            images[[BEFORE, NOW]], images[[NOW, AFTER]], geometry.body_from_camera
        )
        stamps = sample.stamps_s.to(motions)
        means = stamps.mean(1)
        rates = motions / torch.diff(means)[:, None]
        offsets = stamps - means[NOW]
        return SE3.exp(rates[[0, 1, 1], None, :] * offsets[..., None])
