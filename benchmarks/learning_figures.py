# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of the results: bars by recipe, and what each recipe sees."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from learning_plan import Folder
from matplotlib.figure import Figure

from selfdepth_ros.core.files import appearing, write_file
from selfdepth_ros.viz import color_depth

METRIC, SCALED, LINE, INK = '#1f6f8b', '#a9cfd9', '#c2571a', '#303840'
TITLES = {'abs_rel': 'abs_rel (lower is better)', 'delta1': 'delta1 (higher is better)'}
LARGEST_BYTES = 290_000
TILE_PX, TITLE_PX, GAP_PX, COLUMNS = 208, 20, 4, 2


def draw_bars(recipes: Sequence[Any], baseline: Sequence[Any], path: Path) -> None:
    """Errors of each recipe as predicted and median-scaled, and the baseline as a line."""
    figure = Figure((10, 1.3 + 0.42 * len(recipes)), layout='constrained')
    names = [f'{row.name} (relative)' if row.relative else row.name for row in recipes]
    places = np.arange(len(recipes))[::-1]
    for axes, metric in zip(figure.subplots(1, 2, sharey=True), TITLES, strict=True):
        for kind, color, shift in (('metric', METRIC, 0.2), ('median_scaled', SCALED, -0.2)):
            values = [np.nan if kind == 'metric' and row.relative else _value(row, kind, metric)
                      for row in recipes]  # fmt: skip
            # Bars of errors beyond one end there: the others must stay readable.
            bars = axes.barh(places + shift, np.minimum(values, 1), 0.38, color=color,
                             label=kind.replace('_', '-'))  # fmt: skip
            told = ['' if np.isnan(value) else f'{value:.3f}' for value in values]
            axes.bar_label(bars, told, padding=2, fontsize=7.5, color=INK)
        for row in baseline:
            axes.axvline(_value(row, 'metric', metric), color=LINE, linestyle='--', linewidth=1,
                         label=f'{row.name}, metric')  # fmt: skip
        axes.set_yticks(places, names, fontsize=9)
        axes.set_title(TITLES[metric], fontsize=10, loc='left', color=INK)
        axes.margins(x=0.12)
        axes.grid(axis='x', color='#e4e7ea')
        axes.set_axisbelow(True)
        axes.spines[['top', 'right', 'left']].set_visible(False)
        axes.tick_params(length=0, labelsize=8.5)
    figure.legend(*axes.get_legend_handles_labels(), loc='outside lower center', ncols=3,
                  frameon=False, fontsize=9)  # fmt: skip
    with appearing(path) as file:
        figure.savefig(file, format='png', dpi=110, facecolor='white')


def _value(row: Any, kind: str, metric: str) -> float:
    value: float = row.mean(lambda result: result['scores']['mean'][kind][metric])
    return value


def draw_panels(folder: Folder, recipes: Sequence[Any], path: Path) -> None:
    """Image, truth and each recipe's depth of one held-out frame, side by side."""
    with np.load(folder.truth) as stored:
        images, truth = stored['images'], stored['depths']
    blocks = [('image', list(images)), ('truth', [color_depth(depth) for depth in truth])]
    for row in recipes:
        file = folder.run(f'{row.name}-seed{row.results[0]["seed"]}') / 'panel.npz'
        if file.exists():
            with np.load(file) as stored:
                depths = stored['depths'].astype(np.float32)
            name = f'{row.name}, median-scaled' if row.relative else row.name
            shown = depths[:, 1 if row.relative else 0]
            blocks.append((name, [color_depth(depth) for depth in shown]))
    rows = [_block(name, pictures) for name, pictures in blocks]
    rows += [np.full_like(rows[0], 255)] * (-len(rows) % COLUMNS)
    gap = np.full((rows[0].shape[0], 4 * GAP_PX, 3), 255, np.uint8)
    lines = [np.hstack([rows[i], gap, rows[i + 1]]) for i in range(0, len(rows), COLUMNS)]
    write_file(path, _jpeg(np.vstack(lines)))


def _block(name: str, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """The cameras beside each other under a title."""
    tiles: list[np.ndarray] = []
    for picture in pictures:
        height = round(TILE_PX * picture.shape[0] / picture.shape[1])
        tile = cv2.resize(picture, (TILE_PX, height), interpolation=cv2.INTER_AREA)
        tiles += [tile, np.full((height, GAP_PX, 3), 255, np.uint8)]
    body = np.hstack(tiles[:-1])
    title = np.full((TITLE_PX, body.shape[1], 3), 255, np.uint8)
    cv2.putText(title, name, (2, TITLE_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (48, 56, 64), 1,
                cv2.LINE_AA)  # fmt: skip
    return np.vstack([title, body])


def _jpeg(picture: np.ndarray) -> bytes:
    """As good as fits into the largest file."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    for quality in (88, 80, 70, 60, 45):
        _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(data) <= LARGEST_BYTES:
            break
    return data.tobytes()
