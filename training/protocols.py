# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How depth is measured: settings, and the named sets of them that published figures use.

A name and a version stand for the same numbers for ever: whoever changes a protocol's settings,
or what they mean, gives it the next version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int

from selfdepth_ros.core.config import config_from_dict, knob, to_dict
from selfdepth_ros.core.errors import ConfigError

LEAST_M = 1e-3
"""Predictions are never clamped below this: errors of logarithms need a depth above zero."""
# Garg et al., "Unsupervised CNN for single view depth estimation", 2016: the part of a KITTI image
# that has LiDAR; shares of its height (top, bottom) and width (left, right).
_GARG = (0.40810811, 0.99189189, 0.03594771, 0.96405229)


@dataclass(frozen=True)
class EvaluationConfig:
    """What is compared with what. The defaults are the protocol `street`."""

    min_depth_m: float = knob(1.0, unit='m', low=0.0, high=100.0)
    """Nearer truth is left out."""
    max_depth_m: float = knob(60.0, unit='m', low=1.0, high=1000.0)
    """Farther truth is left out; predictions are clamped to these bounds."""
    crop: Literal['none', 'garg'] = knob('none')
    """Part of the image that counts: all of it, or Garg's crop for KITTI."""
    flip: bool = knob(False)
    """Average with the prediction of the mirrored image, as inverse depth."""
    ego_motion: bool = knob(True)
    """Move LiDAR points by the odometry between the stamps of the sweep and of the image."""
    without_body: bool = knob(True)
    """Leave out what lies on the robot's own body, where the rig has masks of it."""
    without_hidden: bool = knob(True)
    """Leave out LiDAR points that something nearer hides from the camera."""
    every: int = knob(1, unit='frames', low=1, high=1000)
    """Every n-th surround frame is evaluated."""

    @property
    def bounds_m(self) -> tuple[float, float]:
        """What predictions are clamped to."""
        return max(self.min_depth_m, LEAST_M), self.max_depth_m

    def __post_init__(self) -> None:
        if not self.min_depth_m < self.max_depth_m:
            raise ConfigError(
                f'min_depth_m, max_depth_m: found {self.min_depth_m} and {self.max_depth_m}, '
                'expected min_depth_m < max_depth_m.'
            )

    def counts(
        self, u: Int[np.ndarray, ' n'], v: Int[np.ndarray, ' n'], width: int, height: int
    ) -> Bool[np.ndarray, ' n']:
        """Which pixels of an image the crop keeps."""
        if self.crop == 'none':
            return np.ones(len(u), bool)
        top, bottom, left, right = (int(s * n) for s, n in zip(_GARG, (height,) * 2 + (width,) * 2,
                                                              strict=True))  # fmt: skip
        return (v >= top) & (v < bottom) & (u >= left) & (u < right)


@dataclass(frozen=True)
class EvaluationProtocol:
    """Settings under a name, and which of them somebody asked to be otherwise."""

    name: str
    version: int
    config: EvaluationConfig
    usual: EvaluationConfig
    """The protocol's own settings."""

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """Settings that are not the protocol's: (its own, the one used). `every` is no change."""
        own, used = to_dict(self.usual), to_dict(self.config)
        return {k: (own[k], used[k]) for k in own if own[k] != used[k] and k != 'every'}

    def __str__(self) -> str:
        changes = ', '.join(
            f'{name} {used} instead of {own}' for name, (own, used) in self.changed.items()
        )
        return f'{self.name}/{self.version}' + (f', changed: {changes}' if changes else '')

    def describe(self) -> str:
        """The settings in words."""
        c = self.config
        hidden = 'without' if c.without_hidden else 'with'
        return (
            f'{c.min_depth_m:g} to {c.max_depth_m:g} m, native size, '
            f'{"no crop" if c.crop == "none" else "Garg crop"}, '
            f'{"flip-averaged" if c.flip else "one pass"}; LiDAR '
            f'{"moved with" if c.ego_motion else "not moved by"} the odometry, {hidden} hidden '
            f'points; the robot itself {"left out" if c.without_body else "not left out"}'
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            'name': self.name,
            'version': self.version,
            'settings': to_dict(self.config),
            'changed': {k: {'protocol': own, 'used': used} for k, (own, used) in
                        self.changed.items()},
        }  # fmt: skip


# Version 2 of street and nuscenes: a set's sweep is the nearest to its middle, not to its first
# image. DDAD's and KITTI's cameras fire at one stamp: theirs is the same.
# Published figures count every LiDAR point, hidden or not, and know no masks of the robot.
_PUBLISHED = {'without_body': False, 'without_hidden': False}
_USUAL: Mapping[str, tuple[int, dict[str, Any]]] = {
    'street': (2, {}),
    # Guizilini et al., "3D packing for self-supervised monocular depth estimation", 2020.
    'ddad': (1, {'min_depth_m': 0.0, 'max_depth_m': 200.0, **_PUBLISHED}),
    # As Full Surround Monodepth and its successors report it.
    'nuscenes': (2, {'min_depth_m': 0.1, 'max_depth_m': 80.0, **_PUBLISHED}),
    # Eigen et al., 2014, with Garg's crop. KITTI's Velodyne fires the cameras as it looks ahead:
    # sweep n is projected into image n as it is, whatever their stamps say.
    'kitti-eigen': (
        2,
        {
            'min_depth_m': 1e-3, 'max_depth_m': 80.0, 'crop': 'garg', 'ego_motion': False,
            **_PUBLISHED,
        },
    ),
}  # fmt: skip
PROTOCOLS = tuple(_USUAL)


def protocol(name: str, **changes: Any) -> EvaluationProtocol:
    """The protocol of a name, with some settings changed; ConfigError where one is impossible."""
    if name not in _USUAL:
        raise ConfigError(f'Found protocol {name!r}, expected one of {", ".join(PROTOCOLS)}.')
    version, settings = _USUAL[name]
    return EvaluationProtocol(
        name,
        version,
        config_from_dict(EvaluationConfig, {**settings, **changes}),
        config_from_dict(EvaluationConfig, settings),
    )
