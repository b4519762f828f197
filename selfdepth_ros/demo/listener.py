# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the demonstration hears: clouds, diagnostics and, for a while, depth images."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image, PointCloud2

from selfdepth_ros.messages import decode_depth, stamp_ns
from selfdepth_ros.nodes.execution import Stop, make_executor

NODE = '/surround_depth'
KEEP = 12
"""Clouds kept: the last ones."""
PATIENCE_S = 30.0
"""How long a service of the node is waited for."""


class Listener:
    """A light third role: callbacks only store."""

    def __init__(self, stop: Stop) -> None:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._stop = stop
        self._node = Node('selfdepth_demo')
        self._executor = make_executor()
        self._executor.add_node(self._node)
        self.clouds: deque[Any] = deque(maxlen=KEEP)
        self.count = 0
        """Clouds received since the start."""
        self.first_cloud_s = 0.0
        """Steady time of the first of them."""
        self.depths: dict[tuple[str, int], Any] = {}
        """(camera, stamp in ns) -> depth image message."""
        self.figures: dict[str, str] = {}
        """The node's last diagnostics."""
        self.measured: dict[str, str] = {}
        """The diagnostics at the end of the measurement."""
        self.received_hz = 0.0
        self.state = ''
        self._node.create_subscription(
            PointCloud2, f'{NODE}/points', self._cloud, QoSProfile(depth=2)
        )
        self._node.create_subscription(DiagnosticArray, '/diagnostics', self._status, 10)

    def listen_to_depths(self, cameras: Sequence[str]) -> None:
        """Subscribe to depth images: from now on the node publishes them, too."""
        for name in cameras:
            self._node.create_subscription(
                Image,
                f'{NODE}/{name}/depth',
                lambda msg, name=name: self.depths.__setitem__((name, stamp_ns(msg.header)), msg),
                QoSProfile(depth=2),
            )

    def ask_for_cameras(self) -> None:
        """Have the node tell the camera of each point: from some next cloud on."""
        client = self._node.create_client(SetParameters, f'{NODE}/set_parameters')
        self.spin(PATIENCE_S, client.service_is_ready)
        wish = Parameter('points.camera', value=True).to_parameter_msg()
        client.call_async(SetParameters.Request(parameters=[wish]))

    @property
    def clouds_with_cameras(self) -> list[Any]:
        """Those of the last clouds that tell the camera of each point."""
        return [msg for msg in self.clouds if any(own.name == 'camera' for own in msg.fields)]

    def spin(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Listen for so long, or until something is true; returns whether it became true."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            if until():
                return True
            self._stop.held = True
            self._executor.spin_once(timeout_sec=0.1)
            self._stop.release()
        return until()

    def depth_maps(self) -> dict[tuple[str, int], Any]:
        """Return the depth images as arrays (h, w), metres."""
        return {key: decode_depth(msg) for key, msg in self.depths.items()}

    def close(self) -> None:
        """Leave the graph."""
        self._node.destroy_node()
        rclpy.try_shutdown()

    def _cloud(self, msg: Any) -> None:
        if not self.count:
            self.first_cloud_s = time.monotonic()
        self.count += 1
        self.clouds.append(msg)

    def _status(self, msg: Any) -> None:
        for status in msg.status:
            if status.name == NODE:
                self.state = status.message
                self.figures = {pair.key: pair.value for pair in status.values}
