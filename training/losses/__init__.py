# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Loss terms. Each reduces over the pixels that are valid, and says so in its name."""

from selfdepth_training.losses.photometric import photometric_error
from selfdepth_training.losses.smoothness import edge_aware_smoothness

__all__ = ['edge_aware_smoothness', 'photometric_error']
