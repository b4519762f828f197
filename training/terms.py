# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The terms of the loss: a small table. Which of them count, and when, is the recipe's."""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.better import reprojects_better
from selfdepth_training.config import LossConfig
from selfdepth_training.data.samples import SureDepth
from selfdepth_training.losses import edge_aware_smoothness
from selfdepth_training.losses.combine import Reprojection
from selfdepth_training.losses.features import feature_error
from selfdepth_training.losses.labels import LABEL_ERRORS
from selfdepth_training.losses.motion import velocity_error
from selfdepth_training.losses.photometric import masked_mean
from selfdepth_training.losses.rigidity import inconsistency, rigid_weight
from selfdepth_training.losses.surround import (
    AFTER,
    BEFORE,
    NOW,
    SurroundReprojection,
    Views,
    reprojection_loss,
)
from selfdepth_training.networks import DepthNetwork
from selfdepth_training.scene import Scene
from selfdepth_training.sureness import sureness_loss

Term = Callable[[Scene], Tensor | None]
"""Weighted loss of one sample; None where it has no part in this step."""
OUTLINE = 0.2
"""Difference of log depth that no surface has within four pixels, mostly."""


def _smoothness(scene: Scene) -> Tensor:
    """Edge-aware smoothness of what cameras that are present see; a scale of half the size counts
    half (Godard et al. 2019)."""
    present = scene.sample.present[NOW]
    shown = present if present.any() and not present.all() else slice(None)
    images = scene.images[shown]
    total: list[Tensor] = []
    for scale, inverse in enumerate(scene.inverse):
        small = functional.avg_pool2d(images, 2 << scale)
        total.append(edge_aware_smoothness(inverse[shown], small) / (1 << scale))
    return scene.loss.smoothness * _mean(total)


def _hint(scene: Scene) -> Tensor | None:
    hint = scene.sample.hint
    if hint is None:
        return None
    if scene.loss.hint_where == 'better':
        hint = hint._replace(sure=hint.sure & reprojects_better(scene, hint))
    return hint_loss(scene.loss, scene.network, scene.logits[0], scene.focal, hint, scene.progress)


def hint_weight(loss: LossConfig, hint: SureDepth) -> Float[Tensor, 'n y x']:
    """What each pixel counts for in the mean of the head's errors: nothing where no hint is sure,
    more where sure hints differ within two pixels around, since much of what is wrong is there."""
    sure = hint.sure.to(hint.depth.dtype)
    if not loss.hint_outlines:
        return sure
    log = torch.where(hint.sure, hint.depth, 1.0).log()
    farthest, nearest = (
        functional.max_pool2d(torch.where(hint.sure, each, -torch.inf), 5, 1, 2)
        for each in (log, -log)
    )
    return sure * (1 + loss.hint_outlines * (farthest + nearest > OUTLINE))


def hint_loss(
    loss: LossConfig,
    network: DepthNetwork,
    logits: Float[Tensor, 'n k y x'],
    focal: Float[Tensor, ' n'],
    hint: SureDepth,
    progress: float,
) -> Tensor:
    """Distance to the hints, fading with time where the recipe has it so."""
    known_m = torch.where(hint.sure, hint.depth, 1.0)  # the others may be anything
    if loss.hint_error == 'head':
        weight = hint_weight(loss, hint)
        error = (weight * network.hint_error(logits, focal, known_m)).sum() / weight.sum().clamp(1)
    else:
        said = -network.to_inverse_depth(logits, focal)[:, 0].log()
        error = LABEL_ERRORS[loss.hint_error](said, known_m.log(), hint.sure)
    left = 1 - progress / loss.hint_until if loss.hint_fades else 1.0
    return loss.hint * left * error


def _temporal(scene: Scene) -> Tensor | None:
    """Each camera against itself before and after."""
    loss = scene.loss
    if not loss.temporal:
        return None
    levels = [scene.level_of(scale) for scale in range(len(scene.inverse))]
    # Of the finest depth at any scale: once for each size of the images.
    weights = {level: _rigid(scene, level) for level in set(levels)}
    losses = []
    for scale, level in enumerate(levels):
        still = scene.still_error(level) if scene.automasked else None
        found = _over_time(scene, scene.tables(level), scene.views(level), scale, level, still)
        weight = weights[level]
        if weight is not None:
            found = found._replace(error=found.error * weight)
        losses.append(reprojection_loss(found))
    return loss.temporal * _mean(losses)


def _feature_metric(scene: Scene) -> Tensor | None:
    """The same by features, whose size is half of the images' at most."""
    loss = scene.loss
    if not loss.feature_metric:
        return None
    losses = []
    for scale in range(len(scene.inverse)):
        level = max(scene.level_of(scale), 1)
        tables = replace(scene.tables(level), unlike=feature_error)
        views = scene.feature_views(level)
        still = tables.still_error(views) if scene.automasked else None
        found = _over_time(scene, tables, views, scale, level, still)
        losses.append(reprojection_loss(found))
    return loss.feature_metric * _mean(losses)


def _over_time(
    scene: Scene,
    tables: SurroundReprojection,
    views: Views,
    scale: int,
    level: int,
    still: Tensor | None,
) -> Reprojection:
    depth = scene.depth(scale, level)
    explained = scene.motion.explained
    if explained is not None:
        size = [side * tables.factor for side in tables.geometry.size]
        explained = functional.interpolate(explained, size, mode='bilinear')
    depth = depth if scene.motion_teaches else depth.detach()
    return tables.temporal(views, depth, still, explained)


def _autoencoder(scene: Scene) -> Tensor | None:
    """What the features learn by themselves, and nobody else learns from."""
    return None if scene.features is None else scene.features.loss


def _rigid(scene: Scene, level: int) -> Tensor | None:
    """What each pixel of the images counts by loss.rigidity; None where all count alike."""
    neighbours = scene.neighbour_depths(level)
    if neighbours is None:
        return None
    tables = scene.tables(level)
    found = inconsistency(tables, scene.views(level), scene.depth(0, level).detach(), neighbours)
    return tables.enlarged(rigid_weight(found, scene.loss.rigidity))


def _spatial(scene: Scene) -> Tensor | None:
    """Each camera against its neighbours."""
    loss = scene.loss
    ready = loss.spatial and scene.progress >= loss.spatial_from
    if not ready or not scene.tables(scene.level).geometry.overlaps:
        return None
    losses = []
    for scale in range(len(scene.inverse)):
        level = scene.level_of(scale)
        depth = scene.depth(scale, level)
        found = scene.tables(level).spatial(scene.views(level), depth, scene.other_time)
        losses.append(reprojection_loss(found))
    return loss.spatial * _mean(losses)


def _explainability(scene: Scene) -> Tensor | None:
    """Cross-entropy of the mask with one everywhere: nothing is left out for nothing."""
    explained = scene.motion.explained
    if explained is None:
        return None
    return -scene.loss.explainability * explained.clamp(min=1e-6).log().mean()


def _velocity(scene: Scene) -> Tensor | None:
    """Distance moved, as learned and as odometry has it; images tell whether forth or back."""
    measured, loss = scene.sample.world_from_body, scene.loss
    counts = loss.velocity and scene.progress >= loss.velocity_from
    if not counts or measured is None or not scene.motion.learned:
        return None
    poses = scene.motion.world_from_body.matrix
    sign = 1.0 if _rather_forth(scene) else -1.0
    return loss.velocity * velocity_error(poses, measured.to(poses), sign)


@torch.no_grad()
def _rather_forth(scene: Scene) -> bool:
    """Whether the images are explained better by the motion than by going the other way.

    A distance has no direction: it would lengthen a motion that is backwards, from where the
    images cannot turn it any more, and depths end at the farthest.
    """
    level = scene.level_of(0)
    poses = scene.motion.world_from_body.matrix.clone()
    poses[..., :3, 3] *= -1  # the world is the body at the middle frame
    back = replace(scene, motion=scene.motion._replace(world_from_body=SE3(poses)), _views={})
    depth, tables = scene.depth(0, level), scene.tables(level)
    found, other = (tables.temporal(each.views(level), depth) for each in (scene, back))
    valid = found.valid & other.valid
    return bool(masked_mean(found.error, valid) <= masked_mean(other.error, valid))


def _agreement(scene: Scene) -> Tensor | None:
    """What the networks say, and what refining makes of it: of the motion in metres and radians,
    of the depths as logarithms. A robot has the networks alone, which are to need no refinement.
    """
    motion = scene.motion
    if not scene.loss.agreement or motion.said is None or motion.refinement is None:
        return None
    better = motion.world_from_body.matrix.detach()
    apart = (motion.said.matrix - better)[[BEFORE, AFTER], :, :3].abs().mean()
    apart = apart if motion.learned else 0 * apart  # odometry does not learn
    log_depth = scene.depth(0, 1).log()
    if not scene.motion_teaches:
        log_depth = log_depth.detach()
    factor = motion.refinement.log_factor.detach().mean(0)[:, None, None]
    return scene.loss.agreement * (
        apart + (log_depth - (log_depth.detach() + factor)).abs().mean()
    )


def _mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).sum() / len(values)


TERMS: dict[str, Term] = {
    'smoothness': _smoothness,
    'hint': _hint,
    'temporal': _temporal,
    'feature_metric': _feature_metric,
    'autoencoder': _autoencoder,
    'spatial': _spatial,
    'explainability': _explainability,
    'velocity': _velocity,
    'agreement': _agreement,
    'sureness': sureness_loss,
}


def sample_losses(scene: Scene) -> dict[str, Tensor]:
    """Every term that has a part in this step, by name; in float32 under autocast too, where
    eight bits of mantissa would look pixels up some pixels aside."""
    with torch.autocast(scene.images.device.type, enabled=False):
        found = {name: term(scene) for name, term in TERMS.items()}
    return {name: value for name, value in found.items() if value is not None}
