# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The parameter files say what the code says."""

from pathlib import Path
from typing import Any

import yaml

from selfdepth_ros.core.config import config_from_dict
from selfdepth_ros.core.scan import ScanConfig
from selfdepth_ros.nodes.parameters import SurroundDepthConfig

CONFIG = Path(__file__).parents[2] / 'config'
LAUNCH = CONFIG.parent / 'launch' / 'surround.launch.py'


def parameters_of(file: str, *path: str) -> dict[str, Any]:
    values = yaml.safe_load((CONFIG / file).read_text('utf-8'))
    for name in (*path, 'ros__parameters'):
        values = values[name]
    return values


def test_surround_yaml_holds_the_defaults_of_the_node() -> None:
    values = parameters_of('surround.yaml', '/**')
    # [''] and [0.0] are how ROS writes an empty list.
    values['cameras'] = [name for name in values['cameras'] if name]
    assert values['stamp_offsets_ms'] == [0.0]
    values['stamp_offsets_ms'] = []
    assert config_from_dict(SurroundDepthConfig, values) == SurroundDepthConfig()
    assert {*SurroundDepthConfig.__dataclass_fields__} - {*values} == {
        'autostart',
        'build_only',
    }


def test_the_costmap_listens_to_what_the_launch_file_publishes() -> None:
    layer = parameters_of('nav2_costmap.yaml', 'local_costmap', 'local_costmap')['obstacle_layer']
    sources = {name: layer[name] for name in layer['observation_sources'].split()}
    published = LAUNCH.read_text('utf-8')
    for name, source in sources.items():
        assert source['topic'] == f'/surround/{name}'
        assert f"'{name}'" in published
    assert {name: source['data_type'] for name, source in sources.items()} == {
        'obstacles': 'PointCloud2',
        'scan': 'LaserScan',
    }


def test_free_beams_clear_and_their_ends_do_not_mark() -> None:
    """With inf_is_valid Nav2 turns +inf into a point at range_max."""
    layer = parameters_of('nav2_costmap.yaml', 'local_costmap', 'local_costmap')['obstacle_layer']
    scan, config = layer['scan'], ScanConfig()
    assert scan['inf_is_valid'] and scan['clearing']
    assert scan['obstacle_max_range'] < config.max_range_m
    assert scan['raytrace_max_range'] <= config.max_range_m
    assert scan['raytrace_min_range'] == config.min_range_m
    assert not layer['obstacles']['clearing']
