# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A process that subscribes to the cloud, reliably, and never takes a message."""

import signal

import rclpy
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2

rclpy.init()
node = rclpy.create_node('deaf')
node.create_subscription(PointCloud2, '/surround_depth/points', print, QoSProfile(depth=10))
signal.pause()
