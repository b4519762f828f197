# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The one error of this layer."""

from selfdepth_ros.core.errors import SelfdepthError


class DemoError(SelfdepthError):
    """The live graph did not do what the demonstration needs."""
