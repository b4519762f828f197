# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The live demonstration: what it runs, measures and draws. The command is `selfdepth demo`."""
