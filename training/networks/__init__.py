# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The networks: depth from one image, ego motion from two frames, features to compare by."""

from selfdepth_training.networks.autoencoder import FeatureAutoencoder
from selfdepth_training.networks.depth import DepthNetwork
from selfdepth_training.networks.ego_motion import EgoMotionNetwork

__all__ = ['DepthNetwork', 'EgoMotionNetwork', 'FeatureAutoencoder']
