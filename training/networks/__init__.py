# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The networks: depth from one image, ego motion from two surround frames."""

from selfdepth_training.networks.depth import DepthNetwork
from selfdepth_training.networks.ego_motion import EgoMotionNetwork

__all__ = ['DepthNetwork', 'EgoMotionNetwork']
