# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How many steps fit into the time that was given."""

import logging
import time
from collections.abc import Callable
from typing import Any

from lightning_fabric import Fabric

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_training.config import TrainConfig
from selfdepth_training.feed import Feed

log = logging.getLogger(__name__)

# Steps timed in each stage of the schedule; the first ones are warm-up, compilation included.
WARMUP_STEPS, TIMED_STEPS = 2, 3
# Share of the time kept back for checkpoints, logs and a machine that is a little busier.
RESERVE = 0.05
LEAST_STEPS = 10


class PaceError(SelfdepthError):
    """Too little time for a training."""


def steps_within(
    fabric: Fabric, learner: Any, optimizers: list[Any], feed: Feed, seconds: float
) -> int:
    """Return the number of steps that fit into `seconds`, from the measured pace of this machine.

    Each stage of the schedule is timed on its own, and the hints, which are computed once for
    each frame, apart from the steps. `learner` is trained by this and must be thrown away.
    """
    began = time.monotonic()
    config, hints = feed.config, []
    mean = 0.0
    for begin, end in stages(config):
        progress = max(end - 1e-3, begin)
        times = []
        for step in range(WARMUP_STEPS + TIMED_STEPS):
            hints.append(_seconds(lambda: feed.batch(step, progress)))  # noqa: B023
            batch = feed.batch(step, progress)

            def one_step() -> None:
                losses = learner(batch, progress, [step])  # noqa: B023
                fabric.backward(losses.total)
                for optimizer in optimizers:
                    optimizer.step()
                    optimizer.zero_grad(set_to_none=True)
                losses.total.item()

            times.append(_seconds(one_step))
        mean += (end - begin) * min(times[WARMUP_STEPS:])
    # The first stage's draws computed their frames' hints; later ones found them kept.
    once = min(hints[WARMUP_STEPS : WARMUP_STEPS + TIMED_STEPS]) * len(feed.source)
    left = seconds * (1 - RESERVE) - (time.monotonic() - began)
    steps = int(fabric.broadcast(int(max(left - once, 0.5 * left) / mean)))
    if steps < LEAST_STEPS:
        raise PaceError(
            f'Found room for {max(steps, 0)} steps in the time given, expected {LEAST_STEPS} or '
            f'more (a step takes {mean:.2f} s here). Give more --minutes, or a smaller data.width '
            'and data.height.'
        )
    log.info('A step takes %.2f s here: %d steps in %.1f minutes', mean, steps, left / 60)
    return steps


def stages(config: TrainConfig) -> list[tuple[float, float]]:
    """Begin and end of each stage of the coarse-to-fine schedule, as progress."""
    ends = [*sorted(config.loss.coarse_until), 1.0]
    return list(zip([0.0, *ends], ends, strict=False))


def _seconds(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start
