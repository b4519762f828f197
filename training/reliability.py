# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a confidence is what it says: how often depths are right, by how sure they are."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from selfdepth_training.evaluate import FrameScores
from selfdepth_training.protocols import EvaluationConfig
from selfdepth_training.scale import Scale

# Confidences are counted by their logit, in bins this wide, up to one in 160,000 of doubt.
LARGEST_LOGIT, BINS = 12.0, 2400


class Decile(NamedTuple):
    """A tenth of the pixels, by confidence."""

    said: float
    """Mean confidence: the probability, as the network has it, of an error below 25 %."""
    right: float
    """Share whose error is below 25 %."""
    abs_rel: float


class Reliability:
    """Counts pixels of an evaluation by confidence; of relative depths, errors are median-scaled.

    `hear` is told the confidences of a frame (`LoadedModel.predictor`), `watch` its truth (as
    `evaluate` shows it); they take turns.
    """

    def __init__(self, config: EvaluationConfig, scale: Scale = 'metric') -> None:
        self.config = config
        self.scale = scale
        # Pixels, their confidences, whether they are right, and relative errors; summed by bin.
        self.sums = np.zeros((4, BINS))
        self._heard: list[Float[np.ndarray, 'h w']] = []

    def hear(self, confidences: list[Float[np.ndarray, 'h w']]) -> None:
        """Take the confidences of the frame that is scored next."""
        self._heard = confidences

    def watch(self, scores: FrameScores) -> None:
        """Count the pixels of a frame that the protocol counts."""
        for confidence, depth, truth, score in zip(
            self._heard, scores.depths, scores.truths, scores.scores, strict=False
        ):
            if depth is None or truth is None or score is None:
                continue
            low, high = self.config.min_depth_m, self.config.max_depth_m
            inside = (truth.z_depth_m > low) & (truth.z_depth_m < high)
            at = truth.v[inside], truth.u[inside]
            factor = score.scale if self.scale == 'relative' else 1.0
            clamped = (factor * depth[at]).clip(*self.config.bounds_m)
            self.count(confidence[at], clamped, truth.z_depth_m[inside])
        self._heard = []

    def count(
        self,
        confidence: Float[np.ndarray, ' n'],
        depth_m: Float[np.ndarray, ' n'],
        true_m: Float[np.ndarray, ' n'],
    ) -> None:
        """Count n pixels."""
        said = confidence.astype(np.float64)
        error = np.abs(depth_m - true_m).astype(np.float64) / true_m
        bins = np.searchsorted(_EDGES, logit(said), side='right')
        for row, weights in enumerate((np.ones_like(said), said, error < 0.25, error)):
            self.sums[row] += np.bincount(bins, weights, BINS)

    @property
    def logits(self) -> Float[np.ndarray, ' b']:
        """Middle of each bin."""
        return (np.arange(BINS) + 0.5) * (2 * LARGEST_LOGIT / BINS) - LARGEST_LOGIT

    def deciles(self) -> list[Decile]:
        """From the least sure tenth of the pixels to the surest; empty where nothing was counted.

        A bin that lies in two tenths is shared between them.
        """
        ends = np.cumsum(self.sums[0])
        if not len(ends) or not ends[-1]:
            return []
        cuts = np.linspace(0, ends[-1], 11)
        begins = ends - self.sums[0]
        found = []
        for low, high in zip(cuts, cuts[1:], strict=False):
            within = (np.minimum(ends, high) - np.maximum(begins, low)).clip(min=0)
            share = within / np.maximum(self.sums[0], 1)
            found.append(Decile(*(self.sums[1:] @ share / (high - low)).tolist()))
        return found


_EDGES = np.linspace(-LARGEST_LOGIT, LARGEST_LOGIT, BINS + 1)[1:-1]


def logit(probability: Float[np.ndarray, ' n']) -> Float[np.ndarray, ' n']:
    """Log odds, within what bins there are."""
    least = 1 / (1 + np.exp(LARGEST_LOGIT))
    bounded = probability.clip(least, 1 - least)
    return np.log(bounded) - np.log1p(-bounded)


def calibration_error(deciles: Sequence[Decile]) -> float:
    """Mean difference between how sure the network was and how often it was right."""
    return float(np.mean([abs(each.said - each.right) for each in deciles]))


def reliability_table(deciles: Sequence[Decile]) -> str:
    """The deciles as people read them, the least sure first."""
    names = ('said', 'right', 'abs_rel')
    rows = [(name, [getattr(each, name) for each in deciles]) for name in names]
    lines = ['-- by confidence, from the least sure tenth of the pixels to the surest']
    lines += [f'{name:<20}' + ''.join(f'{v:>7.3f}' for v in values) for name, values in rows]
    return '\n'.join([*lines, f'{"off by":<20}{calibration_error(deciles):>7.3f}'])


def reliability_to_dict(deciles: Sequence[Decile]) -> dict[str, Any]:
    """Plain values for JSON."""
    return {
        'deciles': [each._asdict() for each in deciles],
        'calibration_error': calibration_error(deciles),
    }
