# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The best of some recipes for a recording, within a time: successive halving.

All are trained for a short time, the better half for longer, and so on (Jamieson and Talwalkar,
"Non-stochastic best arm identification", 2016). Each training is a whole one, with a schedule of
its length: half of a long schedule would say little.
"""

import json
import logging
import math
import shutil
import time
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from selfdepth_ros.bags.discovery import BagTopics
from selfdepth_ros.bags.mapping import GivenTopics, topics_of, topics_to_dict
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.files import write_file
from selfdepth_ros.core.rig import Rig, load_rig
from selfdepth_training.beginning import frozen_config, with_absolute_paths
from selfdepth_training.checkpoint import FILE_NAME, load_checkpoint
from selfdepth_training.config import TrainConfig, load_recipe
from selfdepth_training.data.cache import FrameCache, build_cache, with_rig
from selfdepth_training.data.folder import appearing, only_one
from selfdepth_training.effect import alike
from selfdepth_training.evaluate import Predictor
from selfdepth_training.judge import Judge, Verdict
from selfdepth_training.loaded import load_model
from selfdepth_training.masks import rigs_of
from selfdepth_training.odometry import with_visual_odometry
from selfdepth_training.scale import scale_of
from selfdepth_training.train import train

log = logging.getLogger(__name__)

HELD_OUT = 0.2
BEST, PLAN, SCORE = 'best', 'tune.json', 'score.json'
# Of the time; the rest is for judging and a busy machine.
TRAINING = 0.9


class TuneError(SelfdepthError):
    """A search that cannot start, or in which nothing could be trained."""


@dataclass(frozen=True)
class Candidate:
    """A recipe with changes, as `lite,loss.spatial=0.2,loss.coarse_until=[0.1,0.3,0.5]`."""

    text: str

    def config(self, settings: tuple[str, ...]) -> TrainConfig:
        """Its settings, with those that all share, and the held-out frames."""
        recipe, *own = _parts(self.text)
        config = load_recipe(recipe, [f'data.held_out={HELD_OUT}', *settings, *own])
        if config.data.held_out != HELD_OUT:
            raise TuneError(
                f'Found data.held_out={config.data.held_out} for {self.text}, expected the last '
                f'{HELD_OUT:.0%} of each recording, on which all are judged and none learns. '
                'Leave data.held_out out.'
            )
        return config


def _parts(text: str) -> list[str]:
    """The text cut at its commas, but for those within brackets."""
    parts, depth = [''], 0
    for letter in text:
        depth += (letter in '[{(') - (letter in ']})')
        if letter == ',' and depth == 0:
            parts.append('')
        else:
            parts[-1] += letter
    return parts


@dataclass(frozen=True)
class Budget:
    """How long: minutes of all, or steps of the first round, of which each has twice as many."""

    minutes: float | None
    steps: int | None = None


@dataclass(frozen=True)
class Tried:
    """What became of a candidate in a round (1, 2, ...)."""

    candidate: Candidate
    round: int
    steps: int
    verdict: Verdict | None
    """None where it could not be trained."""
    reason: str = ''
    minutes: float = 0.0
    """That training and judging it have taken, over all parts of a search that was interrupted."""

    @property
    def error(self) -> float:
        """What it is ranked by."""
        return math.inf if self.verdict is None else self.verdict.error


def rounds_of(count: int) -> list[int]:
    """How many candidates each round trains: half as many, until two are left."""
    found = [count]
    while found[-1] > 2:
        found.append((found[-1] + 1) // 2)
    return found


def tune(
    bags: list[Path], out: Path, candidates: list[Candidate], budget: Budget,
    settings: tuple[str, ...] = (), rig_file: Path | None = None, mapping: GivenTopics = None,
) -> list[Tried]:  # fmt: skip
    """Try the candidates; the best is an ordinary training in `out`/best. Best first.

    The same call goes on where it was interrupted. Raises TuneError, and what training raises of
    the recordings themselves.
    """
    began = time.monotonic()
    configs = {each: with_absolute_paths(each.config(settings)) for each in candidates}
    topics = topics_of(mapping)
    asked = _asked(bags, configs, budget, settings, rig_file, topics)
    _refuse_another(out, asked)
    cache_root = out / 'cache'
    caches = _recordings(bags, cache_root, configs[candidates[0]], rig_file, topics)
    _refuse_alike(configs, caches)
    measured = {config.data.body_masks for config in configs.values()}
    rigs = {measure: rigs_of(caches, measure) for measure in measured}
    tried = _without_metres(configs, caches, rigs)
    # All on the same pixels: on the world alone, once a candidate has masks measured.
    judge = _judge(caches, rigs[any(rigs)], configs[candidates[0]])
    # Not before: a mistyped bag is no search.
    write_file(out / PLAN, asked)
    refused = [each.candidate for each in tried]
    left = [candidate for candidate in candidates if candidate not in refused]
    counts = rounds_of(len(left))
    spent = (time.monotonic() - began) / 60
    for number, count in enumerate(counts, 1):
        left = left[:count]
        found = []
        for place, candidate in enumerate(left, 1):
            log.info('round %d of %d: %s (%d of %d)',
                     number, len(counts), candidate.text, place, count)  # fmt: skip
            minutes = None
            if budget.minutes is not None:
                to_come = (len(counts) - number + 1) * count - place + 1
                minutes = _share(TRAINING * budget.minutes - spent, to_come)
            config = configs[candidate]
            if budget.steps is not None:
                config = replace(config, steps=budget.steps << (number - 1))
            folder = out / f'round_{number}' / f'{candidates.index(candidate)}_{config.name}'
            arguments = bags, folder, config, minutes, cache_root, rig_file, topics
            found.append(_tried(candidate, number, judge, *arguments))
            spent += found[-1].minutes
        found.sort(key=lambda each: each.error)
        tried = found + [each for each in tried if each.candidate not in left]
        left = [each.candidate for each in found if each.verdict is not None]
        if not left:
            raise TuneError(f'Found no recipe that could be trained: {found[0].reason}')
    best = tried[0]
    name = f'{candidates.index(best.candidate)}_{configs[best.candidate].name}'
    _keep(out / f'round_{best.round}' / name, out / BEST)
    return tried


def _share(left_minutes: float, trainings: int) -> float:
    """Minutes of one training, if so many as long as this one are to come, itself among them.

    Rounds last alike: a later one has fewer trainings, and they are longer.
    """
    return max(0.0, left_minutes) / trainings


def _asked(
    bags: list[Path], configs: dict[Candidate, TrainConfig], budget: Budget,
    settings: tuple[str, ...], rig_file: Path | None, topics: BagTopics | None,
) -> str:  # fmt: skip
    asked = {
        'bags': [str(bag.resolve()) for bag in bags],
        'candidates': [candidate.text for candidate in configs],
        'minutes': budget.minutes, 'steps': budget.steps, 'settings': list(settings),
        'rig': None if rig_file is None else str(rig_file.resolve()),
    }  # fmt: skip
    # A relative path means another file in another folder.
    named = {path for each in configs.values() for path in (each.init, each.data.label_model)}
    if any(named):
        asked['files'] = sorted(named - {''})
    if topics is not None:
        asked['topics'] = topics_to_dict(topics)
    return json.dumps(asked, indent=1)


def _refuse_another(out: Path, asked: str) -> None:
    """Refuse another search in the same folder."""
    path = out / PLAN
    if path.exists() and path.read_text('utf-8') != asked:
        raise TuneError(
            f'Found another search in {out}, expected the same bags, files, recipes and time, '
            'with which it goes on. Choose another --out.'
        )


def _recordings(
    bags: list[Path], cache_root: Path, config: TrainConfig, rig_file: Path | None,
    topics: BagTopics | None,
) -> list[FrameCache]:  # fmt: skip
    data = config.data
    size = data.width, data.height
    caches = [build_cache(bag, cache_root, *size, mapping=topics) for bag in bags]
    if rig_file is None:
        return caches
    return [with_rig(cache, load_rig(rig_file)) for cache in caches]


def _refuse_alike(configs: dict[Candidate, TrainConfig], caches: list[FrameCache]) -> None:
    """Refuse candidates that would be the same training twice."""
    odometry = [cache.world_from_body is not None for cache in caches]
    for one, other in combinations(configs, 2):
        why = alike(configs[one], configs[other], odometry)
        if why is not None:
            raise TuneError(
                f'Found {one.text} and {other.text}, which would train the same network: {why}. '
                'Expected candidates that differ in what counts. Leave one out, or change another '
                'setting.'
            )


def _without_metres(
    configs: dict[Candidate, TrainConfig], caches: list[FrameCache], rigs: dict[bool, list[Rig]]
) -> list[Tried]:
    """Candidates that would not learn metres, which no time is spent on; not all of them.

    `rigs`: of the recordings, by whether masks are measured (data.body_masks).
    """
    refused = []
    for candidate, config in configs.items():
        reason = _lack_of_metres(config, caches, rigs[config.data.body_masks])
        if reason:
            log.warning('%s is not tried: %s', candidate.text, reason)
            refused.append(Tried(candidate, 1, 0, None, reason))
    if len(refused) == len(configs):
        raise TuneError(f'Found no recipe that could be judged: {refused[0].reason}')
    return refused


def _lack_of_metres(config: TrainConfig, caches: list[FrameCache], rigs: list[Rig]) -> str:
    try:
        if scale_of(caches, rigs, config) == 'metric':
            return ''
    except SelfdepthError as error:
        return str(error)
    return (
        'Found nothing that would teach it metres, expected some: overlaps and LiDAR compare '
        'nothing else. Take a recipe that uses odometry, or its estimate where cameras overlap '
        '(data.without_odometry=visual).'
    )


def _judge(caches: list[FrameCache], rigs: list[Rig], config: TrainConfig) -> Judge:
    moved = [
        with_visual_odometry(cache, rig, config) if cache.world_from_body is None else cache
        for cache, rig in zip(caches, rigs, strict=True)
    ]
    return Judge(moved, rigs, config)


def _tried(
    candidate: Candidate, number: int, judge: Judge, bags: list[Path], folder: Path,
    config: TrainConfig, minutes: float | None, cache_root: Path, rig_file: Path | None,
    topics: BagTopics | None,
) -> Tried:  # fmt: skip
    """Train a candidate, or go on with its training, and judge it; once."""
    score, began, before = folder / SCORE, time.monotonic(), 0.0
    if not score.exists():
        try:
            resume = (folder / FILE_NAME).exists()
            if resume:
                state = load_checkpoint(folder)
                # Its plan is that of its first start; what time is left now is another number.
                config, minutes, before = frozen_config(state), None, state['seconds']
            rig_file = None if resume else rig_file
            train(bags, folder, config, minutes, resume, cache_root, rig_file, topics)
            verdict = judge.verdict(_predictors(folder, judge))
        except SelfdepthError as error:
            log.warning('%s: %s', candidate.text, error)
            took = (time.monotonic() - began + before) / 60
            return Tried(candidate, number, 0, None, str(error), took)
        took = (time.monotonic() - began + before) / 60
        write_file(score, json.dumps(verdict.to_dict() | {'minutes': took}))
    state, found = load_checkpoint(folder), json.loads(score.read_text('utf-8'))
    took = found.pop('minutes', state['seconds'] / 60)  # searches of before do not tell
    return Tried(candidate, number, state['step'], Verdict(**found), minutes=took)


def _predictors(folder: Path, judge: Judge) -> list[Predictor]:
    model = load_model(folder)
    return [model.predictor(rig, flip=False) for rig in judge.rigs]


def _keep(folder: Path, best: Path) -> None:
    """Copy the training, whole or not at all."""
    with only_one(best), appearing(best) as partial:
        shutil.copytree(folder, partial, dirs_exist_ok=True)
