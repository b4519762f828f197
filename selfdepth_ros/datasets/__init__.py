# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Public datasets -> rosbag2, so that everything else only knows bags. Imports bags and core."""
