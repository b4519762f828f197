# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether what is learned from some recordings comes in metres, and what becomes of it if not."""

import logging
from typing import Literal

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.rig import Rig
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.cache import FrameCache
from selfdepth_training.effect import alone_until

log = logging.getLogger(__name__)

Scale = Literal['metric', 'relative']


class ScaleError(SelfdepthError):
    """Depths without metres where metres are needed."""


def scale_of(caches: list[FrameCache], rigs: list[Rig], config: TrainConfig) -> Scale:
    """What the depths will be: in metres, or in a unit that nobody knows.

    A recipe with `scale: metric` wants metres in every recording, and overlaps where there is no
    odometry; CalibrationError and ScaleError say what lacks. With `scale: any` one recording that
    has metres gives them to the network that all share, unless others are tracked in units of
    their own (training/landmarks.py): that is a ScaleError too, as are labels in metres beside
    such a unit.
    """
    if _labelled(config):
        _require_unit_of_labels(caches, rigs, config)
    metric = [_has_metres(cache, rig, config) for cache, rig in zip(caches, rigs, strict=True)]
    if config.scale == 'any':
        _require_one_unit(caches, metric, config)
        return 'metric' if any(metric) else 'relative'
    for cache, rig, known in zip(caches, rigs, metric, strict=True):
        if cache.world_from_body is None and not _labelled(config):
            rig.require_overlap()
        if not known:
            raise ScaleError(
                f'Found nothing in {cache.source} from which recipe {config.name!r} would learn '
                'metres, expected odometry, overlaps (loss.spatial) or LiDAR. Record with '
                'odometry, or --set scale=any, which learns depth up to a factor.'
            )
    return 'metric'


def _require_one_unit(caches: list[FrameCache], metric: list[bool], config: TrainConfig) -> None:
    """Motion found without odometry and overlaps has a unit of its own in each recording."""
    if config.data.without_odometry != 'visual':
        return
    own = [c for c, known in zip(caches, metric, strict=True)
           if not known and c.world_from_body is None]  # fmt: skip
    if own and any(metric):
        raise ScaleError(
            f'Found recordings in metres beside {own[0].source}, which has neither odometry nor '
            'overlaps, so that its motion is found in a unit of its own; expected one or the '
            'other. Train from them apart, or --set data.without_odometry=learned.'
        )
    if len(own) > 1:
        log.warning(
            '%d recordings without odometry and overlaps: the motion of each is found in a unit '
            'of its own (the median of its first corners), so that depths are right up to factors '
            'that differ.', len(own),
        )  # fmt: skip


def _require_unit_of_labels(
    caches: list[FrameCache], rigs: list[Rig], config: TrainConfig
) -> None:
    """Images compared over a motion in a unit of its own would teach other depths than labels."""
    data = config.data
    if data.without_odometry != 'visual' or not _motion_counts(config):
        return
    learned = data.with_odometry == 'learned'
    without = 'loss.velocity=0' if learned else 'data.without_odometry=learned'
    for cache, rig in zip(caches, rigs, strict=True):
        if cache.world_from_body is None and not rig.overlap_pairs():
            raise ScaleError(
                f'Found labels in metres (data.labels={data.labels}) beside {cache.source}, which '
                'has neither odometry nor overlaps, so that its motion is found in a unit of its '
                'own; expected one or the other. Record with odometry, or '
                f'--set {without}.'
            )


def _motion_counts(config: TrainConfig) -> bool:
    """Whether how far the robot moved tells a recipe with labels anything."""
    data, loss = config.data, config.loss
    if data.with_odometry == 'learned':
        return loss.velocity > 0
    compared = loss.temporal or loss.feature_metric or data.with_odometry == 'refined'
    return bool(compared and alone_until(loss, learn_motion=False) < 1)


def warn_of(scale: Scale) -> None:
    """Say clearly that depths will have no metres."""
    if scale == 'relative':
        log.warning(
            'SCALE IS RELATIVE: nothing in these recordings tells metres (no odometry is used, '
            'no overlap is learned from). Depths will be right up to one factor; `selfdepth '
            'evaluate` reports them median-scaled, and `selfdepth export` asks for --scale.'
        )


def _has_metres(cache: FrameCache, rig: Rig, config: TrainConfig) -> bool:
    data, loss = config.data, config.loss
    if _labelled(config):
        return True
    odometry = cache.world_from_body is not None
    if odometry and data.with_odometry == 'learned' and loss.velocity:
        return True
    compared = loss.temporal or loss.feature_metric or loss.hint
    over_time = compared or (loss.spatial and loss.spatial_times == 'both')
    if odometry and data.with_odometry != 'learned' and over_time:
        return True
    estimated = not odometry and data.without_odometry == 'visual' and over_time
    return bool((loss.spatial or estimated) and rig.overlap_pairs())


def _labelled(config: TrainConfig) -> bool:
    return config.data.labels in ('lidar', 'topic', 'onnx') and config.loss.hint > 0
