# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Clouds of recordings: made of a bag's images, measured against its LiDAR, shown."""
