# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The networks: depth from one image, ego motion from two."""

from selfdepth_training.networks.depth import DepthNetwork

__all__ = ['DepthNetwork']
