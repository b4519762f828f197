# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How many steps fit into the time that was given."""

import logging
import time
from collections.abc import Callable
from statistics import fmean, median
from typing import Any

from lightning_fabric import Fabric

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.feed import Feed, hints_alone_until
from selfdepth_training.step import take_step

log = logging.getLogger(__name__)

# Steps timed in each stage of the schedule, and hints; the first are warm-up and compilation.
WARMUP_STEPS, TIMED_STEPS = 2, 3
# So many more, if they take no more than so many seconds, and no more than this share of all: the
# first ones take a third longer.
SETTLING_STEPS, SETTLING_S, SETTLING_SHARE = 20, 8.0, 0.01
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
    each frame, apart from the steps. `learner` and `optimizers` must be thrown away.
    """
    began = time.monotonic()
    config = feed.config
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group['lr'] = 0.0  # what is measured must not diverge
    hint = _hint_seconds(feed) if config.loss.hint else 0.0
    mean = 0.0
    for begin, end in stages(config, hints_alone_until(feed.source, config)):
        progress = max(end - 1e-3, begin)

        def one_step() -> None:
            batch = feed.batch(0, progress)  # noqa: B023
            take_step(fabric, learner, optimizers, config, batch, 0, progress)  # noqa: B023

        within_s = min(SETTLING_S, SETTLING_SHARE * seconds)
        mean += (end - begin) * _settled_seconds(fabric, one_step, within_s)
    left = seconds * (1 - RESERVE) - (time.monotonic() - began)
    steps = int(fabric.broadcast(steps_and_hints_within(left, mean, hint, feed.source, config)))
    if steps < LEAST_STEPS:
        raise PaceError(
            f'Found room for {max(steps, 0)} steps in the time given, expected {LEAST_STEPS} or '
            f'more (a step takes {mean:.2f} s here; {max(left, 0) / 60:.1f} minutes are left '
            'after frames, masks, motion and measuring). Give more --minutes (frames that are '
            'prepared are kept), or a smaller data.width and data.height.'
        )
    log.info('A step takes %.2f s here: %d steps in %.1f minutes', mean, steps, left / 60)
    return steps


def stages(config: TrainConfig, alone: float) -> list[tuple[float, float]]:
    """Begin and end of each stage of the schedule, as progress: hints, then coarse to fine.

    Up to `alone` steps learn from hints alone, whose images have one size only.
    """
    coarse = (until for until in config.loss.coarse_until if until > alone)
    ends = sorted({*coarse, alone, 1.0} - {0.0})
    return list(zip([0.0, *ends], ends, strict=False))


def steps_and_hints_within(
    seconds: float, step: float, hint: float, source: SampleSource, config: TrainConfig
) -> int:
    """Largest number of steps that, with the hints they need, take no more than `seconds`.

    `step` and `hint` are the seconds that one takes. Every frame needs its hint once: a step on
    hints alone may ask for as many new ones as it has images, others for one each.
    """
    low, high = 0, int(seconds / step)
    while low < high:
        middle = (low + high + 1) // 2
        if middle * step + hint * _frames_seen(middle, source, config) <= seconds:
            low = middle
        else:
            high = middle - 1
    return low


def _frames_seen(steps: int, source: SampleSource, config: TrainConfig) -> float:
    """Frames whose hints one process asks for in a training of so many steps, as expected."""
    frames, alone = len(source), hints_alone_until(source, config)
    rigs = steps * config.data.rigs_per_step
    unseen_views = max(0.0, 1 - alone * rigs / frames)
    unseen = unseen_views**source.cameras * max(0.0, 1 - (1 - alone) * rigs / frames)
    return frames * (1 - unseen)


def _hint_seconds(feed: Feed) -> float:
    """Seconds that one frame's hint takes, its share of the work for several of them included."""
    entries = feed.source.entries[: WARMUP_STEPS + TIMED_STEPS]
    times = [_seconds(lambda: feed.hint(*entry)) for entry in entries]  # noqa: B023
    return fmean(times[WARMUP_STEPS:] or times)


def _settled_seconds(fabric: Fabric, one_step: Callable[[], object], within_s: float) -> float:
    """Seconds that a step takes once memory and clocks have settled, or `within_s` are over."""
    times = [_seconds(one_step) for _ in range(WARMUP_STEPS + TIMED_STEPS)][WARMUP_STEPS:]
    # All processes of a training take as many steps.
    more = int(fabric.broadcast(min(SETTLING_STEPS, int(within_s / min(times)))))
    times += [_seconds(one_step) for _ in range(more)]
    return median(times[len(times) // 2 :])


def _seconds(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start
