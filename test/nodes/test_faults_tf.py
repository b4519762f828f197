# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""TF that comes late, ends and comes again, with the real tf2_ros."""

import importlib.util

import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, PointCloud2

from selfdepth_ros.messages import points_from_cloud_msg, stamp_ns

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec('tf2_ros') is None, reason='tf2_ros is not installed'
)
POINTS = '/surround_depth/points'
INFO = 'late/{camera}/camera_info'
OK, WARN = b'\0', b'\1'


class Broadcaster:
    """Publishes transforms, on /tf_static or on /tf."""

    def __init__(self, node, static: bool) -> None:
        from tf2_msgs.msg import TFMessage

        self._message = TFMessage
        durability = DurabilityPolicy.TRANSIENT_LOCAL if static else DurabilityPolicy.VOLATILE
        topic, qos = '/tf_static' if static else '/tf', QoSProfile(depth=50, durability=durability)
        self._publisher = node.create_publisher(TFMessage, topic, qos)

    def publish(self, parent: str, *edges) -> None:
        """Edges: frame, parent_from_frame, stamp in ns."""
        from geometry_msgs.msg import TransformStamped

        from selfdepth_ros.nodes.synthetic_rig import _set_pose
        from selfdepth_ros.nodes.to_ros import header

        transforms = []
        for child, pose, at_ns in edges:
            edge = TransformStamped(header=header(at_ns, parent), child_frame_id=child)
            _set_pose(edge.transform.translation, edge.transform.rotation, pose)
            transforms.append(edge)
        self._publisher.publish(self._message(transforms=transforms))


def test_extrinsics_that_come_late_are_waited_for(scene, surround, listener) -> None:
    from selfdepth_ros.nodes.to_ros import camera_info_message

    node = surround(model=scene.model, rig='topics', info_topic=INFO, diagnostics_period_s=0.1)
    last, clouds = listener.diagnostics(), listener.listen(PointCloud2, POINTS)
    infos = []
    for item in scene.rig.cameras:
        topic = INFO.format(camera=item.name)
        infos.append((listener.node.create_publisher(CameraInfo, topic, 10), item))

    def informed(until):
        def publish():
            for publisher, item in infos:
                message = camera_info_message(item)
                message.header.frame_id = f'late_{item.name}'
                publisher.publish(message)
            listener.spin()
            return until()

        return publish

    words = 'waiting for TF from base_link to late_a, late_b, late_c'
    listener.wait(informed(lambda: last()[:2] == (WARN, words)), words)
    assert not clouds
    edges = [(f'late_{item.name}', item.body_from_camera, 1) for item in scene.rig.cameras]
    Broadcaster(listener.node, static=True).publish('base_link', *edges)
    expected = scene.expected().cloud.points
    listener.wait(
        informed(lambda: any(cloud.width == len(expected) for cloud in clouds)), 'a whole cloud'
    )
    for cloud in clouds:
        if cloud.width == len(expected):
            np.testing.assert_allclose(points_from_cloud_msg(cloud), expected, atol=1e-4)
    listener.wait(lambda: last()[:2] == (OK, 'running'), 'nothing to complain of')
    assert not node.lines('ERROR')


def test_motion_is_that_of_tf_while_there_is_one(scene, staggered, surround, listener) -> None:
    """Ends and comes again: moved, as seen, moved."""
    surround(
        **{
            'model': scene.model,
            'image_topic': staggered.TOPIC,
            'diagnostics_period_s': 0.1,
            'motion.source': 'tf',
            'deadline_ms': 2000.0,
        }
    )
    last, clouds = listener.diagnostics(), listener.listen(PointCloud2, POINTS)
    player = staggered.Player(listener.node, scene.pictures, with_odometry=False)
    tf, still = Broadcaster(listener.node, static=False), scene.expected().cloud.points

    def play_until(until, with_tf: bool, what: str) -> None:
        def stepped():
            stamps = range(
                player.stamp_ns, player.stamp_ns + 200 * staggered.MS, 20 * staggered.MS
            )
            if with_tf:
                edges = (('base_link', staggered.odom_from_body(at), at) for at in stamps)
                tf.publish('odom', *edges)
            player.step()
            for _ in range(5):
                listener.spin()
            return until()

        listener.wait(stepped, what)

    def whole() -> list[PointCloud2]:
        return [cloud for cloud in clouds if cloud.width == len(still)]

    def is_moved() -> bool:
        """Whether the newest whole cloud stands where the world is at its stamp."""
        if not whole():
            return False
        right = staggered.moved(scene, stamp_ns(whole()[-1].header))
        return np.allclose(points_from_cloud_msg(whole()[-1]), right, atol=3e-4)

    def is_still() -> bool:
        return bool(whole()) and np.array_equal(points_from_cloud_msg(whole()[-1]), still)

    words = 'images are not moved to one time: '
    play_until(lambda: is_still() and words in last()[1], False, 'clouds as seen, and why')
    assert last()[0] == WARN
    play_until(is_moved, True, 'moved clouds')
    play_until(lambda: last()[:2] == (OK, 'running'), True, 'nothing to complain of')
    assert last()[2]['motion'] == 'moved by TF (odom to base_link)'
    play_until(lambda: is_still() and words in last()[1], False, 'clouds as seen again')
    play_until(is_moved, True, 'moved clouds again')
    player.close()
