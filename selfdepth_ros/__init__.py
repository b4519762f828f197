# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Metric surround depth for ROS 2 robots, learned from their own bags without labels."""

__version__ = '0.1.0'
