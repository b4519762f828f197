# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong while clouds are shown."""

from selfdepth_ros.core.errors import SelfdepthError


class ViewError(SelfdepthError):
    """Nothing can be shown."""
