# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a training begins from, and that a resumed one goes on from the same."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from selfdepth_ros.bags.discovery import BagTopics
from selfdepth_ros.bags.mapping import GivenTopics, topics_from_dict, topics_of
from selfdepth_ros.core.config import changed, config_from_dict, flat
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.rig import Rig, load_rig, save_rig
from selfdepth_ros.core.rig_difference import EXACT, rig_differences
from selfdepth_training.checkpoint import FILE_NAME
from selfdepth_training.config import TrainConfig, load_recipe
from selfdepth_training.effect import with_teachable_head
from selfdepth_training.initial import Match, matched, read_weights
from selfdepth_training.networks import DepthNetwork

log = logging.getLogger(__name__)

GIVEN_RIG = 'rig_given.yaml'
"""In the training's folder: the rig that it was told to use, for when it is resumed."""


class TrainingError(SelfdepthError):
    """A training that cannot start or go on."""


def require_a_beginning(out: Path, config: TrainConfig) -> None:
    """Refuse, before anything is computed, a folder that is taken or none, and weights that do not
    fit."""
    if (out / FILE_NAME).exists():
        raise TrainingError(
            f'Found a training in {out}, expected an empty folder. Add --resume to go on with it, '
            'or choose another --out.'
        )
    if config.init:
        initial_weights(config, nn.ModuleDict({'depth': DepthNetwork(config.network, 1.0)}))


def with_absolute_paths(config: TrainConfig) -> TrainConfig:
    """The settings with paths that mean the same in every folder that a training is resumed in."""
    data = replace(config.data, label_model=_absolute(config.data.label_model))
    return replace(config, init=_absolute(config.init), data=data)


def _absolute(path: str) -> str:
    return str(Path(path).resolve()) if path else ''


def require_same_bags(given: list[Path], frozen: list[str]) -> None:
    if [bag.resolve() for bag in given] != [Path(bag).resolve() for bag in frozen]:
        raise TrainingError(
            f'Found --resume with {", ".join(map(str, given))}, expected the recordings this '
            f'training began with: {", ".join(frozen)}. Give the same, or choose another --out.'
        )


def frozen_config(state: Mapping[str, Any]) -> TrainConfig:
    """Settings of a checkpoint's training, with the steps that it has (those of --minutes)."""
    return replace(config_from_dict(TrainConfig, state['config']), steps=state['steps'])


def asked_again(
    state: Mapping[str, Any], recipe: str | None, settings: Sequence[str]
) -> TrainConfig:
    """The settings that a resumed training is asked for; what is not said is as it was.

    A recipe says all settings but init, steps and seed, which have options of their own, as has
    the time, from which steps came.
    """
    frozen = frozen_config(state)
    if recipe is None:
        return changed(frozen, settings)
    asked, default = load_recipe(recipe, settings), TrainConfig()
    said = {text.partition('=')[0].strip() for text in settings}
    timed = 'steps' if state.get('minutes') is not None else None
    unsaid = {
        name: getattr(frozen, name)
        for name in ('steps', 'seed')
        if name not in said and (getattr(asked, name) == getattr(default, name) or name == timed)
    }
    return replace(asked, **unsaid)


def require_same_plan(asked: TrainConfig, minutes: float | None, state: Mapping[str, Any]) -> None:
    """Refuse settings, or a time, that a resumed training would not heed."""
    frozen = frozen_config(state)
    require_same_weights(asked.init, frozen.init)
    asked, frozen = (with_absolute_paths(replace(each, init='')) for each in (asked, frozen))
    if minutes is not None:
        asked = replace(asked, steps=frozen.steps)
    said, kept = flat(_with_frozen_head(asked, frozen)), flat(frozen)
    # Checkpoints of before do not tell the time.
    if minutes is not None and minutes != state.get('minutes', minutes):
        said['minutes'], kept['minutes'] = minutes, state['minutes']
    other = [name for name in kept if said[name] != kept[name]]
    if other:
        found, expected = (', '.join(f'{n}={v[n]}' for n in other) for v in (said, kept))
        raise TrainingError(
            f'Found --resume with {found}, expected what this training began with: {expected}. '
            'Leave out what differs (--recipe, --set, --seed, --steps, --minutes), or choose '
            'another --out.'
        )


def _with_frozen_head(asked: TrainConfig, frozen: TrainConfig) -> TrainConfig:
    """With the head that the training took by itself, because of the images."""
    may_learn = 'learned' in (asked.data.with_odometry, asked.data.without_odometry)
    taught = with_teachable_head(asked, may_learn)
    return taught if taught.network.head == frozen.network.head else asked


def require_same_weights(given: str, frozen: str) -> None:
    if given and (not frozen or Path(given).resolve() != Path(frozen).resolve()):
        raise TrainingError(
            f'Found --resume with --init {given}, expected what this training began with: '
            f'{frozen or "none"}. Leave --init out, or choose another --out.'
        )


def require_as_many_processes(given: int, state: Mapping[str, Any] | None) -> None:
    """Refuse another number of processes: steps would have other images, and another count."""
    kept = given if state is None else state.get('processes', given)  # older ones do not tell
    if given != kept:
        raise TrainingError(
            f'Found --resume with {given} process{"es" if given > 1 else ""}, expected as many as '
            f'this training began with: {kept}. Start it '
            f'{f"by torchrun, with {kept} in all" if kept > 1 else "without torchrun"}, or choose '
            'another --out.'
        )


def given_topics(mapping: GivenTopics, state: Mapping[str, Any] | None) -> BagTopics | None:
    """The topics of all recordings, by a mapping file; those of the first start, if resumed."""
    given = topics_of(mapping)
    if state is None:
        return given
    kept = topics_from_dict(state.get('topics'))  # checkpoints of before have none
    if given is not None and given != kept:
        raise TrainingError(
            f'Found --resume with other topics in {mapping}, expected '
            f'{"none" if kept is None else "those"} of a mapping file, as this training began. '
            'Leave --mapping out, or choose another --out.'
        )
    return kept


def given_rig(out: Path, rig_file: Path | None, resume: bool) -> Rig | None:
    """The rig that counts instead of the recordings' own; that of the first start, if resumed."""
    given = None if rig_file is None else load_rig(rig_file)
    if not resume:
        return given
    kept = load_rig(out / GIVEN_RIG) if (out / GIVEN_RIG).exists() else None
    if given is not None and (kept is None or not _same_rig(kept, given)):
        raise TrainingError(
            f'Found --resume with another rig, {rig_file}, expected the one this training began '
            'with. Leave --rig out, or choose another --out.'
        )
    return kept


def _same_rig(first: Rig, second: Rig) -> bool:
    """Whether two rigs are one, their masks too."""
    if rig_differences(first, second, EXACT):
        return False
    masks = ((entry.self_occlusion, second[entry.name].self_occlusion) for entry in first.cameras)
    return all(one is other or np.array_equal(one, other) for one, other in masks)


def initial_weights(config: TrainConfig, network: nn.Module) -> Match:
    """What of the weights to begin with fits a learner; WeightsError when there is nothing."""
    path = Path(config.init)
    return matched(read_weights(path), network, path)


def save_rigs(out: Path, rigs: list[Rig], given: Rig | None, fresh: bool) -> None:
    """Keep the recordings' rigs with their masks and, of a `fresh` training, the one given."""
    out.mkdir(parents=True, exist_ok=True)
    if fresh:
        # That of a training that was stopped before its first checkpoint does not count.
        (out / GIVEN_RIG).unlink(missing_ok=True)
        if given is not None:
            save_rig(given, out / GIVEN_RIG)
    for index, rig in enumerate(rigs):
        save_rig(rig, out / rig_file_name(index))


def rig_file_name(recording: int) -> str:
    """Where the rig of the n-th recording is kept; that of the first is what is deployed."""
    return 'rig.yaml' if recording == 0 else f'rig_{recording}.yaml'


def warn_of_rigs(rigs: Sequence[Rig], bags: Sequence[Path]) -> None:
    """Say which recordings have another rig than the first, and which camera is upside down."""
    pairs = list(zip(rigs, bags, strict=True))
    for index, (rig, bag) in enumerate(pairs):
        if index and (told := rig_differences(rigs[0], rig, names=(str(bags[0]), str(bag)))):
            log.warning(
                'found another rig in %s (%s), kept in %s; rig.yaml is that of %s: put the one '
                'of your robot beside the exported model', bag, told[0].rstrip('.'),
                rig_file_name(index), bags[0],
            )  # fmt: skip
    turned = {item.name: bag for rig, bag in pairs for item in rig.cameras if item.is_upside_down}
    for name, bag in turned.items():
        log.warning(
            '%s is mounted upside down (%s): its lower rows show what is above, where no robot '
            'body is looked for and no network expects the ground; turn its images, and its '
            'CameraInfo and frame with them, by 180 degrees before recording', name, bag,
        )  # fmt: skip
