# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Records what training reads, and nothing else: images, CameraInfo, TF, odometry, as mcap.

A LiDAR on request.

ros2 launch selfdepth_ros record.launch.py bag:=drive
"""

import sys

from launch import Action, LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration

from selfdepth_ros.bags.what_to_record import Wanted, record_command, topics_to_record

USUAL = Wanted()
# name, default, description, choices
ARGUMENTS = (
    ('bag', 'drive', 'folder to record into; it must not exist', None),
    (
        'cameras',
        USUAL.cameras,
        'namespaces of the cameras: a regular expression, as /camera_(front|left) or /cam[0-9]',
        None,
    ),
    ('image', USUAL.image, 'image topic in the namespace of a camera', None),
    (
        'transport',
        USUAL.transport,
        'compressed: <image>/compressed; raw: <image>, some hundred MB/s',
        ['compressed', 'raw'],
    ),
    ('odometry', USUAL.odometry, 'odometry topic; none: there is none', None),
    (
        'tf_static',
        USUAL.tf_static,
        'topic of the fixed frames; the others are on its neighbour, without _static',
        None,
    ),
    ('lidar', USUAL.lidar, 'topic of a LiDAR, to evaluate by; none: not recorded', None),
    ('max_bag_size_mb', '4000', 'a new file begins after so many megabytes; 0: never', None),
    ('cache_mb', '500', 'messages that may wait for a slow disk, in megabytes', None),
)


def ended(event: ProcessExited, context: LaunchContext) -> list[Action]:
    """End as the recorder did; see surround.launch.py."""
    if event.returncode and not context.is_shutdown:
        raise RuntimeError(f'the recorder has ended with status {event.returncode}, see above')
    return [Shutdown(reason='the recorder has ended')]


def recorder(context: LaunchContext) -> list[ExecuteProcess]:
    """The recorder, with what the arguments say, and who tells what it finds nothing for."""

    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    wanted = Wanted(*(value(name) for name in Wanted._fields))
    topics = topics_to_record(wanted)
    call = record_command(
        value('bag'), topics, float(value('max_bag_size_mb')), float(value('cache_mb'))
    )
    look = [sys.executable, '-m', 'selfdepth_ros.nodes.missing_topics', *wanted]
    # Its last messages are on the way to the disk when it is asked to end.
    patience = {'sigterm_timeout': '60', 'sigkill_timeout': '60'}
    return [
        ExecuteProcess(cmd=call, output='screen', on_exit=ended, **patience),
        ExecuteProcess(cmd=look, output='screen'),
    ]


def generate_launch_description() -> LaunchDescription:
    """Return what runs."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in ARGUMENTS
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=recorder)])
