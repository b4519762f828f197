# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The synthetic layer's error."""

from __future__ import annotations

from selfdepth_ros.core.errors import SelfdepthError


class SyntheticError(SelfdepthError):
    """A street world cannot be made or written as asked."""
