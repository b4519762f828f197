# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m selfdepth_ros.cli`, for places where no script is installed."""

from selfdepth_ros.cli.main import process

raise SystemExit(process())
