# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The curves of a training, out of the TensorBoard events beside its checkpoint."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

EVENTS = 'events.out.tfevents.*'


class Curve(NamedTuple):
    """One logged value over the steps."""

    name: str
    steps: Int[np.ndarray, ' n']
    values: Float[np.ndarray, ' n']


def training_curves(source: Path) -> list[Curve]:
    """Curves of a training's folder (or of the folder of its checkpoint); [] where none are."""
    folder = source if source.is_dir() else source.parent
    if not any(folder.glob(EVENTS)):
        return []
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={'scalars': 0})
    events.Reload()
    curves = []
    for tag in events.Tags()['scalars']:
        scalars = events.Scalars(tag)
        steps = np.array([scalar.step for scalar in scalars])
        curves.append(Curve(tag, steps, np.array([scalar.value for scalar in scalars])))
    return curves


def smoothed(values: Float[np.ndarray, ' n']) -> Float[np.ndarray, ' n']:
    """Mean over a twentieth of the curve around each point; shorter at both ends."""
    half = max(1, len(values) // 40)
    total = np.concatenate([[0.0], np.cumsum(values)])
    first = np.maximum(np.arange(len(values)) - half, 0)
    last = np.minimum(np.arange(len(values)) + half + 1, len(values))
    return (total[last] - total[first]) / (last - first)
