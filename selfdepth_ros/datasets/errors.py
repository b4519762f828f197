# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The one error of this layer."""

from selfdepth_ros.core.errors import SelfdepthError


class DatasetError(SelfdepthError):
    """A dataset folder is not what it should be."""
