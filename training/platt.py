# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A confidence made to say how often it is right on a bag with truth, before it is exported.

Platt, "Probabilistic outputs for support vector machines", 1999: the logit times a gain plus an
offset, fitted by maximum likelihood. Monotone, so which pixel is surer than which stays.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.rig import Rig
from selfdepth_training.evaluate import evaluate
from selfdepth_training.export import ExportError
from selfdepth_training.loaded import LoadedModel
from selfdepth_training.predict import TrainedNetwork
from selfdepth_training.protocols import EvaluationConfig
from selfdepth_training.reliability import Reliability

FRAMES = 40
"""About as many of a bag are looked at."""
ITERATIONS = 50


class PlattScaling(NamedTuple):
    """`sigmoid(gain * logit(confidence) + offset)`."""

    gain: float
    offset: float

    def __call__(self, logits: Float[np.ndarray, ' n']) -> Float[np.ndarray, ' n']:
        """Probabilities of what had these log odds."""
        return 1 / (1 + np.exp((-self.gain * logits - self.offset).clip(-50, 50)))


class ScaledConfidence(nn.Module):
    """The same as a part of a network."""

    def __init__(self, scaling: PlattScaling) -> None:
        super().__init__()
        self.scaling = scaling

    def forward(self, confidence: Float[Tensor, 'n 1 y x']) -> Float[Tensor, 'n 1 y x']:
        """Bounded, since a likelihood of one has no odds in float32."""
        bounded = confidence.clamp(1e-6, 1 - 1e-6)
        odds = torch.log(bounded) - torch.log(1 - bounded)
        return torch.sigmoid(self.scaling.gain * odds + self.scaling.offset)


def measured_on(
    model: LoadedModel,
    reader: BagReader,
    rig: Rig,
    progress: Callable[[Iterator], Iterator] = iter,
) -> Reliability:
    """How right a network's confidence is on frames spread over a bag, by protocol `street`.

    Raises ExportError when the network has none, EvaluationError when the bag has no truth.
    """
    if not model.has_confidence:
        raise ExportError(
            'Found a network that does not know how sure it is, expected a confidence to '
            'calibrate. Train with --set network.confidence=true or network.head=histogram, or '
            'export without --calibrate.'
        )
    config = EvaluationConfig(every=max(1, reader.most_frames // FRAMES))
    found = Reliability(config, model.scale)
    predict = model.predictor(rig, config.flip, found.hear)
    evaluate(predict, reader, rig, config, progress, found.watch, model.scale)
    return found


def fitted(measured: Reliability) -> PlattScaling:
    """The likeliest scaling, by Newton's method; ExportError when sureness is not rightness."""
    count, _, right, _ = measured.sums
    x = measured.logits
    features = np.stack([x, np.ones_like(x)], 1)
    # Unchanged until pixels say otherwise, with the weight of one: the never wrong may still be.
    prior = weights = np.array([1.0, 0.0])
    for _ in range(ITERATIONS):
        likely = PlattScaling(*weights)(x)
        slope = features.T @ (right - count * likely) - (weights - prior)
        curvature = (features.T * (count * likely * (1 - likely))) @ features + np.eye(2)
        step = np.linalg.solve(curvature, slope)
        weights = weights + step * min(1.0, 1.0 / np.abs(step).max().clip(min=1e-12))
        if np.abs(step).max() < 1e-8:
            break
    gain, offset = weights.tolist()
    if not gain > 0:
        raise ExportError(
            f'Found a confidence that is larger where depths are wrong (gain {gain:.2f}), '
            'expected one that grows with how often they are right. Train longer, calibrate on a '
            'bag with more frames, or export without --calibrate.'
        )
    return PlattScaling(gain, offset)


def scaled(measured: Reliability, scaling: PlattScaling) -> Reliability:
    """The same pixels with the confidences that they would then have."""
    after = Reliability(measured.config, measured.scale)
    after.sums = measured.sums.copy()
    after.sums[1] = after.sums[0] * scaling(after.logits)
    return after


def with_scaling(trained: TrainedNetwork, scaling: PlattScaling) -> TrainedNetwork:
    """A copy of the network whose confidence is scaled."""
    network: Any = copy.deepcopy(trained.network)
    network.calibration = ScaledConfidence(scaling)
    return replace(trained, network=network)
