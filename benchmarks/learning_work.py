# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The processes that `learning.py` starts: preparing, one run each, and latency at the end.

python benchmarks/learning_work.py FOLDER prepare|latency|run [RUN]
"""

import argparse
import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from learning_plan import Folder, Plan, Run, measured, read_json, write_json
from learning_score import score

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.manifest import Manifest
from selfdepth_training.baseline import fit_row_baseline
from selfdepth_training.checkpoint import FILE_NAME
from selfdepth_training.config import load_recipe
from selfdepth_training.data.cache import build_cache
from selfdepth_training.data.folder import only_one
from selfdepth_training.evaluate import FrameScores
from selfdepth_training.export import export, in_metres
from selfdepth_training.loaded import load_model
from selfdepth_training.predict import TrainedNetwork
from selfdepth_training.protocols import EvaluationConfig
from selfdepth_training.train import train
from selfdepth_training.truth import frame_truths

PANEL_CAMERAS = 3
BASELINE_EVERY = 4


def prepare(folder: Folder, plan: Plan) -> None:
    """What all runs share, made once: frame caches, the row baseline, a frame for the panels."""
    config = load_recipe('fsm', plan.settings).data
    for bag in plan.bags:
        build_cache(bag, plan.cache, config.width, config.height)
    held_out = [Path(bag) for bag in plan.held_out]
    if not folder.baseline.exists():
        rig = BagReader(held_out[0]).rig()
        readers = [BagReader(bag) for bag in plan.bags]
        rows = fit_row_baseline(readers, rig, EvaluationConfig(every=BASELINE_EVERY))
        scores = score(lambda _: lambda frame: rows, held_out, EvaluationConfig(every=plan.every))
        write_json(folder.baseline, {'scores': scores})
    if not folder.truth.exists():
        _keep_truth(folder.truth, held_out[0], plan.every)


def _keep_truth(path: Path, bag: Path, every: int) -> None:
    reader = BagReader(bag)
    rig = reader.rig()
    found = list(frame_truths(reader, rig, EvaluationConfig(every=every)))
    frame, truths = found[len(found) // 2]
    cameras = panel_cameras(len(rig.cameras))
    images, depths = [], []
    for index in cameras:
        camera, truth, image = rig.cameras[index].camera, truths[index], frame.images[index]
        shape = camera.height, camera.width
        depth = np.full(shape, np.nan, np.float32)
        if truth is not None:
            depth[truth.v, truth.u] = truth.z_depth_m
        images.append(np.zeros((*shape, 3), np.uint8) if image is None else image)
        depths.append(depth)
    np.savez_compressed(
        path, stamp_ns=frame.stamp_ns, images=np.stack(images), depths=np.stack(depths),
        cameras=[rig.names[index] for index in cameras],
    )  # fmt: skip


def panel_cameras(count: int) -> list[int]:
    """Cameras that are shown: up to three, spread over the rig."""
    return np.unique(np.linspace(0, count - 1, PANEL_CAMERAS).astype(int)).tolist()


def run(folder: Folder, plan: Plan, name: str, jobs: int) -> None:
    """Train, score, export; the result says how it ended. Begun ones go on."""
    place = folder.run(name)
    with only_one(place / 'work'):
        if measured(place / 'result.json'):
            return
        given = read_json(place / 'run.json')
        job = Run(**{**given, 'settings': tuple(given['settings'])})
        about = {**asdict(job), 'machine': _machine(plan, jobs)}
        try:
            found = _measure(folder, plan, job, place)
        except Exception as error:
            lines = str(error).strip().splitlines() or ['no message']
            known = isinstance(error, SelfdepthError)
            first = lines[0] if known else f'{type(error).__name__}: {lines[0]}'
            write_json(place / 'result.json', about | {'status': 'failed', 'error': first})
            raise
        write_json(place / 'result.json', about | {'status': 'measured'} | found)


def _measure(folder: Folder, plan: Plan, job: Run, place: Path) -> dict[str, Any]:
    training = _trained(plan, job, place)
    model = load_model(place / 'run')
    panel = _Panel(folder.truth)
    scores = score(
        lambda rig: model.predictor(rig, False), [Path(bag) for bag in plan.held_out],
        EvaluationConfig(every=plan.every), model.scale, panel.see,
    )  # fmt: skip
    np.savez_compressed(place / 'panel.npz', depths=panel.depths)
    factor = float(np.mean([each['scale'] for each in scores['drift']]))
    exported = _export(place, factor if model.scale == 'relative' else None)
    return {'scale': model.scale, 'training': training, 'scores': scores, 'model': exported}


def _trained(plan: Plan, job: Run, place: Path) -> dict[str, Any]:
    """What training took; a training that was done before is not done again."""
    file = place / 'trained.json'
    if file.exists():
        found: dict[str, Any] = read_json(file)
        return found
    settings = [*plan.settings, *job.settings, f'seed={job.seed}']
    if plan.steps is not None:
        settings.append(f'steps={plan.steps}')
    resumed = (place / 'run' / FILE_NAME).exists()
    began, busy = time.monotonic(), time.process_time()
    train(
        [Path(bag) for bag in plan.bags], place / 'run', load_recipe(job.recipe, settings),
        plan.minutes, resumed, Path(plan.cache),
    )  # fmt: skip
    state = TrainedNetwork.load(place / 'run').state
    found = {
        'steps': state['step'],
        # Of the loop, its hints or labels included, over all parts of a training that was resumed.
        'seconds': state['seconds'],
        'wall_s': None if resumed else time.monotonic() - began,
        'cpu_s': None if resumed else time.process_time() - busy,
        'peak_mb': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        'resumed': resumed,
    }
    write_json(file, found)
    return found


class _Panel:
    """Keeps what a network says of the frame that is shown, image by image of the truth's scale
    where that is what its scores are of."""

    def __init__(self, truth: Path) -> None:
        with np.load(truth) as stored:
            self._stamp_ns = int(stored['stamp_ns'])
            self._shape = stored['depths'].shape[1:]
        self.depths = np.zeros(0, np.float16)

    def see(self, frame: FrameScores) -> None:
        """Take the first frame of that stamp: later bags may have the same. NaN where a camera
        has no prediction or no truth: drawn as unknown."""
        if frame.frame.stamp_ns != self._stamp_ns or self.depths.size:
            return
        shown = []
        for index in panel_cameras(len(frame.depths)):
            depth, found = frame.depths[index], frame.scores[index]
            if depth is None or found is None:
                shown.append(np.full((2, *self._shape), np.nan))
            else:
                shown.append(np.stack([depth, depth * found.scale]))
        self.depths = np.stack(shown).astype(np.float16)


def _export(place: Path, factor: float | None) -> dict[str, Any]:
    trained = in_metres(TrainedNetwork.load(place / 'run'), factor)
    state, data = trained.state, trained.config.data
    manifest = Manifest(
        name=place.name, width=data.width, height=data.height, depth_kind=state['depth_kind'],
        min_depth_m=trained.network.bounds_m[0], max_depth_m=trained.depth_limit.metres,
        focal_px=trained.depth_limit.focal_px,
        cameras=tuple(state['cameras']), has_confidence=trained.network.has_confidence,
    )  # fmt: skip
    path, _ = export(trained, place / 'model', manifest)
    return {
        'parameters': sum(p.numel() for p in trained.network.parameters()),
        'onnx_mb': path.stat().st_size / 1e6,
    }


def latency(folder: Folder, plan: Plan, repeats: int = 15) -> None:
    """Milliseconds for the images of one set, of every exported model, in turn; medians."""
    from selfdepth_ros.inference.onnx_engine import OnnxEngine

    names = [p.parent.parent.name for p in sorted(folder.path.glob('runs/*/model/model.onnx'))]
    calls: dict[str, Callable[[], object]] = {}
    cameras = len(BagReader(plan.held_out[0]).cameras)
    for name in names:
        engine = OnnxEngine.load(folder.run(name) / 'model' / 'model.onnx', plan.threads)
        size = engine.manifest.height, engine.manifest.width
        images = np.random.default_rng(0).integers(0, 256, (cameras, *size, 3), np.uint8)
        focal = np.full(cameras, 0.6 * size[1], np.float32)
        calls[name] = lambda engine=engine, images=images, focal=focal: engine.infer(images, focal)
    times: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(repeats + 2):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if repeat >= 2:
                times[name].append(1e3 * (time.perf_counter() - began))
    medians = {name: float(np.median(found)) for name, found in times.items()}
    write_json(folder.latency, {'ms': medians, 'cameras': cameras, 'threads': plan.threads,
                                'repeats': repeats})  # fmt: skip


def _machine(plan: Plan, jobs: int) -> dict[str, Any]:
    lines = Path('/proc/cpuinfo').read_text('utf-8').splitlines()
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return {
        'processor': names[0] if names else platform.machine(), 'cores': os.cpu_count(),
        'threads': plan.threads, 'jobs': jobs, 'torch': torch.__version__,
        'python': platform.python_version(),
    }  # fmt: skip


def main() -> None:
    """Do one piece of work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('what', choices=('prepare', 'run', 'latency'))
    parser.add_argument('name', nargs='?', default='')
    parser.add_argument('--jobs', type=int, default=1)
    args = parser.parse_args()
    folder = Folder(args.folder)
    plan = folder.plan()
    torch.set_num_threads(plan.threads)
    if args.what == 'prepare':
        prepare(folder, plan)
    elif args.what == 'latency':
        latency(folder, plan)
    else:
        run(folder, plan, args.name, args.jobs)


if __name__ == '__main__':
    main()
