# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Charts as SVG inside the page: text stays text, colours are the page's, light or dark.

Matplotlib draws with stand-in colours, which are then replaced by the page's variables.
"""

import html
import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from selfdepth_training.metrics import ErrorSums
from selfdepth_training.report.curves import Curve, smoothed
from selfdepth_training.report.shown import ShownFrames

_INK, _MUTED, _LINE, _ACCENT, _WARM = '#010101', '#020202', '#030303', '#040404', '#050505'
_VARIABLES = {
    _INK: 'var(--ink)', _MUTED: 'var(--muted)', _LINE: 'var(--line)', _ACCENT: 'var(--accent)',
    _WARM: 'var(--warm)',
}  # fmt: skip
_STYLE = {
    'svg.fonttype': 'none', 'svg.hashsalt': 'selfdepth', 'font.family': 'DejaVu Sans',
    'font.size': 10, 'text.color': _INK, 'axes.labelcolor': _MUTED, 'axes.edgecolor': _LINE,
    'axes.titlesize': 10.5, 'axes.titlelocation': 'left', 'axes.titlecolor': _INK,
    'axes.spines.top': False, 'axes.spines.right': False, 'axes.spines.left': False,
    'xtick.color': _MUTED, 'ytick.color': _MUTED, 'ytick.left': False, 'grid.color': _LINE,
    'grid.linewidth': 0.8, 'axes.axisbelow': True, 'figure.facecolor': 'none',
    'axes.facecolor': 'none', 'legend.frameon': False,
}  # fmt: skip
_WIDTH_IN, _COLUMNS = 11.0, 3


def curves_chart(curves: Sequence[Curve]) -> str:
    """Each logged value in a panel of its own: thin as logged, thick smoothed."""
    with matplotlib.rc_context(_STYLE):
        rows = -(-len(curves) // _COLUMNS)
        figure = Figure((_WIDTH_IN, 2.3 * rows), layout='constrained')
        for index, curve in enumerate(curves):
            axes = figure.add_subplot(rows, _COLUMNS, index + 1)
            axes.plot(curve.steps, curve.values, color=_ACCENT, alpha=0.3, linewidth=0.8)
            axes.plot(curve.steps, smoothed(curve.values), color=_ACCENT, linewidth=1.8)
            axes.set_title(curve.name.replace('_', ' '))
            axes.set_xlabel('step')
            axes.grid(axis='y')
        return _svg(figure, f'Training curves: {", ".join(curve.name for curve in curves)}')


def drive_chart(shown: ShownFrames) -> str:
    """Error of every frame along the drive, the worst ones numbered."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure((_WIDTH_IN, 2.6), layout='constrained')
        axes = figure.add_subplot()
        start = min(shown.stamps_ns)
        seconds = (np.array(shown.stamps_ns) - start) / 1e9
        axes.plot(seconds, shown.abs_rel, color=_ACCENT, linewidth=1.6)
        for number, frame in enumerate(shown.worst, 1):
            at = (frame.stamp_ns - start) / 1e9, frame.abs_rel
            axes.plot(*at, 'o', color=_WARM, markersize=5)
            axes.annotate(
                str(number), at, (0, 6), textcoords='offset points', ha='center', color=_WARM,
                weight='bold',
            )  # fmt: skip
        axes.set_ylim(0, 1.2 * max(shown.abs_rel))
        axes.set_xlabel('seconds since the first frame')
        axes.set_ylabel('abs rel')
        axes.grid(axis='y')
        return _svg(figure, 'Relative error of every frame along the drive')


def bands_chart(labels: Sequence[str], bands: Sequence[ErrorSums]) -> str:
    """Absolute relative error, and bias, by band of true depth."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure((_WIDTH_IN, 2.6), layout='constrained')
        left, right = figure.subplots(1, 2)
        metrics = [band.metrics() for band in bands]
        _bars(left, labels, [m.abs_rel for m in metrics], '{:.3f}', _ACCENT)
        left.set_title('Relative error (abs rel) by true distance')
        _bars(right, labels, [100 * band.bias for band in bands], '{:+.1f} %', _WARM)
        right.axhline(0, color=_MUTED, linewidth=0.8)
        right.set_title('Bias: above 0 means seen too far, below 0 too near')
        return _svg(figure, 'Relative error and bias by band of true distance')


def _bars(
    axes: Any, labels: Sequence[str], values: Sequence[float], text: str, color: str
) -> None:
    bars = axes.bar(labels, values, width=0.62, color=color)
    told = [text.format(value).replace('-', '\N{MINUS SIGN}') for value in values]
    axes.bar_label(bars, told, padding=3, fontsize=9)
    axes.margins(y=0.2)
    axes.set_yticks([])


def _svg(figure: Figure, label: str) -> str:
    """The figure as an element of the page, which scales it and gives it font and colours."""
    buffer = io.StringIO()
    figure.savefig(buffer, format='svg', metadata={'Date': None, 'Creator': None})
    text = buffer.getvalue()
    text = text[text.index('<svg') :]
    text = re.sub(r'<metadata>.*?</metadata>', '', text, flags=re.DOTALL)
    text = re.sub(r' id="[a-zA-Z.]+\d*_\d+"', '', text)  # names of groups, the same in each chart
    text = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", 'var(--font)', text)
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, variable)
    size = re.search(r'viewBox="[^"]*"', text)
    names = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg"'
    told = f'class="chart" role="img" aria-label="{html.escape(label)}"'
    return f'<svg {told} {size[0] if size else ""} {names}>' + text[text.index('>') + 1 :]
