# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Self-supervised surround depth for ROS 2: from a robot's bag to a metric point cloud."""

__version__ = '0.1.0'
