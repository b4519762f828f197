# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What teaches a network of one number how sure it is (network.confidence).

The number is the probability that the depth's relative error is below 25 %, by the cross-entropy
with what the recipe itself can tell of that; the depth learns nothing of it.

- Where there are hints (a plane sweep, LiDAR): whether the depth lies within 25 % of the hint. So
  it is as right as hints are, where there are hints, on the recordings that were learned from.
- Else the images: how the photometric error changes when the depth is multiplied. A photometric
  error is no depth error: a plain wall has a small one at every depth. But how much worse *other*
  depths explain the images says which of them are possible, as a plane sweep does: the share of
  the likely ones that lie within 25 % is learned. It is low on what is plain, far away, or moves
  with the robot, since there no depth is better than another; what moves otherwise is explained
  best by a wrong depth, and surely so.

Either way it knows nothing of what all images get wrong alike, is learned where the depth is, and
is too sure of what a network has by heart. `selfdepth evaluate` tells how often it is right;
`selfdepth export --calibrate` corrects it by a bag with LiDAR (training/platt.py). Of relative
depths it is the error but for the common factor.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from selfdepth_training.data.samples import SureDepth
from selfdepth_training.losses.photometric import masked_mean
from selfdepth_training.losses.surround import Reprojection
from selfdepth_training.networks import DepthNetwork
from selfdepth_training.networks.heads import FARTHEST_TRUE, NEAREST_TRUE
from selfdepth_training.scene import Scene

# Depths that are tried beside the network's: factors a fifth apart, 0.45 to 2.2.
STEP, STEPS_ASIDE = 0.2, 4
# Difference of photometric error that makes a depth e times less likely.
NOISE = 0.01


def sureness_loss(scene: Scene) -> Tensor | None:
    """The term of a step on images; None where the network does not learn how sure it is."""
    network, loss = scene.network, scene.loss
    if not network.learns_confidence:
        return None
    hint = scene.sample.hint
    if hint is not None:
        return against_hint(network, scene.logits[0], scene.focal, hint)
    seen = loss.temporal or loss.spatial and scene.tables(scene.level).geometry.overlaps
    if scene.motion_teaches and seen:
        return _against_images(scene)
    # Data-parallel training wants a gradient for every parameter in every step.
    return 0 * scene.logits[0][:, 1:].sum()


def against_hint(
    network: DepthNetwork,
    logits: Float[Tensor, 'n 2 y x'],
    focal: Float[Tensor, ' n'],
    hint: SureDepth,
) -> Tensor:
    """Cross-entropy with whether the depth is within 25 % of the hint."""
    with torch.no_grad():
        known_m = torch.where(hint.sure, hint.depth, 1.0)  # the others may be anything
        depth_m = 1 / network.to_inverse_depth(logits, focal)[:, 0]
        right = ((depth_m - known_m).abs() < known_m / 4).float()
    return _cross_entropy(logits[:, 1], right, hint.sure)


def _against_images(scene: Scene) -> Tensor:
    """Cross-entropy with the share of the likely depths that lie within 25 %.

    At half of the images' size or less, where a wrong depth is still within sight of the right.
    """
    level = max(1, scene.level_of(0))
    size = scene.tables(level).geometry.size
    logit = functional.avg_pool2d(scene.logits[0][:, 1:], scene.logits[0].shape[2] // size[0])
    return _cross_entropy(_beside(scene, logit, level), *likely_share(scene, level))


@torch.no_grad()
def likely_share(scene: Scene, level: int) -> tuple[Float[Tensor, 'n h w'], Bool[Tensor, 'n h w']]:
    """How much of what the images make likely lies within 25 % of the depth, and where they tell.

    Where every depth is as good as another it is 0.28: so much of what is tried is within 25 %.
    """
    depth = scene.depth(0, level)
    logs = [STEP * step for step in range(-STEPS_ASIDE, STEPS_ASIDE + 1)]
    tried = [_explained(scene, depth * math.exp(log), level) for log in logs]
    valid = torch.stack([each.valid for each in tried]).all(0)
    errors = torch.stack([_smoothed(each.error, valid) for each in tried])
    share = (-errors / NOISE).softmax(0)
    inside = torch.tensor([_share_inside(log) for log in logs], device=share.device)
    return (share * inside[:, None, None, None]).sum(0), valid


def _explained(scene: Scene, depth: Float[Tensor, 'c h w'], level: int) -> Reprojection:
    """How well such depths explain the images: those before and after, else the neighbours."""
    tables, views = scene.tables(level), scene.views(level)
    if scene.loss.temporal:
        return tables.temporal(views, depth)
    return tables.spatial(views, depth, scene.other_time)


def _smoothed(error: Float[Tensor, 'n h w'], valid: Bool[Tensor, 'n h w']) -> Tensor:
    """Mean over 3x3 boxes of what is valid: one pixel is little evidence."""
    known = functional.avg_pool2d(valid.to(error), 3, 1, 1)
    return functional.avg_pool2d(torch.where(valid, error, 0.0), 3, 1, 1) / known.clamp(min=1e-6)


def _beside(scene: Scene, logit: Float[Tensor, 'c 1 h w'], level: int) -> Float[Tensor, 'n h x']:
    """The logits of the pixels that `_explained` speaks of."""
    if scene.loss.temporal:
        return logit[:, 0]
    geometry = scene.tables(level).geometry
    return torch.stack([logit[o.target, 0, :, o.columns(geometry)] for o in geometry.overlaps])


def _share_inside(log: float) -> float:
    """How much of the interval around a factor (its logarithm) is an error below 25 %."""
    low, high = math.log(NEAREST_TRUE), math.log(FARTHEST_TRUE)
    overlap = min(log + STEP / 2, high) - max(log - STEP / 2, low)
    return max(0.0, overlap) / STEP


def _cross_entropy(
    logit: Float[Tensor, 'n y x'], share: Float[Tensor, 'n y x'], counts: Tensor
) -> Tensor:
    each = functional.binary_cross_entropy_with_logits(logit, share, reduction='none')
    return masked_mean(each, counts)
