# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One sample of a step with all that the terms of the loss ask of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import LossConfig
from selfdepth_training.data.samples import RigSample
from selfdepth_training.features import Features
from selfdepth_training.losses.surround import SurroundReprojection, Views, surround_views
from selfdepth_training.networks import DepthNetwork


class Refinement(NamedTuple):
    """What aligning the features of before and after with those of now has found."""

    pose: Float[Tensor, '2 4 4']
    """Left factor of the body's poses before and after."""
    log_factor: Float[Tensor, '2 c']
    """Logarithm of what would have each camera's depth fit better."""
    gained: Bool[Tensor, ' 2']
    """False where nothing better was found, and nothing is changed."""


class Motion(NamedTuple):
    """How the robot moved over the three frames of a sample."""

    world_from_body: SE3
    """Batch (3, C): at each image's own stamp."""
    learned: bool
    """An ego motion network says so."""
    refinable: bool = False
    """Steps on features may correct it."""
    explained: Float[Tensor, 'c 2 y x'] | None = None
    """How much of each image before and after explains (0..1), as the network says it."""
    said: SE3 | None = None
    """What the network or odometry said, where that was refined, and by what:"""
    refinement: Refinement | None = None


@dataclass(frozen=True)
class Scene:
    """A sample, what the networks say of it, and where in the training we are."""

    sample: RigSample
    images: Float[Tensor, 'c 3 h w']
    """The middle frame's, in 0..1."""
    focal: Float[Tensor, ' c']
    logits: list[Float[Tensor, 'c _ _ _']]
    """Answers from fine (half of the images' size) to coarse."""
    inverse: list[Float[Tensor, 'c 1 _ _']]
    """The same as inverse depths, in 1/m."""
    motion: Motion
    other_time: int
    """When neighbours are looked at, beside now."""
    progress: float
    """Of the training, 0..1."""
    level: int
    """Pyramid level of the images that the finest depth is judged on."""
    loss: LossConfig
    network: DepthNetwork
    tables: Callable[[int], SurroundReprojection]
    """Reprojection of this sample's rig by pyramid level."""
    features: Features | None = None
    """Of all frames, where the recipe compares features."""
    neighbours: Float[Tensor, '2 c 1 y x'] | None = None
    """Inverse depths before and after, without gradient, where loss.rigidity asks for them."""
    _views: dict[int, Views] = field(default_factory=dict)
    _depths: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    _still: dict[int, Tensor] = field(default_factory=dict)

    @property
    def motion_teaches(self) -> bool:
        """Until the motion is known, wrong motion must not teach wrong depth."""
        return not self.motion.learned or self.progress >= self.loss.motion_from

    @property
    def automasked(self) -> bool:
        """Whether what looks better unwarped is left out by now."""
        return self.progress >= self.loss.automask_from

    def level_of(self, scale: int) -> int:
        """Pyramid level of the images that the depths of a scale (0: finest) are judged on."""
        return max(self.level, scale) if self.loss.pyramid == 'own' else self.level

    def views(self, level: int) -> Views:
        """The images at a pyramid level, and where the cameras were."""
        if level not in self._views:
            geometry = self.tables(level).geometry
            self._views[level] = surround_views(
                self.sample, self.motion.world_from_body, geometry, level
            )
        return self._views[level]

    def feature_views(self, level: int) -> Views:
        """The features at a pyramid level (1 or coarser) in place of the images.

        They carry no gradient: features that everything is alike by would please any comparison.
        """
        assert self.features is not None
        maps = self.features.at(level).detach()
        return self.views(level)._replace(images=maps.contiguous())

    def still_error(self, level: int) -> Float[Tensor, 'c 2 y x']:
        """What auto-masking compares with at a pyramid level, the same for every scale."""
        if level not in self._still:
            self._still[level] = self.tables(level).still_error(self.views(level))
        return self._still[level]

    def depth(self, scale: int, level: int) -> Float[Tensor, 'c y x']:
        """Depth of a scale in metres, at the size of the geometry of a pyramid level."""
        if (scale, level) not in self._depths:
            self._depths[scale, level] = 1 / self._resized(self.inverse[scale], level)[:, 0]
        return self._depths[scale, level]

    def neighbour_depths(self, level: int) -> Float[Tensor, '2 c y x'] | None:
        """Depths before and after, as `depth` of the finest scale."""
        if self.neighbours is None:
            return None
        resized = [self._resized(each, level)[:, 0] for each in self.neighbours]
        return 1 / torch.stack(resized)

    def _resized(self, inverse: Tensor, level: int) -> Tensor:
        size = self.tables(level).geometry.size
        if inverse.shape[2] > size[0]:
            return functional.avg_pool2d(inverse, inverse.shape[2] // size[0])
        if inverse.shape[2] < size[0]:
            return functional.interpolate(inverse, size, mode='bilinear', align_corners=False)
        return inverse
