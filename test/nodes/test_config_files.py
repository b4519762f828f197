# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The parameter files say what the code says."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.config import config_from_dict
from selfdepth_ros.core.errors import CalibrationError, ConfigError
from selfdepth_ros.core.rig import Rig, RigCamera, load_rig, save_rig
from selfdepth_ros.core.scan import ScanConfig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.nodes.parameters import SurroundDepthConfig
from selfdepth_ros.nodes.rviz import rviz_config
from selfdepth_ros.shipped import shipped

CONFIG = Path(__file__).parents[2] / 'config'
STOCK_RVIZ = CONFIG.parent / 'rviz' / 'surround.rviz'
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


def shown(params_file: Path, **given: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """Topics of the image panels by their names, and the whole configuration of RViz."""
    tree = yaml.safe_load(rviz_config(STOCK_RVIZ, params_file, given))
    return panels(tree), tree


def panels(tree: dict[str, Any]) -> dict[str, str]:
    displays = tree['Visualization Manager']['Displays']
    images = [item for item in displays if item['Class'] == 'rviz_default_plugins/Image']
    assert {item['Name'] for item in images} == {*tree['Window Geometry']} & {
        item['Name'] for item in displays
    }
    return {item['Name']: item['Topic']['Value'] for item in images}


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    """A rig file of cameras that are called otherwise, in another frame."""
    lens = PinholeCamera(64, 48, 40.0, 40.0, 31.5, 23.5)
    cameras = (RigCamera(name, lens, SE3.identity(), f'{name}_optical') for name in 'ab')
    save_rig(Rig(tuple(cameras), 'robot'), tmp_path / 'rig.yaml')
    return tmp_path / 'rig.yaml'


def test_rviz_shows_the_shipped_rig_as_the_stock_file_does() -> None:
    stock = yaml.safe_load(STOCK_RVIZ.read_text('utf-8'))
    topics, tree = shown(CONFIG / 'surround.yaml')
    assert {*topics} == {*load_rig(shipped('rig.yaml')).names}
    assert tree == stock


def test_rviz_shows_the_cameras_and_the_frame_of_the_rig(rig: Path) -> None:
    topics, tree = shown(CONFIG / 'surround.yaml', rig=str(rig), output_frame='robot')
    assert topics == {'a': 'a/image_raw', 'b': 'b/image_raw'}
    manager = tree['Visualization Manager']
    assert manager['Global Options']['Fixed Frame'] == 'robot'
    assert manager['Views']['Current']['Target Frame'] == 'robot'
    assert 'base_link' not in str(tree)
    assert 'camera_front' not in str(tree)
    stock = yaml.safe_load(STOCK_RVIZ.read_text('utf-8'))['Visualization Manager']['Displays']
    assert manager['Displays'][:-2] == stock[:-6]


def test_rviz_reads_the_parameter_file_as_the_node_does(rig: Path, tmp_path: Path) -> None:
    file = tmp_path / 'mine.yaml'
    values = {'rig': 'topics', 'cameras': ['x', 'y'], 'image_topic': '/cam/{camera}/image_rect'}
    values |= {'motion': {'source': 'none'}, 'use_sim_time': True, 'model': str(shipped(''))}
    sections = {'/**': {'ros__parameters': values}, 'another': {'ros__parameters': {'rig': '?'}}}
    sections['/fleet'] = {'surround_depth': {'ros__parameters': {'transport': 'compressed'}}}
    file.write_text(yaml.safe_dump(sections, sort_keys=False))
    ending = 'image_rect/compressed'
    assert shown(file)[0] == {'x': f'/cam/x/{ending}', 'y': f'/cam/y/{ending}'}
    file.write_text('/**: {ros__parameters: {cameras: ["b"]}}')
    topics, _ = shown(file, rig=str(rig), output_frame='robot')
    assert topics == {'b': 'b/image_raw'}
    file.write_text('/**: {ros__parameters: {rig: topics}}')
    assert len(shown(file)[0]) == len(load_rig(shipped('rig.yaml')))  # those of the model
    file.write_text('/**: {ros__parameters: }')
    assert shown(file)[0] == shown(CONFIG / 'surround.yaml')[0]


def test_rviz_cannot_show_what_the_node_will_refuse(rig: Path, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match='body_frame'):
        shown(CONFIG / 'surround.yaml', rig=str(rig))
    with pytest.raises(ConfigError, match='cannot be read as parameters of the node'):
        shown(tmp_path / 'nowhere.yaml')
