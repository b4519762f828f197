# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Results of `learning.py` as Markdown: nothing stands here that no run has measured."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from learning_figures import draw_bars, draw_panels
from learning_plan import ABLATIONS, Ablation, Folder, read_json

from selfdepth_ros.core.files import write_file

NOTHING = '\N{EM DASH}'
REFERENCE = 'fsm'
BASELINE = 'a depth per row'
ALIKE = 0.02
"""Changes of abs_rel below this share are not called better or worse."""
Numbers = Callable[[dict[str, Any]], float]


@dataclass(frozen=True)
class Row:
    """A recipe: its results with all seeds."""

    name: str
    results: tuple[dict[str, Any], ...]

    @property
    def relative(self) -> bool:
        """Whether its depths have no metres."""
        return any(result.get('scale') == 'relative' for result in self.results)

    @property
    def counted(self) -> str:
        """Which of its scores count."""
        return 'median_scaled' if self.relative else 'metric'

    def mean(self, of: Numbers) -> float:
        """Mean over the seeds."""
        return float(np.mean([of(result) for result in self.results]))

    def error(self, kind: str) -> float:
        """Mean abs_rel."""
        return self.mean(lambda r: r['scores']['mean'][kind]['abs_rel'])


def write_report(folder: Folder, path: Path) -> Path:
    """Write the report, and its pictures into `images/` beside it."""
    results = folder.results()
    done = [result for result in results if result['status'] == 'measured']
    rows = _rows(done)
    ablated = {each.name for each in ABLATIONS}
    recipes = [row for row in rows if row.name not in ablated]
    baseline = [_baseline(folder)] if folder.baseline.exists() else []
    images = path.parent / 'images'
    parts = [_head(folder, done)]
    if recipes:
        draw_bars(recipes, baseline, images / 'results_bars.png')
        parts += [*_tables(recipes, baseline), _cost(folder, recipes)]
        parts.append('![errors by recipe](images/results_bars.png)')
        if folder.truth.exists():
            draw_panels(folder, recipes, images / 'results_panels.jpg')
            parts.append('![depths by recipe](images/results_panels.jpg)')
    parts += [*_ablations(rows), *_failures(results)]
    write_file(path, '\n\n'.join(parts) + '\n')
    return path


def _rows(done: Iterable[dict[str, Any]]) -> list[Row]:
    by_name: dict[str, list[dict[str, Any]]] = {}
    for result in done:
        by_name.setdefault(result['name'], []).append(result)
    rows = [Row(name, tuple(found)) for name, found in by_name.items()]
    return sorted(rows, key=lambda row: (row.relative, row.error(row.counted)))


def _baseline(folder: Folder) -> Row:
    return Row(BASELINE, (read_json(folder.baseline),))


def _head(folder: Folder, done: list[dict[str, Any]]) -> str:
    plan = folder.plan()
    machines = {str(result['machine']): result['machine'] for result in done}.values()
    seeds = sorted({result['seed'] for result in done})
    told = '; '.join(
        f'{m["processor"]}, {m["cores"]} cores, {m["threads"]} thread(s) for each of {m["jobs"]} '
        f'training(s) at a time, torch {m["torch"]}' for m in machines
    )  # fmt: skip
    return (
        '# Results\n\n'
        'Written by `python benchmarks/learning.py`; every number was measured by it.\n\n'
        f'Each recipe had {plan.budget}, on {len(plan.bags)} recording(s), and was scored on '
        f'{len(plan.held_out)} that no training saw (one frame of {plan.every}, 1 to 60 m). '
        f'Seeds: {", ".join(map(str, seeds)) or NOTHING}. '
        + (f'Settings for all: `{" ".join(plan.settings)}`. ' if plan.settings else '')
        + f'Machine: {told or NOTHING}.\n\n'
        'Cells are metric / median-scaled (image by image). **Relative** recipes know no metres: '
        'only median-scaled scores mean something. With several seeds they are means, '
        '\N{PLUS-MINUS SIGN} half of the spread between them.'
    )


def _tables(recipes: list[Row], baseline: list[Row]) -> list[str]:
    rows = [*recipes, *baseline]
    scores: list[list[str]] = []
    for row in rows:
        cells = [_both(row, ('mean',), metric) for metric in ('abs_rel', 'delta1')]
        spread = row.mean(lambda r: np.mean([d['std'] for d in r['scores']['drift']]))
        trend = row.mean(lambda r: np.mean([abs(d['trend_per_s']) for d in r['scores']['drift']]))
        scores.append([_title(row), *cells, f'{100 * spread:.1f} %', f'{100 * trend:.1f} %/s'])
    head = ['recipe', 'abs_rel', 'delta1', 'scale: deviation over a drive', 'trend, either way']
    parts = [
        '## Depth on unseen streets', _markdown(head, scores),
        "The scale of a frame is the median over its cameras of truth by depth; its deviation and "
        'its linear trend are shares of its mean.',
    ]  # fmt: skip
    first = rows[0].results[0]['scores']
    limits = [(band['from_m'], band['to_m']) for band in first['bands']]
    for metric in ('abs_rel', 'delta1'):
        head = ['recipe', *(f'{low:g}-{high:g} m' for low, high in limits)]
        table = [[_title(r), *(_both(r, ('bands', i), metric) for i in range(len(limits)))]
                 for r in rows]  # fmt: skip
        parts += [f'### {metric} by true distance', _markdown(head, table)]
    for metric in ('abs_rel', 'delta1'):
        cameras = list(first['cameras'])
        table = [[_title(r), *(_both(r, ('cameras', c), metric) for c in cameras)] for r in rows]
        head = ['recipe', *(name.removeprefix('camera_').replace('_', ' ') for name in cameras)]
        parts += [f'### {metric} by camera', _markdown(head, table)]
    return parts


def _title(row: Row) -> str:
    return f'{row.name} (**relative**)' if row.relative else row.name


def _both(row: Row, where: Sequence[Any], metric: str) -> str:
    """`metric / median-scaled`, the former only where there are metres."""
    cells = []
    for kind in ('metric', 'median_scaled'):
        found = [_at(result['scores'], (*where, kind)) for result in row.results]
        values = [each[metric] for each in found if each is not None]
        hidden = not values or (kind == 'metric' and row.relative)
        cells.append(NOTHING if hidden else _number(values))
    return ' / '.join(cells)


def _at(values: Any, where: Sequence[Any]) -> Any:
    for key in where:
        values = values[key]
    return values


def _number(values: Sequence[float]) -> str:
    text = _short(float(np.mean(values)))
    if len(values) == 1:
        return text
    return f'{text} \N{PLUS-MINUS SIGN} {_short((max(values) - min(values)) / 2)}'


def _short(value: float) -> str:
    return f'{value:.3f}'.removeprefix('0') if value < 1 else f'{value:.2f}'


def _cost(folder: Folder, recipes: list[Row]) -> str:
    found = read_json(folder.latency)['ms'] if folder.latency.exists() else {}
    names = [f'{r["name"]}-seed{r["seed"]}' for row in recipes for r in row.results]
    known = [name for name in names if name in found]
    reference = next((n for n in known if n.startswith(f'{REFERENCE}-seed')), (known or [''])[0])
    table = []
    for row in recipes:
        training = [result['training'] for result in row.results]
        walls = [t['wall_s'] for t in training if t['wall_s'] is not None]
        busy = [t['cpu_s'] for t in training if t['cpu_s'] is not None]
        times = [found[f'{r["name"]}-seed{r["seed"]}'] for r in row.results
                 if f'{r["name"]}-seed{r["seed"]}' in found]  # fmt: skip
        ratio = np.mean(times) / found[reference] if times else None
        table.append([
            row.name, f'{row.mean(lambda r: r["training"]["steps"]):.0f}',
            f'{row.mean(lambda r: r["training"]["steps"] / r["training"]["seconds"]):.2f}',
            f'{np.mean(walls) / 60:.1f}' if walls else NOTHING,
            f'{np.mean(busy) / 60:.1f}' if busy else NOTHING,
            f'{row.mean(lambda r: r["training"]["peak_mb"]):.0f}',
            f'{row.mean(lambda r: r["model"]["parameters"]) / 1e6:.2f}',
            f'{row.mean(lambda r: r["model"]["onnx_mb"]):.1f}',
            NOTHING if ratio is None else f'{ratio:.2f} ({np.mean(times):.0f} ms)',
        ])  # fmt: skip
    head = ['recipe', 'steps', 'steps/s', 'training, minutes', 'of a CPU', 'peak memory, MB',
            'parameters, million', 'ONNX, MB', f'latency / {reference}']  # fmt: skip
    return (
        f'## What it costs\n\n{_markdown(head, table)}\n\n'
        'Steps per second count the hints, or labels, that steps ask for; minutes also what comes '
        'before (masks, visual odometry, measuring the pace). Latency: the images of one set in '
        'ONNX Runtime, all models in turn.'
    )


def _ablations(rows: list[Row]) -> list[str]:
    by_name = {row.name: row for row in rows}
    table = [
        _ablation(each, by_name[each.name], by_name[each.base])
        for each in ABLATIONS
        if {each.name, each.base} <= by_name.keys()
    ]
    if not table:
        return []
    head = ['from', 'change', 'abs_rel before', 'after', 'measured', 'the field reports']
    return [
        '## Ablations', _markdown(head, table),
        f'`fsm-images` is `fsm` whose images teach, instead of plane sweeps. Changes of less than '
        f'{ALIKE:.0%} are called alike. Where one side is relative both are median-scaled (*).',
    ]  # fmt: skip


def _ablation(ablation: Ablation, row: Row, base: Row) -> list[str]:
    relative = row.relative or base.relative
    kind = 'median_scaled' if relative else 'metric'
    before, after = base.error(kind), row.error(kind)
    change = after / before - 1
    word = 'alike' if abs(change) < ALIKE else 'worse' if change > 0 else 'better'
    mark = ' *' if relative else ''
    return [ablation.base, ablation.title, _short(before) + mark, _short(after) + mark,
            f'{word} ({100 * change:+.0f} %)', ablation.field]  # fmt: skip


def _failures(results: list[dict[str, Any]]) -> list[str]:
    lines = [
        f'- {result["name"]} (seed {result["seed"]}): {result["error"]}'
        for result in results
        if result['status'] == 'failed'
    ]
    return ['## Failed', '\n'.join(lines)] if lines else []


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)
