# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The geometry and the values of the package: NumPy (and the array API) only, no ROS, no torch."""
