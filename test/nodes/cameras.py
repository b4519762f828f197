# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A process that publishes the pictures of the scene, raw and as PNG, until it is stopped."""

import cv2
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from scene import CAMERAS, picture
from sensor_msgs.msg import CompressedImage

from selfdepth_ros.nodes import execution
from selfdepth_ros.nodes.outputs import byte_array, image_message

PERIOD_S = 0.1


class Cameras(Node):
    """All cameras have one stamp, the time of publication."""

    def __init__(self) -> None:
        super().__init__('cameras')
        self._pairs = []
        for name in CAMERAS:
            raw = image_message(picture(name), 'rgb8', 0, f'{name}_optical_frame')
            data = cv2.imencode('.png', picture(name)[..., ::-1])[1].reshape(-1)
            png = CompressedImage(header=raw.header, format='png', data=byte_array(data))
            for message, ending in ((raw, ''), (png, '/compressed')):
                topic = f'{name}/image_raw{ending}'
                kind = type(message)
                publisher = self.create_publisher(kind, topic, qos_profile_sensor_data)
                self._pairs.append((publisher, message))

    def start(self) -> None:
        self.create_timer(PERIOD_S, self._publish)

    def _publish(self) -> None:
        stamp = self.get_clock().now().to_msg()
        for publisher, message in self._pairs:
            message.header.stamp = stamp
            publisher.publish(message)


raise SystemExit(execution.run('cameras', Cameras, Cameras.start, None))
