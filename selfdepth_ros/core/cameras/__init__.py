# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Lenses: pixels to rays and back. One file per lens."""

from selfdepth_ros.core.cameras.base import Camera, pixel_grid
from selfdepth_ros.core.cameras.fisheye import EquidistantCamera
from selfdepth_ros.core.cameras.pinhole import PinholeCamera

__all__ = ['Camera', 'EquidistantCamera', 'PinholeCamera', 'pixel_grid']
