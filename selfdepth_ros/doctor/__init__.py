# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Is a recording fit to learn from, and a live rig fit to run on? One set of checks for both.

Messages of a bag or of a live graph go into an `Observation`; `examine` makes a `Checkup` of it.
"""
