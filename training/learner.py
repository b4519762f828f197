# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From surround frames, or single images with hints, to one loss, by a schedule of its terms."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.samples import (
    RigSample,
    SampleBatch,
    ViewBatch,
    jitter,
)
from selfdepth_training.features import FEATURES
from selfdepth_training.flip import flip_fused
from selfdepth_training.geometry import Alignments, RigGeometry, common_depth_kind
from selfdepth_training.losses.automask import AUTOMASKS
from selfdepth_training.losses.combine import COMBINE
from selfdepth_training.losses.labels import OF_IMAGES
from selfdepth_training.losses.surround import (
    AFTER,
    BEFORE,
    NOW,
    SurroundReprojection,
    to_float,
)
from selfdepth_training.networks import DepthNetwork, EgoMotionNetwork
from selfdepth_training.parallel import share_of
from selfdepth_training.present import of_present
from selfdepth_training.refine import refined
from selfdepth_training.scene import Motion, Scene
from selfdepth_training.sureness import against_hint
from selfdepth_training.terms import hint_loss, hint_weight, sample_losses


class Losses(NamedTuple):
    """The loss of a step, and its terms for the log (detached)."""

    total: Tensor
    terms: dict[str, Tensor]


class SurroundLearner(nn.Module):
    """Full Surround Monodepth as one module: samples in, loss out.

    One recording may have another rig than the next; `rigs[i]` belongs to `sample.source == i`,
    and has its self-occlusion masks. With `learn_motion`, recordings without odometry are learned
    from too: a second network then says how the robot moved. Where the recipe compares features,
    another one may say them. Neither is exported.
    """

    def __init__(
        self, config: TrainConfig, rigs: list[Rig], learn_motion: bool,
        alignments: Alignments | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.config = config
        self.rigs = rigs
        self.alignments = alignments or [None] * len(rigs)
        self.depth_kind = common_depth_kind(rigs)
        width, height = config.data.width, config.data.height
        focals = [entry.camera.focal for entry in rigs[0].scaled(width, height).cameras]
        self.depth = DepthNetwork(config.network, float(np.mean(focals)))
        self.ego_motion = (
            EgoMotionNetwork(config.network.pose_width, config.loss.explainability > 0)
            if learn_motion
            else None
        )
        refinable = learn_motion or config.data.with_odometry == 'refined'
        self.refinements = config.network.refinements if refinable else 0
        self.features = (
            FEATURES[config.loss.features](config.loss, self.refinements > 0)
            if config.loss.feature_metric or self.refinements
            else None
        )
        self._geometry: dict[tuple[int, int, torch.device], SurroundReprojection] = {}

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
        logits, *coarser = self._logits(images, None, rng)
        hint = hint_loss(self.config.loss, self.depth, logits, focal, batch.hint, progress)
        # Coarser heads learn from images; data-parallel training wants a gradient for all.
        terms = {'hint': sum((0 * each.sum() for each in coarser), hint)}
        if self.depth.learns_confidence:
            terms['sureness'] = against_hint(self.depth, logits, focal, batch.hint)
        # By what the means are over: in processes together they are then what they are in one.
        share = share_of(batch.hint.sure.sum())
        shares = dict.fromkeys(terms, share)
        if self.config.loss.hint_error == 'head':
            shares['hint'] = share_of(hint_weight(self.config.loss, batch.hint).sum())
        if self.config.loss.hint_error in OF_IMAGES:
            shares['hint'] = share_of(batch.hint.sure.flatten(1).any(1).sum())
        return {name: value * shares[name] for name, value in terms.items()}

    def _surround_losses(
        self, samples: list[RigSample], progress: float, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        losses = [sample_losses(scene) for scene in self.scenes(samples, progress, rng)]
        names = dict.fromkeys(name for loss in losses for name in loss)
        terms = {
            name: sum(loss[name] for loss in losses if name in loss) / len(losses)
            for name in names
        }
        taken = self.config.data.with_odometry != 'learned'
        if (
            self.ego_motion is not None
            and taken
            and all(sample.world_from_body is not None for sample in samples)
        ):
            # Data-parallel training wants a gradient for every parameter in every step.
            terms['motion'] = 0 * sum(p.sum() for p in self.ego_motion.parameters())
        return terms

    def scenes(
        self, samples: list[RigSample], progress: float, rng: np.random.Generator
    ) -> Iterator[Scene]:
        """What the networks say of some samples, all shown to them at once."""
        images = torch.cat([to_float(sample.images[NOW]) for sample in samples])
        focal = torch.cat([self._focal(sample.source, images.device) for sample in samples])
        counts = [sample.images.shape[1] for sample in samples]
        fusing = self.config.data.flip_fusion
        present = torch.cat([sample.present[NOW] for sample in samples])
        if fusing:
            found = self._fusable(images, present, rng)
        else:
            found = [self._logits(images, present, rng)]
        logits = zip(*(each.split(counts) for side in found for each in side), strict=True)
        parts = zip(samples, images.split(counts), focal.split(counts), logits, strict=True)
        for sample, its_images, its_focal, answers in parts:
            yield self._scene(sample, its_images, its_focal, list(answers), progress, rng)

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
                self.alignments[source],
            )
            factor = 1 << (shift - level)
            loss = self.config.loss
            self._geometry[key] = SurroundReprojection(
                geometry,
                factor,
                loss.ssim,
                COMBINE[loss.sources],
                AUTOMASKS[loss.automask],
            )
        return self._geometry[key]

    def _focal(self, source: int, device: torch.device) -> Float[Tensor, ' c']:
        """Focal lengths at the network's input size: twice those of the half-size geometry."""
        return 2 * self.reprojection(source, 0, device).geometry.focal

    def level_at(self, progress: float) -> int:
        """Pyramid level of the photometric terms: coarse to fine."""
        return sum(progress < until for until in self.config.loss.coarse_until)

    def _logits(
        self, images: Float[Tensor, 'n 3 h w'], present: Bool[Tensor, ' n'] | None,
        rng: np.random.Generator,
    ) -> list[Float[Tensor, 'n _ _ _']]:  # fmt: skip
        """Answers for the images, which the network sees jittered and at times mirrored."""
        shown = jitter(images, self.config.data.jitter, rng)
        flip = self.config.data.flip and bool(rng.integers(2))
        if flip:
            shown = shown.flip(-1)
        found = of_present(self._all_logits, shown, present)
        return [logits.flip(-1) for logits in found] if flip else found

    def _all_logits(self, images: Float[Tensor, 'n 3 h w']) -> list[Float[Tensor, 'n _ _ _']]:
        return self.depth.all_logits(images.contiguous(memory_format=torch.channels_last))

    def _fusable(
        self, images: Float[Tensor, 'n 3 h w'], present: Bool[Tensor, ' n'],
        rng: np.random.Generator,
    ) -> list[list[Float[Tensor, 'n _ _ _']]]:  # fmt: skip
        """Answers for the images, and those for their mirror images, mirrored back."""
        shown = jitter(images, self.config.data.jitter, rng)
        both = torch.cat([shown, shown.flip(-1)])
        pairs = [each.chunk(2) for each in of_present(self._all_logits, both, present.repeat(2))]
        return [[straight for straight, _ in pairs], [other.flip(-1) for _, other in pairs]]

    def _inverse_depths(
        self, logits: list[Float[Tensor, 'c _ _ _']], focal: Float[Tensor, ' c']
    ) -> list[Float[Tensor, 'c 1 _ _']]:
        """Inverse depth by scale, of both sides together where they are fused."""
        found = [self.depth.to_inverse_depth(each, focal) for each in logits]
        if not self.config.data.flip_fusion:
            return found
        scales = self.config.network.scales
        return [flip_fused(*each) for each in zip(found[:scales], found[scales:], strict=True)]

    def _scene(
        self,
        sample: RigSample,
        images: Float[Tensor, 'c 3 h w'],
        focal: Float[Tensor, ' c'],
        logits: list[Float[Tensor, 'c _ _ _']],
        progress: float,
        rng: np.random.Generator,
    ) -> Scene:
        loss = self.config.loss
        motion = self._motion(sample)
        features = None
        if self.features is not None:
            features = self.features(_planes(sample), sample.present[NOW], self.depth)
        scene = Scene(
            sample, images, focal, logits,
            self._inverse_depths(logits, focal),
            motion, NOW, progress, self.level_at(progress), loss, self.depth,
            lambda level: self.reprojection(sample.source, level, images.device), features,
        )  # fmt: skip
        ready = motion.learned or progress >= loss.motion_from
        if self.refinements and motion.refinable and ready:
            scene = refined(scene, self.refinements)
        if loss.rigidity and loss.temporal and progress >= loss.automask_from:
            scene = replace(scene, neighbours=self._neighbours(sample, focal))
        if loss.spatial_times == 'now' or not scene.motion_teaches:
            return scene
        return replace(scene, other_time=(BEFORE, AFTER)[int(rng.integers(2))])

    @torch.no_grad()
    def _neighbours(
        self, sample: RigSample, focal: Float[Tensor, ' c']
    ) -> Float[Tensor, '2 c 1 y x']:
        """Inverse depths before and after.

        Normalized by their batch, as the middle ones are: running means would make all of them
        disagree a little.
        """
        images = to_float(sample.images[[BEFORE, AFTER]].flatten(0, 1))
        present = sample.present[[BEFORE, AFTER]].flatten()
        (logits,) = of_present(
            lambda shown: [self.depth.logits(shown.contiguous(memory_format=torch.channels_last))],
            images, present,
        )  # fmt: skip
        inverse = self.depth.to_inverse_depth(logits, focal.repeat(2))
        return inverse.unflatten(0, (2, -1))

    def _motion(self, sample: RigSample) -> Motion:
        """Odometry's, the learned one, or none where nothing of the loss asks for it.

        The learned motion is one twist before and one after the middle frame; at constant twist it
        says where the body was when each camera exposed. Its world is the body at the middle
        frame's mean stamp.
        """
        odometry, how = sample.world_from_body, self.config.data.with_odometry
        if odometry is not None and how == 'known':
            return Motion(SE3(odometry), learned=False)
        if odometry is not None and how == 'refined':
            return Motion(SE3(_from_middle(odometry)), learned=False, refinable=True)
        if self.ego_motion is None:
            return Motion(SE3(sample.at_rest), learned=False)
        images = _planes(sample)
        geometry = self.reprojection(sample.source, 0, images.device).geometry
        present = sample.present[[BEFORE, NOW]] & sample.present[[NOW, AFTER]]
        motions, masks = self.ego_motion.explained(
            images[[BEFORE, NOW]], images[[NOW, AFTER]], geometry.body_from_camera, present
        )
        stamps = sample.stamps_s.to(motions)
        means = stamps.mean(1)
        rates = motions / torch.diff(means)[:, None]
        offsets = stamps - means[NOW]
        with torch.autocast(images.device.type, enabled=False):
            poses = SE3.exp(rates[[0, 1, 1], None, :] * offsets[..., None])
        # The middle frame is the later one of the first pair and the earlier one of the second.
        explained = None if masks is None else torch.stack([masks[0, :, 1], masks[1, :, 0]], 1)
        return Motion(poses, learned=True, refinable=True, explained=explained)


def _from_middle(world_from_body: Float[Tensor, 't c 4 4']) -> Float[Tensor, 't c 4 4']:
    """The same poses in a world that is the body at the middle frame, where it was on average."""
    here = world_from_body[NOW, 0].clone()
    here[:3, 3] = world_from_body[NOW, :, :3, 3].mean(0)
    return SE3(here).inverse().matrix @ world_from_body


def _planes(sample: RigSample) -> Float[Tensor, 't c 3 h w']:
    """All images of a sample, in 0..1."""
    return to_float(sample.images.flatten(0, 1)).unflatten(0, sample.images.shape[:2])
