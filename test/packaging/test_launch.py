# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The launch files under the real launch system, after a real colcon build."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LAUNCHED = Path(__file__).with_name('launched_surround.py')
LAUNCH_FILES = {
    'demo.launch.py': 'namespace',
    'surround.launch.py': 'namespace',
    'record.launch.py': 'max_bag_size_mb',
}
"""Each with one of its arguments."""
FIRST_CLOUD = """
import rclpy
from rclpy.qos import qos_profile_sensor_data as sensor_data
from rclpy.task import Future
from sensor_msgs.msg import PointCloud2

rclpy.init()
node = rclpy.create_node('first_cloud')
cloud = Future()
node.create_subscription(PointCloud2, '/surround/points', cloud.set_result, sensor_data)
rclpy.spin_until_future_complete(node, cloud, timeout_sec=400)
message = cloud.result()
enclaves = {name: own for name, _, own in node.get_node_names_and_namespaces_with_enclaves()}
print(message.header.frame_id, message.width * message.height, enclaves['surround_depth'])
"""


def launch_system() -> bool:
    """Is it installed? A name is asked for: the folder launch/ of this repository also imports."""
    try:
        from launch import LaunchDescription  # noqa: F401
    except ImportError:
        return False
    return importlib.util.find_spec('launch_ros') is not None


pytestmark = pytest.mark.timeout(600)  # the street is rendered before it plays
needs_launch_testing = pytest.mark.skipif(
    not launch_system() or importlib.util.find_spec('launch_testing') is None,
    reason='launch_testing is not installed',
)
needs_launch = pytest.mark.skipif(
    not (launch_system() and shutil.which('ros2')),
    reason='launch_ros and ros2launch are not installed',
)


@contextmanager
def running(workspace: Any, *command: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own group, interrupted as from the keyboard at the end."""
    process = subprocess.Popen(
        command,
        env=workspace.environment,
        cwd=workspace.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.communicate(timeout=60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def assert_a_cloud_arrives(workspace: Any, enclave: str = '/') -> None:
    """Of a node in this enclave (SROS2)."""
    frame, points, of_the_node = workspace.python(FIRST_CLOUD).split()
    assert frame == 'base_link'
    assert int(points) > 1000
    assert of_the_node == enclave


def test_the_launch_folder_is_not_taken_for_the_launch_system() -> None:
    assert not (ROOT / 'launch' / '__init__.py').exists()
    code = 'import launch; print(hasattr(launch, "LaunchDescription"))'
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (result.stdout.strip() == 'True') == launch_system()


@needs_launch
@pytest.mark.parametrize('file', LAUNCH_FILES)
def test_every_argument_is_explained(workspace: Any, file: str) -> None:
    shown = workspace.run('ros2', 'launch', 'selfdepth_ros', file, '--show-args')
    assert f"'{LAUNCH_FILES[file]}':" in shown
    assert 'no description given' not in shown


@needs_launch
def test_the_demo_launches_and_publishes_a_cloud(workspace: Any) -> None:
    with running(workspace, 'ros2', 'launch', 'selfdepth_ros', 'demo.launch.py', 'rviz:=false'):
        assert_a_cloud_arrives(workspace)


@needs_launch
def test_surround_launches_beside_a_rig_of_another_process(workspace: Any) -> None:
    rig = workspace.prefix / 'lib' / 'selfdepth_ros' / 'synthetic_rig'
    surround = ('ros2', 'launch', 'selfdepth_ros', 'surround.launch.py', 'rviz:=false')
    surround += ('enclave:=/perception/surround_depth',)
    few = ('--ros-args', '-p', 'frames:=10')
    with running(workspace, rig, *few), running(workspace, *surround):
        assert_a_cloud_arrives(workspace, '/perception/surround_depth')


def launch_surround(
    workspace: Any, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`ros2 launch` of the real file until it ends."""
    return subprocess.run(
        ('ros2', 'launch', 'selfdepth_ros', 'surround.launch.py', *arguments),
        env={**workspace.environment, **environment},
        cwd=workspace.root,
        capture_output=True,
        text=True,
    )


@needs_launch
def test_build_only_checks_the_model_and_ends(workspace: Any) -> None:
    result = launch_surround(workspace, 'build_only:=true')
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'is ready on ONNX Runtime' in result.stdout + result.stderr
    assert 'ROS_LOCALHOST_ONLY' not in result.stdout


@needs_launch
def test_the_log_level_counts_in_a_namespace_too(workspace: Any) -> None:
    arguments = ('build_only:=true', 'namespace:=/fleet/robot', 'log_level:=error')
    result = launch_surround(workspace, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'is ready on' not in result.stdout + result.stderr


@needs_launch
def test_no_profile_speaks_to_the_network_where_ros_must_not(workspace: Any) -> None:
    result = launch_surround(workspace, 'build_only:=true', ROS_LOCALHOST_ONLY='1')
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'ROS_LOCALHOST_ONLY is set: Fast DDS keeps its own' in result.stdout


@needs_launch
def test_rviz_is_given_the_cameras_and_frame_of_the_rig(workspace: Any, tmp_path: Path) -> None:
    """A package of RViz's name keeps the configuration that it is started with."""
    (tmp_path / 'share/ament_index/resource_index/packages').mkdir(parents=True)
    (tmp_path / 'share/ament_index/resource_index/packages/rviz2').touch()
    (tmp_path / 'lib/rviz2').mkdir(parents=True)
    rviz = tmp_path / 'lib/rviz2/rviz2'
    rviz.write_text(f'#!/bin/sh\ncp "$2" {tmp_path}/shown.rviz\n')
    rviz.chmod(0o755)
    stock = workspace.source / 'selfdepth_ros' / 'models' / 'street' / 'rig.yaml'
    rig = tmp_path / 'rig.yaml'
    rig.write_text(stock.read_text('utf-8').replace('camera_', 'mine_').replace('base_link', 'me'))
    prefixes = f'{tmp_path}:{workspace.environment["AMENT_PREFIX_PATH"]}'
    arguments = ('build_only:=true', 'rviz:=true', f'rig:={rig}', 'output_frame:=me')
    result = launch_surround(workspace, *arguments, AMENT_PREFIX_PATH=prefixes)
    assert result.returncode == 0, result.stdout + result.stderr
    shown = (tmp_path / 'shown.rviz').read_text('utf-8')
    assert 'Value: mine_front/image_raw' in shown
    assert 'Fixed Frame: me' in shown
    assert 'camera_front' not in shown


@needs_launch
def test_a_node_that_cannot_start_makes_the_launch_fail(workspace: Any) -> None:
    result = launch_surround(workspace, 'model:=/nowhere/model.onnx')
    output = result.stdout + result.stderr
    assert result.returncode == 1, output
    assert 'no model at /nowhere/model.onnx' in output
    assert 'surround_depth has ended with status 78' in output


@needs_launch
def test_a_parameter_file_that_is_not_there_makes_the_launch_fail(workspace: Any) -> None:
    result = launch_surround(workspace, 'params_file:=~/nowhere.yaml', HOME='/home/somebody')
    assert result.returncode == 1, result.stdout + result.stderr
    assert 'no file at /home/somebody/nowhere.yaml' in result.stdout + result.stderr


@needs_launch
def test_tf_of_a_namespace_is_listened_to(workspace: Any) -> None:
    arguments = ('build_only:=true', 'tf_static:=/robot1/tf_static', '--debug')
    result = launch_surround(workspace, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    assert '-r /tf_static:=/robot1/tf_static -r /tf:=/robot1/tf' in result.stdout + result.stderr


@needs_launch_testing
def test_two_rigs_of_one_machine(workspace: Any) -> None:
    python = '-m', 'launch_testing.launch_test'
    workspace.run(sys.executable, *python, workspace.source / LAUNCHED.relative_to(ROOT))
