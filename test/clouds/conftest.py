# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""No test passes or fails by the clock: generated examples have no deadline."""

from hypothesis import settings

settings.register_profile('no-clock', deadline=None)
settings.load_profile('no-clock')
