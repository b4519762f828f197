# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What `learning.py` measures: recipes and ablations, one budget, and where results lie."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.files import write_file

BANDS_M = (1.0, 10.0, 20.0, 40.0, 60.0)
"""Limits of the bands of true depth that are told apart."""


class BenchmarkError(SelfdepthError):
    """A benchmark that cannot begin."""


@dataclass(frozen=True)
class Plan:
    """What all runs of a folder share; another budget needs another folder."""

    bags: tuple[str, ...]
    held_out: tuple[str, ...]
    cache: str
    minutes: float | None
    """Length of each training; None where `steps` are given."""
    steps: int | None
    settings: tuple[str, ...] = ()
    """KEY=VALUE for every recipe."""
    every: int = 2
    """Every n-th held-out frame is evaluated."""
    threads: int = 1

    @property
    def budget(self) -> str:
        """The budget in words."""
        if self.minutes is None:
            return f'{self.steps} steps'
        return f'{self.minutes:g} minutes'


@dataclass(frozen=True)
class Run:
    """One training to be measured."""

    name: str
    """Its folder, and what tables call it."""
    recipe: str
    seed: int
    settings: tuple[str, ...] = ()

    @property
    def folder_name(self) -> str:
        """Distinct for every run of a benchmark."""
        return f'{self.name}-seed{self.seed}'


class Ablation(NamedTuple):
    """A recipe with something taken away, and what the field reports of doing so."""

    name: str
    title: str
    base: str
    """Name of the run that it is compared with."""
    recipe: str
    settings: tuple[str, ...]
    field: str
    """What publications say of abs_rel without it."""


# Full surround photometric learning; the recipe `fsm` of this package learns from plane sweeps
# instead, on which none of these terms has an influence.
FSM_IMAGES = ('network.head=sigmoid', 'loss.hint=0', 'loss.images_from=0')
_WORSE_MIN = 'worse (.122 with, .140 without on KITTI: Godard et al. 2019)'
_WORSE_MASK = 'worse (.124 with, .140 without on KITTI: Godard et al. 2019)'
_WORSE_POSE = 'worse (nuScenes .197 to .224 with known poses, .253 to .319 without)'
_MONO, _IMAGES = 'monodepth2', 'fsm-images'
ABLATIONS = (
    Ablation(_IMAGES, 'images teach instead of plane sweeps', 'fsm', 'fsm', FSM_IMAGES,
             'worse (proxy depths help: Watson et al. 2019)'),
    Ablation('mono-no-automask', 'no auto-mask', _MONO, _MONO, ('loss.automask_from=1',),
             _WORSE_MASK),
    Ablation('mono-mean', 'mean instead of minimum', _MONO, _MONO, ('loss.sources=mean',),
             _WORSE_MIN),
    Ablation('mono-own-size', 'scales judged at their own size', _MONO, _MONO,
             ('loss.pyramid=own',), 'slightly worse (Godard et al. 2019)'),
    Ablation('mono-no-odometry', 'motion learned, odometry unused', _MONO, _MONO,
             ('data.with_odometry=learned',), _WORSE_POSE),
    Ablation('mono-no-body-masks', 'no self-occlusion masks', _MONO, _MONO,
             ('data.body_masks=false',), 'worse (Guizilini et al. 2022)'),
    Ablation('fsm-no-automask', 'no auto-mask', _IMAGES, 'fsm',
             (*FSM_IMAGES, 'loss.automask_from=1'), _WORSE_MASK),
    Ablation('fsm-mean', 'mean instead of minimum', _IMAGES, 'fsm',
             (*FSM_IMAGES, 'loss.sources=mean'), _WORSE_MIN),
    Ablation('fsm-no-spatial', 'no spatial terms', _IMAGES, 'fsm',
             (*FSM_IMAGES, 'loss.spatial=0'), 'worse (Guizilini et al. 2022)'),
    Ablation('fsm-no-spatio-temporal', 'no spatio-temporal term', _IMAGES, 'fsm',
             (*FSM_IMAGES, 'loss.spatial_times=now'), 'worse (Guizilini et al. 2022)'),
    Ablation('fsm-no-body-masks', 'no self-occlusion masks', _IMAGES, 'fsm',
             (*FSM_IMAGES, 'data.body_masks=false'), 'worse (Guizilini et al. 2022)'),
    Ablation('fsm-no-odometry', 'motion learned, odometry unused', _IMAGES, 'fsm',
             (*FSM_IMAGES, 'data.with_odometry=learned'), _WORSE_POSE),
)  # fmt: skip


def runs_of(recipes: Iterable[str], ablations: bool, seeds: Iterable[int]) -> list[Run]:
    """Every training that is asked for; of ablations, what they are compared with as well."""
    wanted = {Path(recipe).stem: (recipe, ()) for recipe in recipes}
    if ablations:
        wanted |= {name: (name, ()) for name in ('fsm', _MONO)}
        wanted |= {each.name: (each.recipe, each.settings) for each in ABLATIONS}
    return [
        Run(name, recipe, seed, settings)
        for seed in seeds
        for name, (recipe, settings) in wanted.items()
    ]


class Folder:
    """Where the results of a benchmark lie."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plan_file = path / 'plan.json'
        self.baseline = path / 'baseline.json'
        self.truth = path / 'truth.npz'
        self.latency = path / 'latency.json'

    def run(self, run_name: str) -> Path:
        """Folder of one run: run.json, log.txt, run/, model/, result.json."""
        return self.path / 'runs' / run_name

    def plan(self) -> Plan:
        """The plan, as it was frozen."""
        return Plan(**{k: tuple(v) if isinstance(v, list) else v for k, v in
                       read_json(self.plan_file).items()})  # fmt: skip

    def freeze(self, plan: Plan) -> None:
        """Keep the plan; BenchmarkError where the folder has results of another one."""
        if self.plan_file.exists() and self.plan() != plan:
            raise BenchmarkError(
                f'Found results of another plan in {self.path} ({self.plan()}), expected '
                f'{plan}. Give the same options, or another --out.'
            )
        write_json(self.plan_file, asdict(plan))

    def results(self) -> list[dict[str, Any]]:
        """What was measured, or failed, in the order of the runs' names."""
        return [read_json(path) for path in sorted(self.path.glob('runs/*/result.json'))]


def measured(path: Path) -> bool:
    """Whether a run has a result; one that failed is tried again."""
    return path.is_file() and read_json(path)['status'] == 'measured'


def read_json(path: Path) -> Any:
    """Plain values of a file."""
    return json.loads(path.read_text('utf-8'))


def write_json(path: Path, values: Any) -> None:
    """Write plain values, whole or not at all."""
    write_file(path, json.dumps(values, indent=1))
