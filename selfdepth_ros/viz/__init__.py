# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of depth maps and clouds, without a window or a graphics card."""

from selfdepth_ros.viz.canvas import save_png
from selfdepth_ros.viz.cloud import draw_cloud_birdseye, draw_cloud_perspective
from selfdepth_ros.viz.panels import color_depth, draw_depth_panels

__all__ = [
    'color_depth',
    'draw_cloud_birdseye',
    'draw_cloud_perspective',
    'draw_depth_panels',
    'save_png',
]
