# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a whole training step costs, against the bare forward and backward of its networks.

    python benchmarks/training_speed.py BAG [--size 320x192] [--threads 1] [--json FILE]

A step is everything: images, augmentation, networks, warps, losses, backward, clipping and the
optimizers. Bare is what nobody can save: the same networks on as many images in the same
precision, forward and backward of the sum of what they say. All are taken in turn in one run;
medians are shown. Each stage of the recipe's schedule (coarse images first) is timed, and weighted
by its length. Beside them stands a straightforward loop after Monodepth2 (plain_monodepth2.py)
with the same network. With one thread the clock is the process's CPU time, which other work on the
machine disturbs less.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from plain_monodepth2 import PlainStep, PngSamples

from selfdepth_ros.core.memory import keep_memory
from selfdepth_training import train as training
from selfdepth_training.config import TrainConfig, load_recipe
from selfdepth_training.data.cache import FrameCache, build_cache
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.feed import hints_alone_until
from selfdepth_training.losses.surround import NOW, to_float
from selfdepth_training.masks import with_self_occlusion
from selfdepth_training.pace import stages
from selfdepth_training.processes import fabric_of

GOAL = 1.4
WARMUP = 2
# The photometric form of Full Surround Monodepth: by default fsm learns from hints alone.
RECIPES = {
    'fsm, images': ('fsm', ('network.head=sigmoid', 'loss.hint=0', 'loss.images_from=0')),
    'monodepth2': ('monodepth2', ()),
}
clock = time.process_time
PARTS = 'data', 'forward and losses', 'backward', 'optimizers'


class Stage(NamedTuple):
    """A part of a training's schedule."""

    name: str
    progress: float
    weight: float


class Subject:
    """A recipe that is trained, step by step, as `train` does it."""

    def __init__(self, config: TrainConfig, cache: FrameCache) -> None:
        self.config = config
        self.fabric = fabric_of(config)
        self.fabric.launch()
        rigs = [with_self_occlusion(cache.rig, cache)]
        source = SampleSource([cache], config.data)
        aligned = training.alignments(source, rigs, config)
        self.feed = training._feed(self.fabric, rigs, source, config, aligned)
        self.learner, self.optimizers = training._start(
            self.fabric, config, rigs, source.learn_motion, aligned
        )
        self.learner.train()
        self.turn = 0
        alone = hints_alone_until(source, config)
        self.stages = [
            Stage(f'{begin:.0%} to {end:.0%}', max(end - 1e-3, begin), end - begin)
            for begin, end in stages(config, alone)
        ]

    def step(self, progress: float) -> tuple[float, ...]:
        """A whole step; return the seconds of each of its parts."""
        marks = [clock()]
        self.turn += 1
        batch = self.feed.batch(self.turn, progress)
        marks.append(clock())
        losses = self.learner(batch, progress, [0, self.turn, 0])
        assert torch.isfinite(losses.total)
        marks.append(clock())
        self.fabric.backward(losses.total)
        marks.append(clock())
        if self.config.optimizer.clip:
            self.fabric.clip_gradients(
                self.learner, self.optimizers[0], max_norm=self.config.optimizer.clip
            )
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        marks.append(clock())
        return tuple(np.diff(marks).tolist())

    def images(self) -> torch.Tensor:
        """What a step shows its network."""
        batch: Any = self.feed.batch(0, 1.0)
        return torch.cat([to_float(sample.images[NOW]) for sample in batch.samples])

    def bare(self, images: torch.Tensor) -> float:
        """Seconds of forward and backward alone."""
        began = clock()
        depth = self.learner.module.depth
        with self.fabric.autocast():
            answers = depth.all_logits(images)
        torch.stack([each.float().sum() for each in answers]).sum().backward()
        took = clock() - began
        depth.zero_grad(set_to_none=True)
        return took


class Figures(NamedTuple):
    """Medians of one recipe, in seconds."""

    name: str
    bare: float
    stages: dict[str, float]
    weights: list[float]
    parts: dict[str, float]
    """Of the last stage."""

    @property
    def whole(self) -> float:
        """A step in the mean over the schedule."""
        return sum(w * s for w, s in zip(self.weights, self.stages.values(), strict=True))


def measure(
    subjects: dict[str, Subject], repeats: int, plain: Callable[[], None]
) -> tuple[list[Figures], float]:
    """Take everything in turn, `repeats` times; the first ones warm up and are not counted."""
    images = {name: subject.images() for name, subject in subjects.items()}
    bare: dict[str, list[float]] = {name: [] for name in subjects}
    steps: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    plains: list[float] = []
    for _ in range(WARMUP + repeats):
        for name, subject in subjects.items():
            bare[name].append(subject.bare(images[name]))
            for stage in subject.stages:
                steps.setdefault((name, stage.name), []).append(subject.step(stage.progress))
        began = clock()
        plain()
        plains.append(clock() - began)
    return [
        _figures(name, subject, bare[name], steps) for name, subject in subjects.items()
    ], statistics.median(plains[WARMUP:])


def _figures(
    name: str, subject: Subject, bare: list[float],
    steps: dict[tuple[str, str], list[tuple[float, ...]]],
) -> Figures:  # fmt: skip
    taken = {stage.name: steps[name, stage.name][WARMUP:] for stage in subject.stages}
    medians = {stage: statistics.median(map(sum, found)) for stage, found in taken.items()}
    last = np.median(taken[subject.stages[-1].name], axis=0)
    return Figures(
        name, statistics.median(bare[WARMUP:]), medians,
        [stage.weight for stage in subject.stages], dict(zip(PARTS, last.tolist(), strict=True)),
    )  # fmt: skip


def main() -> None:
    """Print a table, and write it as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('bag', type=Path, help='with odometry, as of `selfdepth synth`')
    parser.add_argument('--size', default='320x192', help='(default: 320x192)')
    parser.add_argument('--threads', type=int, default=1, help='(default: 1)')
    parser.add_argument('--repeats', type=int, default=7, help='(default: 7)')
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    global clock
    clock = time.process_time if args.threads == 1 else time.perf_counter
    torch.set_num_threads(args.threads)
    keep_memory()
    width, height = (int(part) for part in args.size.split('x'))
    size = f'data.width={width}', f'data.height={height}'
    with tempfile.TemporaryDirectory() as folder:
        cache = build_cache(args.bag, folder, width, height, progress=False)
        subjects = {
            name: Subject(load_recipe(recipe, [*size, *settings]), cache)
            for name, (recipe, settings) in RECIPES.items()
        }
        png = Path(folder) / 'png'
        png.mkdir()
        learner = training._start(
            subjects['monodepth2'].fabric,
            subjects['monodepth2'].config,
            [cache.rig],
            False,
            [None],
        )[0]
        plain = PlainStep(PngSamples(cache, png), learner.module)
        figures, plain_s = measure(subjects, args.repeats, plain)
    _tell(figures, plain_s)
    if args.json:
        told = [{**each._asdict(), 'whole': each.whole} for each in figures]
        args.json.write_text(json.dumps({'recipes': told, 'plain_s': plain_s}, indent=1))


def _tell(figures: list[Figures], plain_s: float) -> None:
    for each in figures:
        print(f'{each.name}: bare forward and backward {1e3 * each.bare:.0f} ms')
        for stage, seconds in each.stages.items():
            print(f'  step, {stage:12s}{1e3 * seconds:7.0f} ms  {seconds / each.bare:5.2f} x bare')
        met = 'met' if each.whole <= GOAL * each.bare else 'missed'
        print(f'  over the schedule {1e3 * each.whole:7.0f} ms  {each.whole / each.bare:5.2f} x '
              f'bare (goal {GOAL}: {met})')  # fmt: skip
        parts = ', '.join(f'{name} {1e3 * took:.0f}' for name, took in each.parts.items())
        print(f'  the last stage in ms: {parts}')
    own = figures[-1]
    print(f'a straightforward Monodepth2 step: {1e3 * plain_s:.0f} ms, '
          f'{plain_s / own.whole:.2f} x ours ({plain_s / own.bare:.2f} x bare)')  # fmt: skip


if __name__ == '__main__':
    main()
