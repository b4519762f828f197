# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A process that publishes the pictures of the scene, raw and as PNG, until it is stopped; what
nobody hears is not published, for it runs beside tests that have no use for it.

CameraInfo comes with every picture, and /tf_static where tf2_msgs is installed.
"""

import cv2
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from scene import CAMERAS, picture, rig_of
from sensor_msgs.msg import CompressedImage

from selfdepth_ros.nodes import execution
from selfdepth_ros.nodes.synthetic_rig import publish_rig_on_tf
from selfdepth_ros.nodes.to_ros import byte_array, camera_info_message, image_message

PERIOD_S = 0.1


class Cameras(Node):
    """All cameras have one stamp, the time of publication."""

    def __init__(self) -> None:
        super().__init__('cameras')
        self._pairs = []
        rig = rig_of(CAMERAS)
        for item in rig.cameras:
            raw = image_message(picture(item.name), 'rgb8', 0, item.frame_id)
            data = cv2.imencode('.png', picture(item.name)[..., ::-1])[1].reshape(-1)
            png = CompressedImage(header=raw.header, format='png', data=byte_array(data))
            info = camera_info_message(item)
            for message, topic in (
                (raw, 'image_raw'),
                (png, 'image_raw/compressed'),
                (info, 'camera_info'),
            ):
                publisher = self.create_publisher(
                    type(message), f'{item.name}/{topic}', qos_profile_sensor_data
                )
                self._pairs.append((publisher, message))
        self._tf = publish_rig_on_tf(self, rig)

    def start(self) -> None:
        self.create_timer(PERIOD_S, self._publish)

    def _publish(self) -> None:
        stamp = self.get_clock().now().to_msg()
        for publisher, message in self._pairs:
            if publisher.get_subscription_count():
                message.header.stamp = stamp
                publisher.publish(message)


raise SystemExit(execution.run('cameras', Cameras, Cameras.start, None))
