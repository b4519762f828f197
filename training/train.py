# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Training: one loop that reads top to bottom."""

import logging
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric, seed_everything
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from selfdepth_ros.bags.discovery import BagTopics
from selfdepth_ros.bags.mapping import GivenTopics, topics_to_dict
from selfdepth_ros.core.config import config_from_dict, to_dict
from selfdepth_ros.core.memory import keep_memory
from selfdepth_ros.core.rig import Rig
from selfdepth_training.beginning import (
    given_rig,
    given_topics,
    initial_weights,
    require_a_beginning,
    require_as_many_processes,
    require_same_bags,
    require_same_plan,
    save_rigs,
    warn_of_rigs,
    with_absolute_paths,
)
from selfdepth_training.checkpoint import FILE_NAME, load_checkpoint, save_checkpoint
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.cache import FrameCache, build_cache, with_rig
from selfdepth_training.data.samples import LABEL_LEVEL, SampleSource
from selfdepth_training.effect import (
    compares_times,
    warn_of_settings_without_part,
    with_teachable_head,
)
from selfdepth_training.feed import Feed
from selfdepth_training.geometry import Alignments, RigGeometry, common_depth_kind
from selfdepth_training.guards import only_training, room_on_device
from selfdepth_training.intensity import alignments
from selfdepth_training.labels import LABELS
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.masks import rigs_of
from selfdepth_training.odometry import with_visual_odometry
from selfdepth_training.optimizers import optimizers_of, rate_share
from selfdepth_training.pace import steps_within
from selfdepth_training.parallel import share_norms
from selfdepth_training.processes import fabric_of
from selfdepth_training.scale import Scale, scale_of, warn_of
from selfdepth_training.step import take_step

log = logging.getLogger(__name__)

LOG_EVERY = 20


@dataclass(frozen=True)
class Plan:
    """What is frozen when a training starts, so that a resumed one is the same training."""

    config: TrainConfig
    steps: int
    bags: tuple[str, ...]
    """As they were named."""
    paths: tuple[str, ...]
    """The same, absolute: another folder may have a bag of the same name."""
    command: str
    scale: Scale
    topics: BagTopics | None
    """Of a mapping file; None: found by their names."""
    minutes: float | None
    """Whole time that was given, if one was."""
    processes: int
    """Each has images of its own in every step."""


@room_on_device()
def train(
    bags: list[Path], out: Path, config: TrainConfig, minutes: float | None = None,
    resume: bool = False, cache_root: Path | None = None, rig_file: Path | None = None,
    mapping: GivenTopics = None,
) -> Path:  # fmt: skip
    """Learn depth from recordings without labels; return the checkpoint.

    `minutes` bounds the whole run, cache included: the step time is measured once and the number
    of steps is then frozen in the checkpoint. `resume` continues `out` bit for bit on a CPU, and
    refuses another `config` or `minutes` than those it began with.
    `rig_file` is the rig of all recordings, instead of what they say themselves; `mapping` a
    mapping file, or its content, with the names of their topics.
    Raises TrainingError, CalibrationError, BagError, CheckpointError or WeightsError, each with
    what to do.
    """
    started = time.monotonic()
    state, config = _beginning(bags, out, config, minutes, resume)
    with only_training(out):
        topics = given_topics(mapping, state)
        keep_memory()
        fabric = _launched(config, state)
        caches = _caches(fabric, bags, cache_root or out / 'cache', config, topics)
        given = given_rig(out, rig_file, resume)
        if given is not None:
            caches = [with_rig(cache, given) for cache in caches]
        rigs = rigs_of(caches, config.data.body_masks)
        warn_of_rigs(rigs, bags)
        scale = scale_of(caches, rigs, config)
        warn_of(scale)
        odometry = [cache.world_from_body is not None for cache in caches]
        warn_of_settings_without_part(config, odometry)
        caches = _with_motion(fabric, caches, rigs, config)
        source = SampleSource(caches, config.data, alone=not compares_times(config, odometry))
        if state is None:
            config = _with_teachable_head(config, source.learn_motion)
        aligned = alignments(source, rigs, config)
        feed = _feed(fabric, rigs, source, config, aligned)

        paths = tuple(str(bag.resolve()) for bag in bags)
        if state is not None:
            told, minutes = tuple(state['bags']), state.get('minutes', minutes)
            steps, command = state['steps'], state['command']
        else:
            steps = config.steps
            if minutes is not None:
                seconds = 60 * minutes - (time.monotonic() - started)
                steps = _steps_within(fabric, rigs, aligned, feed, seconds)
            command = shlex.join(['selfdepth', *sys.argv[1:]])
            told = tuple(map(str, bags))
        plan = Plan(config, steps, told, paths, command, scale, topics, minutes, fabric.world_size)
        if fabric.is_global_zero:
            save_rigs(out, rigs, given, fresh=state is None)
        return _run(fabric, plan, rigs, aligned, feed, out, state)


def _beginning(
    bags: list[Path], out: Path, config: TrainConfig, minutes: float | None, resume: bool
) -> tuple[dict[str, Any] | None, TrainConfig]:
    """What a training goes on from (None: nothing), and its settings."""
    if not resume:
        require_a_beginning(out, config)
        return None, with_absolute_paths(config)
    state = load_checkpoint(out)
    # Checkpoints of before have the bags as they were typed and no more.
    require_same_bags(bags, state.get('paths', state['bags']))
    require_same_plan(config, minutes, state)
    return state, config_from_dict(TrainConfig, state['config'])


def _launched(config: TrainConfig, state: dict[str, Any] | None) -> Fabric:
    fabric = fabric_of(config)
    fabric.launch()
    require_as_many_processes(fabric.world_size, state)
    return fabric


def _steps_within(
    fabric: Fabric, rigs: list[Rig], aligned: Alignments, feed: Feed, seconds: float
) -> int:
    """How many steps fit; what they are measured with is gone afterwards."""
    learner, optimizers = _start(fabric, feed.config, rigs, feed.source.learn_motion, aligned)
    return steps_within(fabric, learner, optimizers, feed, seconds)


def _run(
    fabric: Fabric, plan: Plan, rigs: list[Rig], aligned: Alignments, feed: Feed, out: Path,
    state: dict[str, Any] | None,
) -> Path:  # fmt: skip
    """The loop: samples, loss, backward, clip, step, log, checkpoint."""
    config = plan.config
    learner, optimizers = _start(fabric, config, rigs, feed.source.learn_motion, aligned)
    first, seconds = 0, 0.0
    if state is not None:
        learner.module.load_state_dict(state['learner'])
        for optimizer, saved in zip(optimizers, state['optimizers'], strict=True):
            optimizer.load_state_dict(saved)
        first, seconds = state['step'], state['seconds']
    elif config.init:
        match = initial_weights(config, learner.module)
        learner.module.load_state_dict(match.taken, strict=False)
        log.info('%s\n%s', config.init, match.told())
    learner.train()
    begun = time.monotonic()
    feed.prepare(range(first, plan.steps), plan.steps)
    seconds += time.monotonic() - begun
    board = SummaryWriter(str(out), purge_step=first) if fabric.is_global_zero else None
    bar = tqdm(
        range(first, plan.steps), 'train', plan.steps, initial=first, unit='step',
        disable=not fabric.is_global_zero, dynamic_ncols=True, mininterval=1.0,
    )  # fmt: skip
    last_save = last_step = time.monotonic()
    for step in bar:
        progress = step / plan.steps
        share = rate_share(config.optimizer, progress)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group['lr'] = share * group['peak']
        losses = take_step(
            fabric, learner, optimizers, config, feed.batch(step, progress), step, progress
        )
        now = time.monotonic()
        seconds, last_step = seconds + now - last_step, now
        if step % LOG_EVERY == 0 and board is not None:
            _log(board, bar, step, losses.terms, share)
        done = step + 1
        if done == plan.steps or now - last_save > config.checkpoint_seconds:
            if fabric.is_global_zero:
                save_checkpoint(out / FILE_NAME, _state(plan, learner, optimizers, done, seconds))
            last_save = now
    if board is not None:
        board.close()
    return out / FILE_NAME


def _start(
    fabric: Fabric, config: TrainConfig, rigs: list[Rig], learn_motion: bool, aligned: Alignments
) -> tuple[Any, list[Any]]:
    """A fresh learner and its optimizers, the same for the same seed."""
    seed_everything(config.seed, verbose=False)
    learner = SurroundLearner(config, rigs, learn_motion, aligned)
    if fabric.world_size > 1:
        share_norms(learner.depth)
    learner.to(memory_format=torch.channels_last)
    learner, *optimizers = fabric.setup(learner, *optimizers_of(learner, config.optimizer))
    return learner, optimizers


def _feed(
    fabric: Fabric, rigs: list[Rig], source: SampleSource, config: TrainConfig, aligned: Alignments
) -> Feed:
    """What steps are fed; hints that measuring the pace has asked for are kept."""
    size = config.data.width >> LABEL_LEVEL, config.data.height >> LABEL_LEVEL
    kind = common_depth_kind(rigs)
    tables = [
        RigGeometry.of(rig, *size, kind, fabric.device, alignment)
        for rig, alignment in zip(rigs, aligned, strict=True)
    ]
    with fabric.rank_zero_first():
        labels = LABELS[config.data.labels](source, tables, config)
    return Feed(fabric, source, labels, config)


def _caches(
    fabric: Fabric, bags: list[Path], root: Path, config: TrainConfig, topics: BagTopics | None
) -> list[FrameCache]:
    """Frame caches of all bags, built by the first process while the others wait."""
    caches: list[FrameCache] = []
    with fabric.rank_zero_first():
        for bag in bags:
            size = config.data.width, config.data.height
            caches.append(build_cache(bag, root, *size, mapping=topics))
    return caches


def _with_motion(
    fabric: Fabric, caches: list[FrameCache], rigs: list[Rig], config: TrainConfig
) -> list[FrameCache]:
    """The caches, all with poses; missing ones are estimated by the first process, where the
    recipe has it so."""
    if config.data.without_odometry != 'visual':
        return caches
    found = []
    with fabric.rank_zero_first():
        for cache, rig in zip(caches, rigs, strict=True):
            missing = cache.world_from_body is None
            found.append(with_visual_odometry(cache, rig, config) if missing else cache)
    return found


def _with_teachable_head(config: TrainConfig, learn_motion: bool) -> TrainConfig:
    taught = with_teachable_head(config, learn_motion)
    if taught != config:
        log.info(
            'Images teach one depth per pixel (%s): network.head is sigmoid instead of %s, and '
            'there is %s confidence (network.confidence)',
            'the motion is learned with them' if learn_motion else 'loss.hint is 0',
            config.network.head, 'a' if config.network.confidence else 'no',
        )  # fmt: skip
    return taught


def _state(
    plan: Plan, learner: Any, optimizers: list[Any], step: int, seconds: float
) -> dict[str, Any]:
    return {
        'learner': learner.module.state_dict(),
        'optimizers': [optimizer.state_dict() for optimizer in optimizers],
        'step': step,
        'steps': plan.steps,
        'seconds': seconds,
        'bags': list(plan.bags),
        'paths': list(plan.paths),
        'command': plan.command,
        'scale': plan.scale,
        'topics': topics_to_dict(plan.topics),
        'minutes': plan.minutes,
        'processes': plan.processes,
        'config': to_dict(plan.config),
        'cameras': list(learner.module.rigs[0].names),
        'depth_kind': learner.module.depth_kind,
    }


def _log(board: SummaryWriter, bar: Any, step: int, terms: dict, share: float) -> None:
    values = {name: value.item() for name, value in terms.items()}
    for name, value in values.items():
        board.add_scalar(f'loss/{name}', value, step)
    board.add_scalar('share_of_peak_learning_rate', share, step)
    bar.set_postfix({name: f'{value:.4f}' for name, value in values.items()}, refresh=False)
