# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Publishers and subscriptions: a failed transition leaves none; whose QoS can be overridden."""

from collections.abc import Callable
from typing import Any

import pytest
from rclpy.exceptions import NameValidationException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, PointCloud2

from selfdepth_ros.nodes.calibration import CameraInfos
from selfdepth_ros.nodes.intake import Intake, make_queue
from selfdepth_ros.nodes.outputs import Outputs
from selfdepth_ros.nodes.parameters import SurroundDepthConfig
from selfdepth_ros.nodes.to_ros import camera_info_message

NODE = '/surround_depth'
CONFIG = SurroundDepthConfig()
HYPHEN = ('front', 'rear-left')
"""ROS has no hyphens in names of topics."""


def outputs(node: LifecycleNode) -> None:
    Outputs(node, HYPHEN, CONFIG)


def camera_infos(node: LifecycleNode) -> None:
    CameraInfos(node, {name: f'{name}/camera_info' for name in HYPHEN}, False)


def images(node: LifecycleNode) -> None:
    Intake(node, CONFIG, dict.fromkeys(HYPHEN, 0), make_queue(CONFIG, HYPHEN))


@pytest.fixture
def make_node(listener):
    """Make managed nodes with parameters given at the start; they go after the test."""
    made = []

    def make(**overrides: Any) -> LifecycleNode:
        given = [Parameter(name, value=value) for name, value in overrides.items()]
        made.append(LifecycleNode('managed', parameter_overrides=given))
        return made[-1]

    yield make
    for node in made:
        node.destroy_node()


@pytest.mark.parametrize('make', [outputs, camera_infos, images])
def test_what_cannot_all_be_made_leaves_nothing(
    make_node, make: Callable[[LifecycleNode], None]
) -> None:
    node = make_node()

    def there() -> list[str]:
        return sorted(own.topic_name for own in (*node.publishers, *node.subscriptions))

    before = there()
    with pytest.raises(NameValidationException, match='rear-left'):
        make(node)
    assert there() == before


def test_a_camera_info_that_was_sent_once_is_heard_by_who_comes_later(
    scene, listener, make_node
) -> None:
    topic, item = '/latched/camera_info', scene.rig.cameras[0]
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publisher = listener.node.create_publisher(CameraInfo, topic, latched)
    publisher.publish(camera_info_message(item))
    wish = f'qos_overrides.{topic}.subscription'
    node = make_node(
        **{f'{wish}.durability': 'transient_local', f'{wish}.reliability': 'reliable'}
    )
    infos = CameraInfos(node, {'a': topic}, False)
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def heard() -> bool:
        executor.spin_once(timeout_sec=0.05)
        return bool(infos.seen)

    listener.wait(heard, 'the CameraInfo')
    assert infos.seen['a'].camera == item.camera
    infos.close()
    executor.shutdown()
    listener.node.destroy_publisher(publisher)


def test_an_override_of_qos_that_nothing_asks_for_is_told(
    scene, surround, listener, tmp_path
) -> None:
    file = tmp_path / 'my.yaml'
    file.write_text("""
/**:
  ros__parameters:
    qos_overrides:
      /a/image_raw: {subscription: {reliability: best_effort}}
      /b/image_raw: {subscription: {reliabilty: best_effort}}
      /surround_depth/points: {publisher: {depth: 3}}
""")
    node = surround(model=scene.model, ros_arguments=('--params-file', str(file)))
    clouds = listener.listen(PointCloud2, f'{NODE}/points')
    listener.wait(lambda: clouds, 'a cloud')
    (warning,) = node.lines('WARN')
    wrong, right = (
        f'qos_overrides./b/image_raw.subscription.{word}' for word in ('reliabilty', 'reliability')
    )
    assert f'{wrong!r}: there is no such override of QoS here' in warning
    assert f'Did you mean {right!r}?' in warning
