# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the cameras of a rig really sit, told by the robot's own recordings."""

from selfdepth_training.extrinsics.drive import ExtrinsicsError
from selfdepth_training.extrinsics.refine import Refined, refine
from selfdepth_training.extrinsics.select import Limits

__all__ = ['ExtrinsicsError', 'Limits', 'Refined', 'refine']
