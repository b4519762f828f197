# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""ROS 2 nodes: the only place for rclpy, message packages and tf2. Callbacks store, core computes.

`python -m selfdepth_ros.nodes.surround_depth` works where no launch system is installed.
"""
