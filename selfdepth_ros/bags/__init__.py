# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""rosbag2 in and out without ROS, by way of rosbags. Imports messages and core."""
