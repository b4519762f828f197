# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a hint is worth more than what the network says already (Watson et al. 2019, eq. 4)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth_training.data.samples import LABEL_LEVEL, SureDepth
from selfdepth_training.losses.combine import UNSEEN
from selfdepth_training.scene import Scene


def reprojects_better(scene: Scene, hint: SureDepth) -> Bool[Tensor, 'c y x']:
    """Where the hint explains the images better than the network's depth, and than standing still.

    Where no image sees what the hint says, it does not.
    """
    # The scene keeps them for the terms that come after, which need their gradients.
    said_m, _ = scene.depth(0, LABEL_LEVEL), scene.views(LABEL_LEVEL)
    with torch.no_grad():
        said = _error(scene, said_m)
        told = _error(scene, torch.where(hint.sure, hint.depth, 1.0))
        better = told < said
        if scene.loss.temporal:
            better = better & (told < scene.still_error(LABEL_LEVEL).amin(1))
    return better


def _error(scene: Scene, depth: Float[Tensor, 'c y x']) -> Float[Tensor, 'c y x']:
    """Least error against the images that the recipe compares; UNSEEN where there is none."""
    tables, views, loss = scene.tables(LABEL_LEVEL), scene.views(LABEL_LEVEL), scene.loss
    error = torch.full_like(depth, UNSEEN)
    if loss.temporal and scene.motion_teaches:
        found = tables.temporal(views, depth)
        error = torch.where(found.valid, found.error, UNSEEN)
    overlaps = tables.geometry.overlaps
    if loss.spatial and overlaps:
        found = tables.spatial(views, depth, scene.other_time)
        crops = torch.where(found.valid, found.error, UNSEEN)
        for overlap, crop in zip(overlaps, crops, strict=True):
            part = error[overlap.target, :, overlap.columns(tables.geometry)]
            torch.minimum(part, crop, out=part)
    return error
