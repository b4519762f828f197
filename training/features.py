# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Features of a sample's images, to compare them by: learned beside the depth, or the depth
network's own."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from selfdepth_training.config import LossConfig
from selfdepth_training.losses.features import painting_error, steepness_and_bend
from selfdepth_training.losses.surround import NOW
from selfdepth_training.networks import DepthNetwork, FeatureAutoencoder
from selfdepth_training.networks.depth import DEVIATION, MEAN


class Features(NamedTuple):
    """Of all frames of a sample, at half of the images' size."""

    maps: Float[Tensor, 't c k y x']
    loss: Tensor | None
    """What the network that says them has to learn by itself; None where it learns nothing."""

    def at(self, level: int) -> Float[Tensor, 't c k v u']:
        """The maps at a pyramid level, 1 (half of the images' size) or coarser."""
        if level <= 1:
            return self.maps
        small = functional.avg_pool2d(self.maps.flatten(0, 1), 1 << (level - 1))
        return small.unflatten(0, self.maps.shape[:2])


class LearnedFeatures(nn.Module):
    """An autoencoder's: it learns of the middle frame, and from its own loss alone.

    Were it to learn from the comparison, features that are alike everywhere would be its best
    answer. With `refines` the maps carry a gradient all the same, for a motion that is found by
    them: features that are alike find none (Tang and Tan, "BA-Net", 2019).
    """

    def __init__(self, loss: LossConfig, refines: bool) -> None:
        super().__init__()
        self.loss, self.refines = loss, refines
        self.network = FeatureAutoencoder(loss.feature_channels)

    def forward(
        self, images: Float[Tensor, 't c 3 h w'], present: Bool[Tensor, ' c'], depth: DepthNetwork
    ) -> Features:
        """Features of images in 0..1, learned from those of now that are present."""
        now = images[NOW].contiguous(memory_format=torch.channels_last)
        own = self.network.features(now)
        others = images[[t for t in range(len(images)) if t != NOW]]
        with torch.set_grad_enabled(self.refines and torch.is_grad_enabled()):
            found = self.network.features(others.flatten(0, 1)).unflatten(0, others.shape[:2])
        maps = torch.cat([found[:NOW], own[None], found[NOW:]])
        seen = (now, own) if present.all() else (now[present], own[present])
        return Features(maps if self.refines else maps.detach(), self.lesson(*seen))

    def lesson(
        self, images: Float[Tensor, 'n 3 h w'], features: Float[Tensor, 'n k y x']
    ) -> Tensor:
        """What the autoencoder has to learn: to tell the image, and to be good to compare by."""
        steep, bent = steepness_and_bend(features, functional.avg_pool2d(images, 2))
        error = painting_error(images, self.network.painted(features))
        return error - self.loss.discriminative * steep + self.loss.convergent * bent


class EncoderFeatures(nn.Module):
    """Those of the depth network's encoder at a quarter of the size, as they are at the time.

    After Zhan et al., "Unsupervised learning of monocular depth estimation and visual odometry
    with deep feature reconstruction", CVPR 2018. Of length one: brightness scales them.
    """

    @torch.no_grad()
    def forward(
        self, images: Float[Tensor, 't c 3 h w'], present: Bool[Tensor, ' c'], depth: DepthNetwork
    ) -> Features:
        """Features of images in 0..1; the encoder is not changed by it."""
        flat = ((images - MEAN) / DEVIATION).flatten(0, 1)
        learning = depth.encoder.training
        depth.encoder.eval()  # else the other frames would move the statistics of the middle ones
        coarse = depth.encoder(flat.contiguous(memory_format=torch.channels_last))[1].float()
        depth.encoder.train(learning)
        fine = functional.interpolate(coarse, scale_factor=2.0, mode='bilinear')
        unit = functional.normalize(fine, dim=1, eps=1e-6)
        return Features(unit.unflatten(0, images.shape[:2]), None)


FEATURES: dict[str, Callable[[LossConfig, bool], nn.Module]] = {
    'learned': LearnedFeatures,
    'encoder': lambda loss, refines: EncoderFeatures(),
}
"""What says the features, by the recipe's loss.features, and whether a motion is refined by
them."""
