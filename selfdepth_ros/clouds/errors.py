# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The one error of this layer."""

from selfdepth_ros.core.errors import SelfdepthError


class CloudError(SelfdepthError):
    """Clouds that cannot be made, measured or shown."""
