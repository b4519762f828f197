# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A street world as a live camera rig, and its metric cloud on surround/points.

ros2 launch selfdepth_ros demo.launch.py
"""

import tempfile
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from selfdepth_ros.core.rig import save_rig
from selfdepth_ros.shipped import DEMO_SEED, demo_rig

SHARE = Path(get_package_share_directory('selfdepth_ros'))
TRUE_OR_FALSE = ['true', 'false']
GIVEN_OR_NOT = ['', *TRUE_OR_FALSE]


def rviz_is_there() -> str:
    """Return 'true' where RViz is installed: a robot may have none."""
    try:
        get_package_share_directory('rviz2')
    except PackageNotFoundError:
        return 'false'
    return 'true'


# name, default, description, choices
ARGUMENTS = (
    ('seed', str(DEMO_SEED), 'which street', None),
    ('size', '320x192', 'width x height of the images, pixels', None),
    ('compressed', 'false', 'publish JPEG instead of raw images', TRUE_OR_FALSE),
    ('model', '', 'model.onnx or its folder; empty: the model of the package', None),
    ('rig', '', 'rig file; empty: the rig of the street world', None),
    ('namespace', '', 'namespace of the nodes and their topics', None),
    ('params_file', str(SHARE / 'config' / 'surround.yaml'), 'parameters of surround_depth', None),
    ('use_sim_time', '', 'take the time from /clock; empty: as params_file says', GIVEN_OR_NOT),
    (
        'autostart',
        '',
        'false: a lifecycle manager configures and activates; empty: as params_file says',
        GIVEN_OR_NOT,
    ),
    ('rviz', rviz_is_there(), 'show the cloud, the images and the rig', TRUE_OR_FALSE),
    ('log_level', 'info', 'debug, info, warn, error or fatal', None),
)
PASSED_ON = ('model', 'namespace', 'params_file', 'use_sim_time', 'autostart', 'rviz', 'log_level')


def nodes(context: LaunchContext) -> list[IncludeLaunchDescription | Node]:
    """The live rig and what computes its cloud, with one rig file between them."""

    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    width, _, height = value('size').partition('x')
    if not (width.isdigit() and height.isdigit()):
        raise ValueError(f'size: found {value("size")!r}, expected WIDTHxHEIGHT such as 320x192')
    transport = 'compressed' if value('compressed') == 'true' else 'raw'
    rig = value('rig')
    if not rig:
        rig = str(Path(tempfile.mkdtemp(prefix='selfdepth_demo_')) / 'rig.yaml')
        save_rig(demo_rig(int(width), int(height)), rig)
    street = {
        'seed': int(value('seed')),
        'width': int(width),
        'height': int(height),
        'transport': transport,
    }
    surround = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(SHARE / 'launch' / 'surround.launch.py')),
        launch_arguments=[
            ('rig', rig),
            ('transport', transport),
            *((name, value(name)) for name in PASSED_ON),
        ],
    )
    # As ROS names the logger of a node with a namespace.
    logger = '.'.join([*filter(None, value('namespace').split('/')), 'synthetic_rig'])
    player = Node(
        package='selfdepth_ros',
        executable='synthetic_rig',
        name='synthetic_rig',
        namespace=value('namespace'),
        parameters=[street],
        arguments=['--ros-args', '--log-level', f'{logger}:={value("log_level")}'],
        output='screen',
        emulate_tty=True,
    )
    return [surround, player]  # the profile that surround sets also serves the player


def generate_launch_description() -> LaunchDescription:
    """Return what runs."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in ARGUMENTS
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=nodes)])
