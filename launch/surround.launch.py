# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The cameras of a robot -> one metric cloud on surround/points.

ros2 launch selfdepth_ros surround.launch.py model:=out/model.onnx rig:=rig.yaml
"""

import os
import tempfile
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    LogInfo,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from selfdepth_ros.bags.frames import TF_STATIC, tf_beside
from selfdepth_ros.core.errors import SelfdepthError

SHARE = Path(get_package_share_directory('selfdepth_ros'))
PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
CLOUD_TOPICS = ('points', 'obstacles', 'scan')
LOCALHOST_ONLY = (
    'ROS_LOCALHOST_ONLY is set: Fast DDS keeps its own shared memory, which is too small for raw '
    'images, so that sets may lack cameras. Use compressed images, or a profile of your own '
    '(FASTRTPS_DEFAULT_PROFILES_FILE) without transports to the network.'
)
OLDER_NAME_TOO = ('humble', 'iron', 'jazzy')
TRUE_OR_FALSE = ['true', 'false']
GIVEN_OR_NOT = ['', *TRUE_OR_FALSE]
GIVEN_TEXTS = ('model', 'backend', 'rig', 'transport', 'output_frame')
# name, default, description, choices
ARGUMENTS = (
    (
        'params_file',
        str(SHARE / 'config' / 'surround.yaml'),
        'parameters of the node (YAML)',
        None,
    ),
    ('model', '', 'model.onnx or its folder; empty: as params_file says', None),
    ('backend', '', 'auto, onnx, torch or tensorrt; empty: as params_file says', None),
    ('rig', '', "rig file, or 'topics' for CameraInfo and TF; empty: as params_file says", None),
    ('transport', '', 'raw or compressed images; empty: as params_file says', None),
    ('output_frame', '', 'frame of the cloud; empty: as params_file says', None),
    (
        'tf_static',
        TF_STATIC,
        'topic of the fixed frames; the others are on its neighbour, without _static',
        None,
    ),
    (
        'namespace',
        '',
        'namespace of the node, its topics and the cameras; one for each rig of a machine',
        None,
    ),
    (
        'build_only',
        '',
        'load the model (compile it for tensorrt), check it, and end; status 0 when it works; '
        'empty: as params_file says',
        GIVEN_OR_NOT,
    ),
    (
        'use_sim_time',
        '',
        'take the time from /clock, as when a bag plays; empty: as params_file says',
        GIVEN_OR_NOT,
    ),
    (
        'autostart',
        '',
        'false: a lifecycle manager configures and activates; empty: as params_file says',
        GIVEN_OR_NOT,
    ),
    ('enclave', '', 'SROS2 enclave of the node (docs/security.md); empty: none', None),
    ('rviz', 'false', 'show cloud, scan, obstacles, images and rig', TRUE_OR_FALSE),
    (
        'rviz_config',
        '',
        'what RViz shows; empty: as rviz/surround.rviz, with the cameras and the frame of the rig',
        None,
    ),
    ('log_level', 'info', 'debug, info, warn, error or fatal', None),
    (
        'fastdds_profile',
        str(SHARE / 'config' / 'fastdds.xml'),
        'Fast DDS profile with room for images and clouds, used unless one is set already; '
        "'none': leave the middleware as it is",
        None,
    ),
)


def middleware(context: LaunchContext) -> list[Action]:
    """Give Fast DDS shared memory that holds a frame, unless the user has a profile.

    Nor where Humble is told to stay on this machine: it does so by transports of its own, beside
    which those of the profile would still speak to the network.
    """
    profile = LaunchConfiguration('fastdds_profile').perform(context)
    if profile in ('', 'none') or any(name in os.environ for name in PROFILE_VARIABLES):
        return []
    if os.environ.get('ROS_LOCALHOST_ONLY') == '1':
        return [LogInfo(msg=LOCALHOST_ONLY)]
    older = os.environ.get('ROS_DISTRO') in OLDER_NAME_TOO
    names = PROFILE_VARIABLES if older else PROFILE_VARIABLES[:1]
    return [SetEnvironmentVariable(name, profile) for name in names]


def ended(event: ProcessExited, context: LaunchContext) -> list[Action]:
    """End the launch with the node, and as it did.

    An exception is the only way in which a launch file makes `ros2 launch` end with another status
    than 0, which is what systemd and scripts go by.
    """
    if event.returncode and not context.is_shutdown:
        raise RuntimeError(f'surround_depth has ended with status {event.returncode}, see above')
    return [Shutdown(reason='surround_depth has ended')]


def given_texts(context: LaunchContext) -> dict[str, str | bool]:
    """Parameters of the node that were given to this file."""
    values = {name: LaunchConfiguration(name).perform(context) for name in GIVEN_TEXTS}
    return {name: value for name, value in values.items() if value}


def params_file(context: LaunchContext) -> str:
    """The parameter file. Raises RuntimeError for one that launch would not find and pass over."""
    path = Path(LaunchConfiguration('params_file').perform(context)).expanduser()
    if not path.is_file():
        raise RuntimeError(f'no file at {path}: params_file must be the YAML with the parameters')
    return str(path)


def tf_topics(context: LaunchContext) -> list[tuple[str, str]]:
    """Remappings to the topics of TF that were asked for."""
    fixed = LaunchConfiguration('tf_static').perform(context)
    return [] if fixed == TF_STATIC else [(TF_STATIC, fixed), ('/tf', tf_beside(fixed))]


def surround_depth(context: LaunchContext) -> list[Node]:
    """The node; an argument that was not given leaves the word to the parameter file."""

    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    switches = ('use_sim_time', 'autostart', 'build_only')
    given = given_texts(context)
    given |= {name: value(name) == 'true' for name in switches if value(name)}
    enclave = ['--enclave', value('enclave')] if value('enclave') else []
    # As ROS names the logger of a node with a namespace.
    logger = '.'.join([*filter(None, value('namespace').split('/')), 'surround_depth'])
    clouds = [(f'~/{name}', f'surround/{name}') for name in CLOUD_TOPICS]
    node = Node(
        package='selfdepth_ros',
        executable='surround_depth',
        name='surround_depth',
        namespace=value('namespace'),
        parameters=[params_file(context), given],
        remappings=[*clouds, *tf_topics(context)],
        arguments=['--ros-args', '--log-level', f'{logger}:={value("log_level")}', *enclave],
        output='screen',
        emulate_tty=True,
        on_exit=ended,
    )
    return [node]


def rviz(context: LaunchContext) -> list[Action]:
    """RViz, if it is asked for, with the cameras that the node listens to."""

    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    if value('rviz') != 'true':
        return []
    said = 'RViz shows the cloud on surround/points'
    config = value('rviz_config')
    if not config:
        from selfdepth_ros.nodes.rviz import rviz_config  # loads the node's modules

        stock = SHARE / 'rviz' / 'surround.rviz'
        try:
            text = rviz_config(stock, params_file(context), given_texts(context))
        except SelfdepthError as error:
            config, said = str(stock), f'{said}, and the images of the demo: {error}'
        else:
            config = str(Path(tempfile.mkdtemp(prefix='selfdepth_rviz_')) / 'surround.rviz')
            Path(config).write_text(text, 'utf-8')
    node = Node(
        package='rviz2',
        executable='rviz2',
        namespace=value('namespace'),
        arguments=['-d', config],
        parameters=[{'use_sim_time': value('use_sim_time') == 'true'}],
        remappings=tf_topics(context),
    )
    return [LogInfo(msg=said), node]


def generate_launch_description() -> LaunchDescription:
    """Return what runs."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in ARGUMENTS
    ]
    return LaunchDescription(
        [
            *arguments,
            OpaqueFunction(function=middleware),
            OpaqueFunction(function=surround_depth),
            OpaqueFunction(function=rviz),
        ]
    )
