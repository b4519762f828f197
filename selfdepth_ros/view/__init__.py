# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Clouds in the browser: a scene served from this machine, and what is played in it."""
