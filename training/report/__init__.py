# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a model can and cannot do on a bag, as one HTML file that needs nothing else."""

from selfdepth_training.report.document import Report, ReportError, write_report

__all__ = ['Report', 'ReportError', 'write_report']
