# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The depth network: image and focal length in, metric depth out."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfdepth_training.config import NetworkConfig
from selfdepth_training.networks.heads import HEADS, SigmoidHead
from selfdepth_training.networks.zoo import ENCODERS, UPSAMPLERS

# Images in 0..1 are centred by these; fixed, so that a checkpoint and its export agree.
MEAN, DEVIATION = 0.45, 0.225


class DepthNetwork(nn.Module):
    """An encoder (networks/zoo.py) and a U-Net decoder that ends at half of the input size.

    A head (networks/heads.py) says the inverse depth, which is upsampled bilinearly. It is
    focal-normalised (Facil et al., "CAM-Convs", 2019; Guizilini et al. 2022): the network
    answers for a camera of `reference_focal` pixels, and depth grows with the focal length.
    """

    def __init__(self, config: NetworkConfig, reference_focal: float) -> None:
        super().__init__()
        self.config = config
        self.encoder = ENCODERS[config.backbone](config)
        channels = self.encoder.channels
        self.ups = nn.ModuleList()
        level = UPSAMPLERS[config.upsampling](config)
        inputs = channels[-1]
        for skip, outputs in zip(channels[-2::-1], config.decoder[::-1], strict=True):
            self.ups.append(level(inputs, skip, outputs))
            inputs = outputs
        self.head = HEADS[config.head](inputs, config)
        coarser, plain = config.decoder[1 : config.scales], replace(config, confidence=False)
        self.coarser_heads = nn.ModuleList(HEADS[config.head](c, plain) for c in coarser)
        # What becomes of the confidence; export may put a calibration here (training/platt.py).
        self.calibration: nn.Module = nn.Identity()
        self.register_buffer('reference_focal', torch.tensor(float(reference_focal)))

    def hidden_weights(self) -> list[nn.Parameter]:
        """Convolution weights between the first layer and the last, but for depthwise ones, whose
        channels know nothing of each other."""
        layers = (self.encoder.stem, self.head, self.coarser_heads)
        ends = {id(p) for layer in layers for p in layer.parameters()}
        inner = (p for p in self.parameters() if id(p) not in ends)
        return [p for p in inner if p.ndim == 4 and p.shape[1] > 1]

    @property
    def bounds_m(self) -> tuple[float, float]:
        """The nearest and the farthest depth it can say for a camera of `reference_focal`."""
        return self.head.bounds_m

    @property
    def has_confidence(self) -> bool:
        """Whether its head knows how sure it is."""
        return self.head.has_confidence

    @property
    def learns_confidence(self) -> bool:
        """Whether how sure it is must be taught beside the depth."""
        return bool(self.sureness_weights())

    def sureness_weights(self) -> list[nn.Parameter]:
        """What is learned for the confidence alone, beside the depth."""
        own = self.head.sureness if isinstance(self.head, SigmoidHead) else None
        return [] if own is None else list(own.parameters())

    def logits(self, images: Float[Tensor, 'n 3 h w']) -> Float[Tensor, 'n k y x']:
        """Raw answers of the head for images in 0..1, at half of their size."""
        return self.head(self._decoded(images)[0])

    def all_logits(self, images: Float[Tensor, 'n 3 h w']) -> list[Float[Tensor, 'n _ _ _']]:
        """The same, followed by those of the coarser heads: 1/4 of the size, 1/8 and so on."""
        heads = [self.head, *self.coarser_heads]
        return [head(x) for head, x in zip(heads, self._decoded(images), strict=False)]

    def _decoded(self, images: Float[Tensor, 'n 3 h w']) -> list[Float[Tensor, 'n _ _ _']]:
        """Features of the decoder, from fine to coarse."""
        features = self.encoder((images - MEAN) / DEVIATION)
        decoded = [features[-1]]
        for up, skip in zip(self.ups, features[-2::-1], strict=True):
            decoded.append(up(decoded[-1], skip))
        return decoded[:0:-1]

    def to_inverse_depth(
        self, logits: Float[Tensor, 'n k y x'], focal: Float[Tensor, ' n']
    ) -> Float[Tensor, 'n 1 y x']:
        """Inverse depth in 1/m; `focal` in pixels of the input."""
        return self.head.inverse_depth(logits) * self._scale(focal)

    def hint_error(
        self,
        logits: Float[Tensor, 'n k y x'],
        focal: Float[Tensor, ' n'],
        depth_m: Float[Tensor, 'n y x'],
    ) -> Float[Tensor, 'n y x']:
        """What the head loses per pixel when a hint says `depth_m`."""
        return self.head.hint_error(logits, depth_m * self._scale(focal)[:, 0])

    def forward(
        self, images: Float[Tensor, 'n 3 h w'], focal: Float[Tensor, ' n']
    ) -> tuple[Float[Tensor, 'n h w'], Float[Tensor, 'n h w'] | None]:
        """Depth in metres at the input size, and the probability that it is off by less than a
        quarter, where the head knows it.

        Both are interpolated from half of the size, each by itself.
        """
        logits = self.logits(images)
        depth = 1 / _doubled(self.to_inverse_depth(logits, focal))
        confidence = self.head.confidence(logits)
        return depth, None if confidence is None else _doubled(self.calibration(confidence))

    def _scale(self, focal: Tensor) -> Float[Tensor, 'n 1 1 1']:
        """What the reference camera sees at one metre, this one sees at 1 / scale."""
        return (self.reference_focal / focal)[:, None, None, None]


def _doubled(x: Float[Tensor, 'n 1 y x']) -> Float[Tensor, 'n h w']:
    return functional.interpolate(x, scale_factor=2.0, mode='bilinear', align_corners=False)[:, 0]
