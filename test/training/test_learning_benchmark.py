# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of all recipes: tiny trainings to results, results to a report."""

import importlib
import os
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_training.config import load_recipe
from selfdepth_training.data.cache import build_cache
from selfdepth_training.evaluate import FrameScores

BENCHMARKS = Path(__file__).parents[2] / 'benchmarks'
NAMES = 'learning', 'learning_plan', 'learning_work', 'learning_report', 'training_speed'
TINY = (
    'network.encoder=[8, 8, 16, 16, 16]', 'network.decoder=[8, 8, 8, 8]', 'network.pose_width=8',
    'data.width=64', 'data.height=64', 'data.frames=3', 'precision=32-true',
)  # fmt: skip


@pytest.fixture(scope='module')
def bench() -> Iterator[Any]:
    """Its modules, which are scripts beside each other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in NAMES})


def scores(abs_rel: float, scaled: float) -> dict[str, Any]:
    both = {
        'metric': {'abs_rel': abs_rel, 'delta1': 1 - abs_rel},
        'median_scaled': {'abs_rel': scaled, 'delta1': 1 - scaled},
    }
    return {
        'mean': both,
        'cameras': {'camera_front': both, 'camera_back_left': both},
        'bands': [{'from_m': 1.0, 'to_m': 10.0, **both}, {'from_m': 10.0, 'to_m': 20.0, **both}],
        'drift': [{'scale': 1.0, 'std': 0.031, 'trend_per_s': -0.012, 'frames': 9}],
    }


def result(name: str, abs_rel: float, scaled: float, seed: int = 0, **more: Any) -> dict[str, Any]:
    training = {'steps': 70, 'seconds': 35.0, 'wall_s': 60.0, 'cpu_s': 90.0, 'peak_mb': 812.4,
                'resumed': False}  # fmt: skip
    return {
        'name': name, 'recipe': name, 'seed': seed, 'settings': [], 'status': 'measured',
        'scale': 'metric', 'training': training, 'scores': scores(abs_rel, scaled),
        'model': {'parameters': 1_250_000, 'onnx_mb': 5.04},
        'machine': {'processor': 'P', 'cores': 2, 'threads': 1, 'jobs': 2, 'torch': '9'},
    } | more  # fmt: skip


@pytest.fixture
def folder(bench, tmp_path):
    plan = bench.learning_plan.Plan(('a',), ('b', 'c'), 'cache', 2.5, None)
    made = bench.learning_plan.Folder(tmp_path / 'out')
    made.freeze(plan)
    return made


def put(bench, folder, *results: dict[str, Any]) -> None:
    for each in results:
        place = folder.run(f'{each["name"]}-seed{each["seed"]}') / 'result.json'
        bench.learning_plan.write_json(place, each)


def line_of(text: str, start: str, heading: str) -> list[str]:
    """Cells of the row that begins so, in the table under a heading."""
    part = text.split(f'{heading}\n')[1].split('\n#')[0]
    (line,) = (each for each in part.splitlines() if each.startswith(f'| {start} |'))
    return [cell.strip() for cell in line.strip('|').split('|')]


def test_the_report_tells_what_was_measured_and_nothing_else(bench, folder, tmp_path):
    put(bench, folder, result('fsm', 0.081, 0.0764), result('fsm', 0.087, 0.08, 1))
    put(bench, folder, result('sfm', 7.77, 0.2, scale='relative'))
    failed = {'name': 'lite', 'recipe': 'lite', 'seed': 0, 'status': 'failed'}
    put(bench, folder, failed | {'error': 'Found no LiDAR in x, expected some.'})
    bench.learning_plan.write_json(folder.baseline, {'scores': scores(0.418, 0.3)})
    ms = {'fsm-seed0': 40.0, 'fsm-seed1': 44.0, 'sfm-seed0': 63.0}
    bench.learning_plan.write_json(folder.latency, {'ms': ms})
    text = bench.learning_report.write_report(folder, tmp_path / 'docs' / 'r.md').read_text()

    depth = line_of(text, 'fsm', '## Depth on unseen streets')
    assert depth[1] == '.084 ± .003 / .078 ± .002'
    assert depth[3:] == ['3.1 %', '1.2 %/s']
    relative = line_of(text, 'sfm (**relative**)', '### abs_rel by camera')
    assert relative[1:] == ['— / .200', '— / .200']
    assert '7.77' not in text
    assert line_of(text, 'a depth per row', '### abs_rel by true distance')[1] == '.418 / .300'
    cost = line_of(text, 'sfm', '## What it costs')
    assert cost[1:] == ['70', '2.00', '1.0', '1.5', '812', '1.25', '5.0', '1.57 (63 ms)']
    assert '- lite (seed 0): Found no LiDAR in x, expected some.' in text.split('## Failed')[1]
    assert '| lite' not in text and 'Ablations' not in text
    assert '2.5 minutes' in text and 'Seeds: 0, 1' in text
    picture = tmp_path / 'docs' / 'images' / 'results_bars.png'
    assert 1000 < picture.stat().st_size < 300_000


def test_an_ablation_is_told_beside_what_the_field_reports(bench, folder, tmp_path):
    put(bench, folder, result('monodepth2', 0.1, 0.09), result('mono-mean', 0.12, 0.09))
    put(bench, folder, result('mono-no-automask', 0.101, 0.09))
    put(bench, folder, result('mono-no-odometry', 3.0, 0.081, scale='relative'))
    text = bench.learning_report.write_report(folder, tmp_path / 'r.md').read_text()
    found = {row.split('|')[2].strip(): row for row in text.split('## Ablations')[1].splitlines()
             if row.startswith('| monodepth2')}  # fmt: skip
    assert len(found) == 3
    assert '| .100 | .120 | worse (+20 %) | worse (.122 with' in found['mean instead of minimum']
    assert '| alike (+1 %) |' in found['no auto-mask']
    assert '| .090 * | .081 * | better (-10 %) |' in found['motion learned, odometry unused']
    assert 'mono-mean' not in text.split('## Ablations')[0]


def test_a_report_of_nothing_has_no_tables(bench, folder, tmp_path):
    text = bench.learning_report.write_report(folder, tmp_path / 'r.md').read_text()
    assert '|' not in text


def test_every_recipe_and_ablation_is_one_that_can_be_trained(bench):
    runs = bench.learning_plan.runs_of(bench.learning.built_in(), True, [0, 3])
    names = [run.folder_name for run in runs]
    assert len(set(names)) == len(names) and 'fsm-no-spatial-seed3' in names
    known = {run.name for run in runs}
    for ablation in bench.learning_plan.ABLATIONS:
        assert ablation.base in known
    configs = {run.name: load_recipe(run.recipe, run.settings) for run in runs}
    for ablation in bench.learning_plan.ABLATIONS:
        assert configs[ablation.name] != configs[ablation.base]


def test_results_of_another_budget_are_not_mixed(bench, folder):
    plan = bench.learning_plan.Plan(('a',), ('b', 'c'), 'cache', None, 70)
    with pytest.raises(bench.learning_plan.BenchmarkError, match='another --out'):
        folder.freeze(plan)


def test_a_camera_that_saw_nothing_is_a_panel_of_nothing(bench, tmp_path):
    truth, depth = tmp_path / 'truth.npz', np.full((6, 8), 4.0, np.float32)
    np.savez_compressed(truth, stamp_ns=5, depths=np.ones((3, 6, 8), np.float32))
    panel = bench.learning_work._Panel(truth)
    # What it reads of a score is the scale.
    scores = [None, SimpleNamespace(scale=2.0), None]
    panel.see(FrameScores(SurroundFrame(5, (), ()), [None, depth, depth], [], scores))
    assert panel.depths.shape == (3, 2, 6, 8)
    assert np.isnan(panel.depths[[0, 2]]).all()
    assert (panel.depths[1, 0] == 4).all() and (panel.depths[1, 1] == 8).all()


@pytest.mark.slow
def test_two_recipes_from_bag_to_report(bench, street, tmp_path):
    plan_module, work = bench.learning_plan, bench.learning_work
    folder = plan_module.Folder(tmp_path / 'out')
    bags = (str(street.bag),)
    plan = plan_module.Plan(bags, bags, str(tmp_path / 'cache'), None, 3, TINY, every=13)
    folder.freeze(plan)
    work.prepare(folder, plan)
    runs = [plan_module.Run('sfm', 'sfm', 1), plan_module.Run('supervised', 'supervised', 0)]
    for run in runs:
        plan_module.write_json(folder.run(run.folder_name) / 'run.json', asdict(run))
        work.run(folder, plan, run.folder_name, 1)
    work.latency(folder, plan, repeats=2)
    first, second = folder.results()
    assert (first['status'], first['scale'], second['scale']) == ('measured', 'relative', 'metric')
    assert first['training']['steps'] == 3 and first['training']['peak_mb'] > 100
    assert second['model']['onnx_mb'] > 0.01
    # What the bands and the frames' scales are made of is what `evaluate` has counted.
    pixels_alike = second['scores']['mean']['metric']['abs_rel']
    bands = [band['metric']['abs_rel'] for band in second['scores']['bands']]
    assert min(bands) < pixels_alike < max(bands)
    assert second['scores']['drift'][0]['frames'] == 4
    with np.load(folder.run('sfm-seed1') / 'panel.npz') as stored:
        as_said, scaled = stored['depths'][0].astype(np.float32)
    assert np.ptp(np.log(scaled / as_said)) < 0.01 and abs(np.log(scaled / as_said)).min() > 0.01

    report = bench.learning_report.write_report(folder, tmp_path / 'r.md').read_text()
    assert '(**relative**)' in report and re.search(r'\| supervised \| \d*\.\d+ / ', report)
    assert (tmp_path / 'images' / 'results_panels.jpg').stat().st_size < 300_000

    # Measured ones are not run again; one that cannot be run is a result, and costs only itself.
    stamp = (folder.run('sfm-seed1') / 'result.json').stat().st_mtime_ns
    bench.learning.run_all(folder, [*runs, plan_module.Run('none', 'none', 0)], 2, {**os.environ})
    assert (folder.run('sfm-seed1') / 'result.json').stat().st_mtime_ns == stamp
    report = bench.learning_report.write_report(folder, tmp_path / 'r.md').read_text()
    assert "- none (seed 0): Found no recipe 'none'" in report.split('## Failed')[1]


def test_the_steps_whose_speed_is_measured_are_those_of_a_training(bench, street, tmp_path):
    size = 64, 64
    cache = build_cache(street.bag, tmp_path, *size, progress=False)
    config = load_recipe('monodepth2', TINY)
    subject = bench.training_speed.Subject(config, cache)
    before = [weights.clone() for weights in subject.learner.parameters()]
    assert all(seconds > 0 for seconds in subject.step(0.9))
    assert any(map(torch.ne, map(torch.sum, before), map(torch.sum, subject.learner.parameters())))
    assert subject.bare(subject.images()) > 0
