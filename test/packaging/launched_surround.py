# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The real launch file, twice on one machine, under launch_testing.

Run by test_launch.py, or where the package is installed and sourced:
launch_test test/packaging/launched_surround.py
"""

import importlib.util
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

import launch_testing.actions
import launch_testing.asserts
import rclpy
from ament_index_python.packages import get_package_share_directory
from diagnostic_msgs.msg import DiagnosticArray
from launch import LaunchDescription
from launch.actions import (
    ExecuteProcess,
    GroupAction,
    IncludeLaunchDescription,
    SetLaunchConfiguration,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import LaserScan, PointCloud2
from std_srvs.srv import Trigger

LAUNCH_FILE = Path(get_package_share_directory('selfdepth_ros'), 'launch', 'surround.launch.py')
LIVE = Path(__file__).parents[1] / 'nodes'
RIGS = ('left', 'right')
PATIENCE_S = 300.0


def scene() -> Any:
    """The small cameras and the model of the live tests."""
    sys.path.insert(0, str(LIVE.parent / 'shared'))
    spec = importlib.util.spec_from_file_location('scene', LIVE / 'scene.py')
    module = importlib.util.module_from_spec(spec)
    sys.modules['scene'] = module
    spec.loader.exec_module(module)
    return module.Scene.write(Path(tempfile.mkdtemp(prefix='launched_surround_')))


def rig(name: str, model: Path) -> GroupAction:
    """Cameras in a namespace, and what computes their cloud."""
    cameras = ExecuteProcess(
        cmd=[sys.executable, str(LIVE / 'cameras.py'), '--ros-args', '-r', f'__ns:=/{name}'],
        name=f'cameras_{name}',
    )
    surround = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH_FILE)),
        launch_arguments=[('model', str(model)), ('namespace', name)],
    )
    return GroupAction([cameras, surround])


def generate_test_description() -> LaunchDescription:
    """Two rigs; the tests begin at once and wait for what they need."""
    model = scene().model
    ready = launch_testing.actions.ReadyToTest()
    # A busy machine needs longer than launch's five seconds from SIGINT to the end.
    patient = SetLaunchConfiguration('sigterm_timeout', '120')
    return LaunchDescription([patient, *(rig(name, model) for name in RIGS), ready])


class TestTwoRigs(unittest.TestCase):
    """Each rig has its own topics, services and diagnostics."""

    @classmethod
    def setUpClass(cls) -> None:
        rclpy.init()
        cls.node = rclpy.create_node('launched_surround')
        cls.executor = SingleThreadedExecutor()
        cls.executor.add_node(cls.node)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.node.destroy_node()
        rclpy.shutdown()

    def wait(self, until: Any, what: str) -> None:
        """Let messages come in until something is true."""
        give_up_s = time.monotonic() + PATIENCE_S
        while not until():
            self.assertLess(time.monotonic(), give_up_s, what)
            self.executor.spin_once(timeout_sec=0.2)

    def first(self, kind: type, topic: str) -> Any:
        """The first message of a topic."""
        heard: list[Any] = []
        subscription = self.node.create_subscription(kind, topic, heard.append, 10)
        self.wait(lambda: heard, topic)
        self.node.destroy_subscription(subscription)
        return heard[0]

    def test_clouds_and_scans_arrive(self) -> None:
        for name in RIGS:
            cloud = self.first(PointCloud2, f'/{name}/surround/points')
            self.assertEqual(cloud.header.frame_id, 'base_link')
            self.assertGreater(cloud.width, 100)
            scan = self.first(LaserScan, f'/{name}/surround/scan')
            self.assertEqual(len(scan.ranges), 720)

    def test_services_answer(self) -> None:
        for name in RIGS:
            client = self.node.create_client(Trigger, f'/{name}/surround_depth/reload_model')
            self.wait(client.service_is_ready, client.srv_name)
            answers: list[Trigger.Response] = []

            def loaded(client: Any = client, answers: list[Trigger.Response] = answers) -> bool:
                future = client.call_async(Trigger.Request())
                self.wait(future.done, client.srv_name)
                answers.append(future.result())
                return answers[-1].success or 'configured' not in answers[-1].message

            self.wait(loaded, 'a configured node')
            self.assertTrue(answers[-1].success, answers[-1].message)

    def test_diagnostics_name_each_rig(self) -> None:
        heard: set[str] = set()

        def take(message: DiagnosticArray) -> None:
            heard.update(status.name for status in message.status)

        subscription = self.node.create_subscription(DiagnosticArray, '/diagnostics', take, 10)
        wanted = {f'/{name}/surround_depth: {part}' for name in RIGS for part in ('engine', 'a')}
        self.wait(lambda: wanted <= heard, f'{wanted} on /diagnostics')
        self.node.destroy_subscription(subscription)


@launch_testing.post_shutdown_test()
class TestShutdown(unittest.TestCase):
    """What launch ends, ends in order."""

    def test_every_process_ends_with_status_0(self, proc_info: Any) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)
