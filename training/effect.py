# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What of a recipe has a part in a training, what has none, and which head images can teach."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from selfdepth_ros.core.config import flat
from selfdepth_training.config import RECIPES, LossConfig, TrainConfig, load_recipe

log = logging.getLogger(__name__)

# What tells trainings apart for their user, or what `tune` sets itself: no network differs by it.
_ASIDE = {'name', 'steps', 'checkpoint_seconds'}


def alone_until(loss: LossConfig, learn_motion: bool) -> float:
    """Fraction of the training that learns from hints alone: none where motion is learned."""
    return min(loss.images_from, loss.hint_until) if loss.hint and not learn_motion else 0.0


def with_teachable_head(config: TrainConfig, learn_motion: bool) -> TrainConfig:
    """One number instead of a histogram, which images know nothing of, where they teach alone, or
    from the start because the motion is learned."""
    if config.network.head != 'histogram' or not (learn_motion or config.loss.hint == 0):
        return config
    return replace(config, network=replace(config.network, head='sigmoid'))


@dataclass(frozen=True)
class _Training:
    """A recipe on recordings with or without odometry."""

    config: TrainConfig
    odometry: Sequence[bool]

    @property
    def learned(self) -> bool:
        return self.config.data.learns_motion(self.odometry)

    @property
    def images(self) -> bool:
        """Whether there are steps on images."""
        return alone_until(self.config.loss, self.learned) < 1

    @property
    def swept(self) -> bool:
        """Whether the hints come from the images of all cameras."""
        return self.config.loss.hint > 0 and self.config.data.labels in ('sweep', 'sgm')

    @property
    def refined(self) -> bool:
        return self.refinable and self.config.network.refinements > 0

    @property
    def refinable(self) -> bool:
        return self.learned or self.config.data.with_odometry == 'refined'


def compares_times(config: TrainConfig, odometry: Sequence[bool]) -> bool:
    """Whether a training looks at images before and after, or at how the robot moved; `odometry`:
    which recordings have some."""
    training, loss = _Training(config, odometry), config.loss
    across = loss.spatial and loss.spatial_times == 'both'
    compared = training.images and (loss.temporal or loss.feature_metric or across)
    # A sweep looks before and after where the motion is known.
    swept = training.swept or config.data.align_intensity
    return bool(compared or swept or training.refinable)


class _Rule(NamedTuple):
    holds: Callable[[_Training], bool]
    why: str
    settings: tuple[str, ...]
    """What has no part where it holds."""


_RULES = (
    _Rule(
        lambda t: not t.images, 'every step is on hints alone, see loss.images_from',
        ('loss.smoothness', 'loss.temporal', 'loss.spatial', 'loss.spatial_times',
         'loss.spatial_from', 'loss.sources', 'loss.pyramid', 'loss.automask',
         'loss.automask_from', 'loss.rigidity', 'loss.coarse_until', 'network.scales',
         'data.flip_fusion'),
    ),
    _Rule(
        lambda t: not t.learned, 'the motion of all recordings is known',
        ('network.pose_width',),
    ),
    _Rule(
        lambda t: not t.refinable, 'the motion of all recordings is known',
        ('loss.motion_from', 'loss.agreement', 'network.refinements'),
    ),
    _Rule(
        lambda t: t.config.data.with_odometry != 'learned' or not any(t.odometry),
        'no motion is learned beside odometry, see data.with_odometry',
        ('loss.velocity', 'loss.velocity_from'),
    ),
    _Rule(
        lambda t: t.learned, 'a learned motion needs the images from the start',
        ('loss.images_from',),
    ),
    _Rule(
        lambda t: t.config.loss.hint == 0, 'loss.hint is 0',
        ('loss.images_from', 'loss.hint_error', 'loss.hint_outlines', 'loss.hint_where',
         'loss.hint_fades', 'loss.hint_until', 'data.labels', 'data.label_model',
         'data.label_topic', 'data.matching', 'data.left_right_px', 'data.witnesses', 'data.sky'),
    ),
    _Rule(lambda t: t.config.loss.hint_error != 'head', 'loss.hint_error is not head',
          ('loss.hint_outlines',)),
    _Rule(lambda t: t.config.data.labels != 'sweep', 'data.labels is not sweep',
          ('data.witnesses',)),
    _Rule(lambda t: t.config.data.labels not in ('sweep', 'sgm'), 'no images are compared for '
          'labels, see data.labels', ('data.sky',)),
    _Rule(lambda t: t.config.data.labels != 'sgm', 'data.labels is not sgm',
          ('data.matching', 'data.left_right_px')),
    _Rule(lambda t: t.config.data.labels != 'topic', 'data.labels is not topic',
          ('data.label_topic',)),
    _Rule(lambda t: all(t.odometry), 'all recordings have odometry', ('data.without_odometry',)),
    _Rule(lambda t: t.config.loss.temporal == 0, 'loss.temporal is 0', ('loss.rigidity',)),
    _Rule(
        lambda t: t.config.loss.temporal == t.config.loss.feature_metric == 0,
        'nothing is compared over time', ('loss.automask', 'loss.automask_from'),
    ),
    _Rule(lambda t: t.config.loss.spatial == 0, 'loss.spatial is 0',
          ('loss.spatial_from', 'loss.spatial_times')),
    _Rule(
        lambda t: not t.swept and (not t.images or t.config.loss.spatial == 0),
        'no camera is compared with another', ('data.align_intensity',),
    ),
    _Rule(lambda t: not t.refined, 'no motion is refined, see network.refinements',
          ('loss.agreement',)),
    _Rule(
        lambda t: t.config.loss.feature_metric == 0 and not t.refined,
        'no features are compared',
        ('loss.features', 'loss.feature_channels', 'loss.discriminative', 'loss.convergent'),
    ),
    _Rule(lambda t: t.config.loss.velocity == 0, 'loss.velocity is 0', ('loss.velocity_from',)),
    _Rule(lambda t: t.config.network.scales == 1, 'network.scales is 1', ('loss.pyramid',)),
    _Rule(lambda t: t.config.network.head != 'histogram', 'network.head is not histogram',
          ('network.intervals',)),
    _Rule(lambda t: t.config.network.head == 'histogram', 'network.head is histogram',
          ('network.initial_depth_m',)),
    _Rule(lambda t: t.config.network.head != 'sigmoid', 'network.head is not sigmoid',
          ('network.confidence',)),
    _Rule(lambda t: t.config.network.backbone != 'resnet', 'network.backbone is not resnet',
          ('network.layers',)),
    _Rule(lambda t: t.config.network.backbone != 'packnet', 'network.backbone is not packnet',
          ('network.pack_blocks',)),
    _Rule(
        lambda t: t.config.network.backbone != 'packnet'
        and t.config.network.upsampling != 'unpack',
        'nothing is packed', ('network.pack_features',),
    ),
)  # fmt: skip


def without_part(config: TrainConfig, odometry: Sequence[bool]) -> dict[str, str]:
    """Settings that no step of a training looks at, and why; `odometry`: which recordings have
    some."""
    taught = with_teachable_head(config, config.data.learns_motion(odometry))
    training = _Training(taught, odometry)
    found: dict[str, str] = {}
    for rule in _RULES:
        if rule.holds(training):
            found = dict.fromkeys(rule.settings, rule.why) | found
    return found


def warn_of_settings_without_part(config: TrainConfig, odometry: Sequence[bool]) -> None:
    """Say which settings were changed from the recipe's in vain."""
    known = (RECIPES / f'{config.name}.yaml').is_file()
    said, usual = flat(config), flat(load_recipe(config.name) if known else TrainConfig())
    for name, why in without_part(config, odometry).items():
        if said[name] != usual[name]:
            log.warning('%s=%s has no part in this training: %s', name, said[name], why)


def alike(first: TrainConfig, second: TrainConfig, odometry: Sequence[bool]) -> str | None:
    """Why two recipes would train the same network; None if they would not."""
    counting = []
    for config in (first, second):
        taught = with_teachable_head(config, config.data.learns_motion(odometry))
        aside = _ASIDE | without_part(taught, odometry).keys()
        counting.append({name: v for name, v in flat(taught).items() if name not in aside})
    if counting[0] != counting[1]:
        return None
    said = flat(first), flat(second)
    idle = without_part(first, odometry) | without_part(second, odometry)
    idle['network.head'] = 'images teach one number'
    reasons = [f'{n} has no part ({idle[n]})' for n in idle if said[0][n] != said[1][n]]
    return '; '.join(reasons) or 'their settings are the same'
