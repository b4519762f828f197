# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The RViz configuration of a rig: that of the package with the rig's own cameras and frame."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from selfdepth_ros.core import strict_yaml
from selfdepth_ros.core.config import config_from_dict
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference.load import model_file
from selfdepth_ros.nodes.calibration import rig_from_file
from selfdepth_ros.nodes.intake import image_topics
from selfdepth_ros.nodes.model import model_path, rig_path
from selfdepth_ros.nodes.parameters import SurroundDepthConfig

_NAMES = ('**', 'surround_depth')
"""Last parts of what a parameter file calls the node."""
_WANTED = ('model', 'rig', 'cameras', 'image_topic', 'transport', 'output_frame')
_IMAGE = 'rviz_default_plugins/Image'


def rviz_config(stock: Path, params_file: Path | str, given: Mapping[str, Any]) -> str:
    """Return the text of `stock` with an image for each camera that the node will listen to.

    `given`: parameters that count before those of the file. Raises SelfdepthError when it cannot
    be known what the node will listen to.
    """
    config = _parameters(params_file, given)
    tree = yaml.safe_load(stock.read_text('utf-8'))
    _show(tree, image_topics(config, _cameras(config)), config.output_frame)
    return yaml.safe_dump(tree, sort_keys=False)


def _parameters(params_file: Path | str, given: Mapping[str, Any]) -> SurroundDepthConfig:
    """Read those parameters that say what there is to see."""
    values: dict[str, Any] = {}
    tree = strict_yaml.read(params_file, ConfigError, 'parameters of the node')
    for section in _sections(tree, ''):
        values |= section
    values = {name: value for name, value in (values | given).items() if name in _WANTED}
    if 'cameras' in values:
        values['cameras'] = [name for name in values['cameras'] if name]  # as ROS has it: ['']
    return config_from_dict(SurroundDepthConfig, values)


def _sections(tree: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """Yield what a parameter file says for the node, under `/**` and under its name."""
    for key, value in tree.items():
        if key == 'ros__parameters' and name in _NAMES:
            yield value or {}  # a key with nothing behind it is None
        elif isinstance(value, dict):
            yield from _sections(value, str(key).rpartition('/')[2])


def _cameras(config: SurroundDepthConfig) -> tuple[str, ...]:
    """Return the cameras as the node finds them."""
    if path := rig_path(config):
        return rig_from_file(path, config.cameras, config.output_frame).names
    beside = model_file(model_path(config)).with_suffix('.yaml')
    return config.cameras or Manifest.load(beside).cameras


def _show(tree: dict[str, Any], topics: Mapping[str, str], frame: str) -> None:
    """Put these cameras, and this frame, in the place of those that are there."""
    manager = tree['Visualization Manager']
    images = [display for display in manager['Displays'] if display['Class'] == _IMAGE]
    others = [display for display in manager['Displays'] if display['Class'] != _IMAGE]
    places = {display['Name']: place for place, display in enumerate(images)}
    names = sorted(topics, key=lambda name: places.get(name, len(places)))
    new = [copy.deepcopy(images[0]) for _ in names]
    for display, name in zip(new, names, strict=True):
        display['Name'], display['Topic']['Value'] = name, topics[name]
    manager['Displays'] = others + new
    manager['Global Options']['Fixed Frame'] = frame
    manager['Views']['Current']['Target Frame'] = frame
    windows = tree['Window Geometry']
    panels = [windows.pop(display['Name']) for display in images]
    windows |= {name: dict(panels[0]) for name in names}
