# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The cameras of a robot -> one metric cloud on surround/points.

ros2 launch selfdepth_ros surround.launch.py model:=out/model.onnx rig:=rig.yaml
"""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    LogInfo,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SHARE = Path(get_package_share_directory('selfdepth_ros'))
PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
CLOUD_TOPICS = ('points', 'obstacles', 'scan')
OLDER_NAME_TOO = ('humble', 'iron', 'jazzy')
TRUE_OR_FALSE = ['true', 'false']
# name, default, description, choices
ARGUMENTS = (
    (
        'params_file',
        str(SHARE / 'config' / 'surround.yaml'),
        'parameters of the node (YAML)',
        None,
    ),
    ('model', '', 'model.onnx or its folder; empty: as params_file says', None),
    ('rig', '', "rig file, or 'topics' for CameraInfo and TF; empty: as params_file says", None),
    ('transport', '', 'raw or compressed images; empty: as params_file says', None),
    ('namespace', '', 'namespace of the node, its topics and the cameras', None),
    ('use_sim_time', 'false', 'take the time from /clock, as when a bag plays', TRUE_OR_FALSE),
    ('autostart', 'true', 'false: a lifecycle manager configures and activates', TRUE_OR_FALSE),
    ('rviz', 'false', 'show the cloud, the images and the rig', TRUE_OR_FALSE),
    ('rviz_config', str(SHARE / 'rviz' / 'surround.rviz'), 'what RViz shows', None),
    ('log_level', 'info', 'debug, info, warn, error or fatal', None),
    (
        'fastdds_profile',
        str(SHARE / 'config' / 'fastdds.xml'),
        'Fast DDS profile with room for images and clouds, used unless one is set already; '
        'empty: none',
        None,
    ),
)


def middleware(context: LaunchContext) -> list[SetEnvironmentVariable]:
    """Give Fast DDS shared memory that holds a frame, unless the user has a profile."""
    profile = LaunchConfiguration('fastdds_profile').perform(context)
    if not profile or any(name in os.environ for name in PROFILE_VARIABLES):
        return []
    older = os.environ.get('ROS_DISTRO') in OLDER_NAME_TOO
    names = PROFILE_VARIABLES if older else PROFILE_VARIABLES[:1]
    return [SetEnvironmentVariable(name, profile) for name in names]


def surround_depth(context: LaunchContext) -> list[Node]:
    """The node; an argument that was not given leaves the word to the parameter file."""

    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    given = {name: value(name) for name in ('model', 'rig', 'transport') if value(name)}
    given |= {name: value(name) == 'true' for name in ('use_sim_time', 'autostart')}
    node = Node(
        package='selfdepth_ros',
        executable='surround_depth',
        name='surround_depth',
        namespace=value('namespace'),
        parameters=[value('params_file'), given],
        remappings=[(f'~/{name}', f'surround/{name}') for name in CLOUD_TOPICS],
        arguments=['--ros-args', '--log-level', f'surround_depth:={value("log_level")}'],
        output='screen',
        emulate_tty=True,
        on_exit=Shutdown(reason='surround_depth has ended'),
    )
    return [node]


def generate_launch_description() -> LaunchDescription:
    """Return what runs."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in ARGUMENTS
    ]
    show = IfCondition(LaunchConfiguration('rviz'))
    rviz = Node(
        package='rviz2',
        executable='rviz2',
        namespace=LaunchConfiguration('namespace'),
        arguments=['-d', LaunchConfiguration('rviz_config')],
        parameters=[{'use_sim_time': LaunchConfiguration('use_sim_time')}],
        condition=show,
    )
    return LaunchDescription(
        [
            *arguments,
            OpaqueFunction(function=middleware),
            OpaqueFunction(function=surround_depth),
            LogInfo(msg='RViz shows the cloud on surround/points', condition=show),
            rviz,
        ]
    )
