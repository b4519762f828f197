# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Heads: how the last features say a depth, what a hint makes of it, and how sure it is.

Depths are those that a camera of the reference focal length would have; `DepthNetwork` scales.
"""

import math
from dataclasses import replace
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import skip_init

from selfdepth_training.config import NetworkConfig

# A relative error below 25 %: abs(depth - true) < true / 4.
NEAREST_TRUE, FARTHEST_TRUE = 1 / 1.25, 1 / 0.75
SURENESS_CHANNELS = 16
# Mean deviations of log depth that can be learned: half a percent, and a factor of e.
LOG_WIDTHS = math.log(0.005), 1.0


class Head(Protocol):
    """A convolution that ends in logits, and their meaning."""

    bounds_m: tuple[float, float]
    """The nearest and the farthest depth that it can say."""

    @property
    def has_confidence(self) -> bool:
        """Whether it knows how sure it is."""

    def __call__(self, features: Float[Tensor, 'n c y x']) -> Float[Tensor, 'n k y x']:
        """Raw answers, float32."""

    def inverse_depth(self, logits: Float[Tensor, 'n k y x']) -> Float[Tensor, 'n 1 y x']:
        """Inverse depth in 1/m."""

    def hint_error(
        self, logits: Float[Tensor, 'n k y x'], depth_m: Float[Tensor, 'n y x']
    ) -> Float[Tensor, 'n y x']:
        """What is lost per pixel when the depth is this one."""

    def confidence(self, logits: Float[Tensor, 'n k y x']) -> Float[Tensor, 'n 1 y x'] | None:
        """Probability of a relative error below 25 %; None where the head does not know."""


class SigmoidHead(nn.Conv2d):
    """One number: inverse depth through a sigmoid between fixed bounds (Godard et al. 2017).

    With `network.confidence` a second channel is the logit of how likely its relative error is
    below 25 %. Its layers hang on the features without a gradient, and draw no random numbers of
    the training's: the depth is learned as it is without them.
    """

    channels = 1

    def __init__(self, inputs: int, config: NetworkConfig) -> None:
        super().__init__(inputs, self.channels, 3, padding=1)
        self.bounds_m = config.min_depth_m, config.max_depth_m
        self.near, self.far = 1 / config.min_depth_m, 1 / config.max_depth_m
        share = (1 / config.initial_depth_m - self.far) / (self.near - self.far)
        nn.init.normal_(self.weight, std=1e-3)
        nn.init.constant_(self.bias, math.log(share / (1 - share)))
        self.sureness = _sureness(inputs) if config.confidence else None

    @property
    def has_confidence(self) -> bool:
        """See `Head`."""
        return self.sureness is not None

    def forward(self, features: Tensor) -> Tensor:
        """In float32 under autocast too: 8 bits of mantissa are depth steps of half a percent."""
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            said = super().forward(features)
            if self.sureness is None:
                return said
            return torch.cat([said, self.sureness(features.detach())], 1)

    def inverse_depth(self, logits: Tensor) -> Tensor:
        """See `Head`."""
        return self.far + (self.near - self.far) * torch.sigmoid(logits[:, :1].contiguous())

    def hint_error(self, logits: Tensor, depth_m: Tensor) -> Tensor:
        """Difference of the logarithms."""
        return (torch.log(self.inverse_depth(logits)[:, 0]) + torch.log(depth_m)).abs()

    def confidence(self, logits: Tensor) -> Tensor | None:
        """As learned (training/sureness.py); None without `network.confidence`."""
        return None if self.sureness is None else torch.sigmoid(logits[:, 1:])


class LaplaceHead(SigmoidHead):
    """A second number beside it: how far off it may be.

    What is told is taken for drawn from a Laplace distribution of log depth around what is said;
    its width is learned as its likelihood has it, so that labels which no image explains pull less
    (Kendall and Gal, "What uncertainties do we need in Bayesian deep learning for computer
    vision?", 2017; Klodt and Vedaldi 2018).
    """

    has_confidence = True
    channels = 2

    def __init__(self, inputs: int, config: NetworkConfig) -> None:
        super().__init__(inputs, replace(config, confidence=False))
        nn.init.zeros_(self.bias[1:])

    def inverse_depth(self, logits: Tensor) -> Tensor:
        """See `Head`."""
        return super().inverse_depth(logits[:, :1])

    def hint_error(self, logits: Tensor, depth_m: Tensor) -> Tensor:
        """Negative log likelihood, but for a constant."""
        log_width = self._log_width(logits)[:, 0]
        return super().hint_error(logits, depth_m) * torch.exp(-log_width) + log_width

    def confidence(self, logits: Tensor) -> Tensor:
        """Likelihood of the depths for which the error of what is said is below 25 %."""
        narrowness = torch.exp(-self._log_width(logits))
        nearer = torch.exp(math.log(NEAREST_TRUE) * narrowness)
        farther = torch.exp(-math.log(FARTHEST_TRUE) * narrowness)
        return 1 - (nearer + farther) / 2

    def _log_width(self, logits: Tensor) -> Float[Tensor, 'n 1 y x']:
        """Logarithm of the mean deviation of log depth, between bounds."""
        narrowest, widest = LOG_WIDTHS
        return narrowest + (widest - narrowest) * torch.sigmoid(logits[:, 1:])


class HistogramHead(nn.Conv2d):
    """How likely each of some intervals of log depth is; the answer is their median.

    At an outline a pixel is near or far, and one number that is taught by both ends between them.
    A distribution keeps both apart (Fu et al., "Deep ordinal regression network", 2018), and says
    how sure it is. Its median is the depth that the absolute error of the logarithm asks for.
    """

    has_confidence = True

    def __init__(self, inputs: int, config: NetworkConfig) -> None:
        super().__init__(inputs, config.intervals, 1)
        nn.init.normal_(self.weight, std=1e-3)
        nn.init.zeros_(self.bias)
        self.nearest = math.log(config.min_depth_m)
        self.interval = math.log(config.max_depth_m / config.min_depth_m) / config.intervals
        # What lies at or beyond an end is learned as the middle of the last interval.
        half = math.exp(self.interval / 2)
        self.bounds_m = config.min_depth_m * half, config.max_depth_m / half
        index = torch.arange(config.intervals, dtype=torch.float32)
        self.register_buffer('index', index[:, None, None], persistent=False)
        # As a convolution, since not every runtime has a cumulative sum.
        nearer = torch.ones(config.intervals, config.intervals).tril(-1)[..., None, None]
        self.register_buffer('nearer', nearer, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """As autocast says in training, where rounding averages out; float32 everywhere else."""
        return super().forward(features).float()

    def inverse_depth(self, logits: Tensor) -> Tensor:
        """See `Head`."""
        with torch.autocast(logits.device.type, enabled=False):
            likelihood = _likelihood(logits)
            place = self._median(likelihood)
            if self.training:
                # The gradient of a median between two peaks has no bound: it moves as the mean.
                mean = (likelihood * (self.index + 0.5)).sum(1, keepdim=True)
                place = mean + (place - mean).detach()
            return torch.exp(-self.nearest - self.interval * place)

    def hint_error(self, logits: Tensor, depth_m: Tensor) -> Tensor:
        """Cross-entropy with a box of two intervals around the hint.

        The interval that the hint lies in is always inside the box, so that a median between its
        bounds is exactly the hint.
        """
        count = len(self.index)
        place = ((torch.log(depth_m) - self.nearest) / self.interval).clamp(1e-3, count - 1e-3)
        interval = place.long()
        share = place - interval
        nearest, farthest = (interval - 1).clamp(min=0), (interval + 1).clamp(max=count - 1)
        # Channels last, as they lie in memory.
        log_likelihood = logits.permute(0, 2, 3, 1).log_softmax(-1)
        three = log_likelihood.gather(-1, torch.stack([nearest, interval, farthest], -1))
        weights = torch.stack([(1 - share) / 2, torch.full_like(share, 0.5), share / 2], -1)
        return -(weights * three).sum(-1)

    def confidence(self, logits: Tensor) -> Tensor:
        """Likelihood of the depths for which the median's relative error is below 25 %."""
        with torch.autocast(logits.device.type, enabled=False):
            likelihood = _likelihood(logits)
            median = self._median(likelihood)
            inside = self._share_below(median + math.log(FARTHEST_TRUE) / self.interval)
            inside = inside - self._share_below(median + math.log(NEAREST_TRUE) / self.interval)
            return (likelihood * inside).sum(1, keepdim=True)

    def _median(self, likelihood: Tensor) -> Tensor:
        """Where half of the likelihood is nearer, counted in intervals from the nearest depth."""
        nearer = functional.conv2d(likelihood, self.nearer)
        return ((0.5 - nearer) / likelihood.clamp(min=1e-20)).clamp(0, 1).sum(1, keepdim=True)

    def _share_below(self, place: Float[Tensor, 'n 1 y x']) -> Float[Tensor, 'n k y x']:
        """Share of each interval that is nearer than a place."""
        return (place - self.index).clamp(0, 1)


def _sureness(inputs: int) -> nn.Sequential:
    """Two convolutions that end in one logit, which is zero until they learn."""
    middle = skip_init(nn.Conv2d, inputs, SURENESS_CHANNELS, 3, padding=1)
    last = skip_init(nn.Conv2d, SURENESS_CHANNELS, 1, 1)
    own = torch.Generator().manual_seed(0)
    nn.init.kaiming_normal_(middle.weight, nonlinearity='relu', generator=own)
    for zero in (middle.bias, last.weight, last.bias):
        nn.init.zeros_(zero)
    return nn.Sequential(middle, nn.ReLU(), last)


def _likelihood(logits: Float[Tensor, 'n k y x']) -> Float[Tensor, 'n k y x']:
    """Softmax over the channels; ONNX Runtime's own carries them to the end and back for it, which
    takes a quarter of the network's time."""
    weights = torch.exp(logits - logits.amax(1, keepdim=True))
    return weights / weights.sum(1, keepdim=True)


HEADS = {'histogram': HistogramHead, 'sigmoid': SigmoidHead, 'laplace': LaplaceHead}
