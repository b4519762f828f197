# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Train every recipe with the same budget on the same streets; score each on streets unseen.

    python benchmarks/learning.py --out out/learning --minutes 10 [fsm monodepth2 ...]
    python benchmarks/learning.py --out out/learning --report-only

Each training is a process of its own. What was measured is not measured again: the same command
goes on after it was interrupted, trainings from their last checkpoint. Streets are rendered where
none are given. The report is written to --report, its pictures into images/ beside it.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from learning_plan import (
    BenchmarkError,
    Folder,
    Plan,
    Run,
    measured,
    read_json,
    runs_of,
    write_json,
)
from learning_report import write_report

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_training.config import RECIPES

WORK = Path(__file__).with_name('learning_work.py')
TRAIN_SEED, HELD_OUT_SEED = 101, 201
POLL_S, TELL_S = 0.2, 60.0


class Process(NamedTuple):
    """One run that is going on."""

    run: Run
    popen: subprocess.Popen
    log: Path
    began: float


def main() -> None:
    """Plan, prepare, run, measure latency, report."""
    args = _arguments()
    folder = Folder(args.out)
    if not args.report_only:
        plan = _plan(args)
        folder.freeze(plan)
        environment = _environment(plan)
        _work(folder, environment, 'prepare')
        runs = runs_of(args.recipes or built_in(), args.ablations, args.seeds)
        run_all(folder, runs, args.jobs, environment)
        _work(folder, environment, 'latency')
    print(write_report(folder, args.report))


def built_in() -> list[str]:
    """Names of the recipes of the package."""
    return sorted(path.stem for path in RECIPES.glob('*.yaml'))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('recipes', nargs='*', help='names or YAML files (default: all)')
    parser.add_argument('--out', type=Path, required=True, help='folder of the results')
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument('--minutes', type=float, default=10.0, help='each training (default: 10)')
    budget.add_argument('--steps', type=int, help='the same number of steps instead')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--ablations', action='store_true', help='what each part is good for')
    parser.add_argument('--bags', type=Path, nargs='+', default=[], help='with odometry and LiDAR')
    parser.add_argument('--held-out', type=Path, nargs='+', default=[], help='with truth or LiDAR')
    parser.add_argument('--streets', type=int, default=15, help='to render (default: 15 and 3)')
    parser.add_argument('--frames', type=int, default=40, help='of each street (default: 40)')
    parser.add_argument('--size', default='320x192', help='of their images (default: 320x192)')
    parser.add_argument('--cache', type=Path, help='frame caches (default: OUT/cache)')
    parser.add_argument('--every', type=int, default=2, help='n-th held-out frame (default: 2)')
    parser.add_argument('--threads', type=int, default=1, help='of each training (default: 1)')
    parser.add_argument('--jobs', type=int, default=1, help='trainings at a time (default: 1)')
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE', dest='settings')
    parser.add_argument('--report', type=Path, default=Path('docs/results.md'))
    parser.add_argument('--report-only', action='store_true', help='from what was measured')
    return parser.parse_args()


def _plan(args: argparse.Namespace) -> Plan:
    missing = [str(bag) for bag in (*args.bags, *args.held_out) if not bag.exists()]
    if missing:
        raise BenchmarkError(f'Found no {", ".join(missing)}, expected bags. Check the paths.')
    bags = args.bags or _streets(args, 'train', TRAIN_SEED, args.streets)
    held_out = args.held_out or _streets(args, 'held_out', HELD_OUT_SEED, 3)
    return Plan(
        tuple(str(bag.resolve()) for bag in bags),
        tuple(str(bag.resolve()) for bag in held_out),
        str((args.cache or args.out / 'cache').resolve()),
        None if args.steps else args.minutes, args.steps,
        tuple(args.settings), args.every, args.threads,
    )  # fmt: skip


def _streets(args: argparse.Namespace, kind: str, first_seed: int, count: int) -> list[Path]:
    """Streets of the synthetic world, rendered where they are missing."""
    width, height = (int(part) for part in args.size.split('x'))
    seeds = range(first_seed, first_seed + count)
    found = {args.out / 'streets' / f'{kind}_{seed}': seed for seed in seeds}
    for bag, seed in found.items():
        if not bag.exists():
            # In another process: what this one has held at most counts for its children as well.
            with ProcessPoolExecutor(1, get_context('spawn')) as pool:
                pool.submit(_render, bag, seed, args.frames, (width, height)).result()
    return list(found)


def _render(bag: Path, seed: int, frames: int, size: tuple[int, int]) -> None:
    from selfdepth_ros.synthetic.synth import write_bag

    partial = bag.with_name(f'.{bag.name}')
    shutil.rmtree(partial, ignore_errors=True)  # of a rendering that was killed
    partial.parent.mkdir(parents=True, exist_ok=True)
    write_bag(partial, seed, frames, *size, depth_truth=True)
    partial.rename(bag)


def _environment(plan: Plan) -> dict[str, str]:
    count = str(plan.threads)
    names = 'OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'
    return os.environ | dict.fromkeys((*names, 'TORCHINDUCTOR_COMPILE_THREADS'), count)


def _work(folder: Folder, environment: dict[str, str], *what: str) -> None:
    subprocess.run([sys.executable, str(WORK), str(folder.path), *what], check=True,
                   env=environment)  # fmt: skip


def run_all(folder: Folder, runs: list[Run], jobs: int, environment: dict[str, str]) -> None:
    """Run what has no result yet, `jobs` at a time; one that fails costs only itself."""
    waiting = [run for run in runs if not measured(folder.run(run.folder_name) / 'result.json')]
    print(f'{len(runs)} runs, {len(runs) - len(waiting)} of them measured before', flush=True)
    going: list[Process] = []
    told = time.monotonic()
    try:
        while waiting or going:
            while waiting and len(going) < jobs:
                going.append(_start(folder, waiting.pop(0), jobs, environment))
            time.sleep(POLL_S)
            for process in [each for each in going if each.popen.poll() is not None]:
                going.remove(process)
                _finish(folder, process, len(waiting) + len(going))
            if time.monotonic() - told > TELL_S:
                told = time.monotonic()
                for process in going:
                    print(f'  {process.run.folder_name}: {_last_words(process.log)}', flush=True)
    finally:
        for process in going:
            process.popen.terminate()
            process.popen.wait()


def _start(folder: Folder, run: Run, jobs: int, environment: dict[str, str]) -> Process:
    place = folder.run(run.folder_name)
    place.mkdir(parents=True, exist_ok=True)
    write_json(place / 'run.json', asdict(run))
    (place / 'result.json').unlink(missing_ok=True)  # it failed
    log = place / 'log.txt'
    command = [sys.executable, str(WORK), str(folder.path), 'run', run.folder_name]
    with log.open('ab') as file:
        popen = subprocess.Popen(
            [*command, '--jobs', str(jobs)], stdout=file, stderr=subprocess.STDOUT,
            env=environment,
        )  # fmt: skip
    print(f'{run.folder_name}: begun', flush=True)
    return Process(run, popen, log, time.monotonic())


def _finish(folder: Folder, process: Process, left: int) -> None:
    """Say how a run ended; one that was killed says nothing itself."""
    file = folder.run(process.run.folder_name) / 'result.json'
    code = process.popen.returncode
    if not file.exists():
        told = f'ended by signal {-code}' if code < 0 else f'ended with status {code}'
        write_json(file, {**asdict(process.run), 'status': 'failed', 'error': told})
    result = read_json(file)
    minutes = (time.monotonic() - process.began) / 60
    if result['status'] == 'failed':
        how = f'failed: {result["error"]}'
    else:
        mean = result['scores']['mean']
        kind = 'median_scaled' if result['scale'] == 'relative' else 'metric'
        how = f'abs_rel {mean[kind]["abs_rel"]:.4f} ({kind.replace("_", "-")})'
    print(f'{process.run.folder_name}: {how}, {minutes:.1f} minutes; {left} left', flush=True)


def _last_words(log: Path) -> str:
    """Newest state of the progress bar, or line, of a log."""
    with contextlib.suppress(OSError):
        lines = log.read_text('utf-8', 'replace').replace('\r', '\n').split('\n')
        return next((line.strip() for line in reversed(lines) if line.strip()), '')
    return ''


if __name__ == '__main__':
    try:
        main()
    except SelfdepthError as error:
        raise SystemExit(f'learning: error: {error}') from error
