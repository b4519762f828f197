# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The report: what it says, and how it becomes one HTML file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from selfdepth_ros import __version__
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.files import write_file
from selfdepth_training.evaluate import BAND_EDGES_M, Evaluation, counted
from selfdepth_training.metrics import ErrorSums
from selfdepth_training.protocols import EvaluationConfig, EvaluationProtocol
from selfdepth_training.report.charts import bands_chart, curves_chart, drive_chart
from selfdepth_training.report.curves import Curve
from selfdepth_training.report.scenes import Scene, depth_legend, error_legend
from selfdepth_training.report.shown import ShownFrames


class ReportError(SelfdepthError):
    """A report that cannot be written."""


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    model: str
    bag: str
    protocol: EvaluationProtocol
    rig: str
    """Whose calibration counts, and what is known of the robot's own body, in words."""
    evaluation: Evaluation
    shown: ShownFrames
    scenes: Sequence[Scene]
    curves: Sequence[Curve]
    record: dict[str, Any]
    """How the model came to be."""
    made: str
    """When the report was made."""


def write_report(report: Report, path: Path) -> None:
    """Write the page, whole or not at all. Raises ReportError."""
    try:
        write_file(path, to_html(report))
    except OSError as error:
        raise ReportError(
            f'Found that {path} cannot be written ({error}), expected room and permission for a '
            'file. Choose another --out.'
        ) from error


def to_html(report: Report) -> str:
    """The page as text; it asks nothing of a network."""
    environment = Environment(
        loader=PackageLoader('selfdepth_training', 'report'), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    mean, relative = report.evaluation.mean, report.evaluation.scale == 'relative'
    shown = [index for index, band in enumerate(mean.bands) if band.count]
    labels = [_band_label(index, report.protocol.config) for index in shown]
    gradient, ticks = depth_legend()
    return environment.get_template('page.html').render(
        report=report,
        version=__version__,
        mean=mean,
        relative=relative,
        which=counted(report.evaluation.scale),
        rows={**report.evaluation.cameras, 'mean': mean},
        bands=shown,
        band_labels=labels,
        pixels=sum(band.count for band in mean.bands),
        bands_chart='' if relative else bands_chart(labels, [mean.bands[i] for i in shown]),
        drive_chart=drive_chart(report.shown),
        curves_chart=curves_chart(report.curves) if report.curves else '',
        depth_gradient=gradient,
        depth_ticks=ticks,
        error_gradient=error_legend(),
        has_confidence=any(
            t.kind == 'confidence' for s in report.scenes for v in s.views for t in v.tiles
        ),
        record=_record_rows(report.record),
        measured_with=f'; {report.rig}',
        shade=_shade,
        weakest=_weakest(report.evaluation),
    )


def _band_label(index: int, config: EvaluationConfig) -> str:
    low = max(BAND_EDGES_M[index], config.min_depth_m)
    high = min(BAND_EDGES_M[index + 1], config.max_depth_m)
    return f'{low:g} – {high:g} m'


def _record_rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values as people read them; figures of other bags are left out."""
    rows = []
    for name, value in record.items():
        if isinstance(value, list | tuple):
            rows.append((name, ', '.join(map(str, value))))
        elif not isinstance(value, Mapping):
            rows.append((name, f'{value:.4g}' if isinstance(value, float) else str(value)))
    return [(name.replace('_', ' '), value) for name, value in rows]


def _shade(band: ErrorSums) -> int:
    """How strongly a cell is tinted, percent: fully at a relative error of .4."""
    return round(min(1.0, band.metrics().abs_rel / 0.4) * 70) if band.count else 0


def _weakest(evaluation: Evaluation) -> str:
    """The camera with the largest error, for the summary."""
    which, rows = counted(evaluation.scale), evaluation.cameras
    return max(rows, key=lambda name: getattr(rows[name], which).abs_rel)
