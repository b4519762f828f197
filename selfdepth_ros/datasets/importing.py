# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Scenes of any dataset -> bags: in a stream, resumable, each whole or not there."""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from selfdepth_ros.bags.custom_data import custom_data
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.unfinished import remove_unfinished
from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.files import write_file
from selfdepth_ros.datasets.catalogues import DATASETS
from selfdepth_ros.datasets.errors import DatasetError
from selfdepth_ros.datasets.recorder import SceneRecorder
from selfdepth_ros.datasets.report import ImportReport, SceneReport
from selfdepth_ros.datasets.scene import Scene

CUSTOM_DATA = 'selfdepth_import'
"""Key of the bag's custom data: JSON with dataset, scene, licence, report and more."""
REPORT = 'report.txt'


def import_dataset(
    dataset: str,
    src: str | Path,
    out: str | Path,
    scenes: Sequence[str] | None = None,
    *,
    storage: str = 'mcap',
    progress: bool = True,
) -> ImportReport:
    """Write scenes (None: all) of the dataset in `src`; one is the bag `out`, several lie in it.

    One more than those that lie in `out` already lies there, too.
    Bags that an earlier import finished are kept. What is missing or broken costs itself only and
    is told in the report, which is returned and kept as report.txt in `out`. Raises DatasetError
    for a folder of another layout, an unknown scene, or when not one scene can be imported.
    """
    src, out = Path(src), Path(out)
    catalogue = DATASETS[dataset].open(src)
    names = _chosen(scenes, catalogue.names)
    paths = _paths(out, names)
    report = ImportReport(dataset, src)
    finished = {name: _finished(out, path, dataset, name) for name, path in paths.items()}
    left = [name for name in names if finished[name] is None]
    with catalogue.reading(left, progress) as read_scene:
        for name, path in paths.items():
            lines = finished[name]
            if lines is not None:
                report.done(path, lines, before=True)
            else:
                _import_scene(report, read_scene, name, path, storage, progress)
            if report.bags:
                _keep(report, out)
    if not report.bags:
        first = next(iter(report.failed.items()), ('found no scene', 'expected one at least'))
        raise DatasetError(f'not one scene of {src} can be imported: {": ".join(first)}')
    return report


def _chosen(asked: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """Return the scenes asked for, each once, or say which one is unknown."""
    if not asked:
        return list(known)
    for name in asked:
        if name not in known:
            close = difflib.get_close_matches(name, known, 3) or list(known[:3])
            raise DatasetError(
                f'no scene {name!r}: expected some of {len(known)}, such as {", ".join(close)}'
            )
    return list(dict.fromkeys(asked))


def _paths(out: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return where the bag of each scene belongs; BagError where several do not fit."""
    is_bag = (out / 'metadata.yaml').exists()
    if len(names) == 1 and (is_bag or not any(_told(item) for item in out.glob('*/'))):
        return {names[0]: out}
    if is_bag:
        raise _in_the_way(out, out, f'a folder for {len(names)} bags')
    return {name: out / name for name in names}


def _finished(out: Path, path: Path, dataset: str, name: str) -> list[str] | None:
    """Return the report of a bag that an import of this scene finished; None: there is nothing.

    Raises BagError when something else is in its place.
    """
    if not path.exists():
        return None
    told = _told(path)
    if (told.get('dataset'), told.get('scene')) == (dataset, name):
        return [str(line) for line in told.get('report', ())]
    raise _in_the_way(path, out, f'a place for the bag of scene {name}')


def _told(path: Path) -> dict[str, Any]:
    """Return what an import has told of the bag it made; nothing for what is none."""
    try:
        told = json.loads(custom_data(path).get(CUSTOM_DATA, ''))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _in_the_way(path: Path, out: Path, expected: str) -> BagError:
    """Say what is in the place of a bag, and propose another `out`: nothing need be removed."""
    told = _told(path)
    found = f'is the bag of scene {told.get("scene")} of {told.get("dataset")}'
    names = (f'{out.resolve().name}_{number}' for number in itertools.count(2))
    other = next(out.parent / name for name in names if not (out.parent / name).exists())
    return BagError(
        f'{path} {found if told else "exists already"}: expected {expected}; give another OUT, '
        f'such as {other}'
    )


def _import_scene(
    report: ImportReport,
    read_scene: Callable[[str], Scene],
    name: str,
    path: Path,
    storage: str,
    progress: bool,
) -> None:
    """Write one scene; what is wrong with its own files is its failure only."""
    try:
        scene = read_scene(name)
    except SelfdepthError as error:
        report.fail(name, str(error))
        return
    remove_unfinished(path)
    try:
        written = _write(scene, path, name, report.dataset, storage, progress)
    except DatasetError as error:
        report.fail(name, str(error))
        return
    report.done(path, written.lines())


def _write(
    scene: Scene, path: Path, name: str, dataset: str, storage: str, progress: bool
) -> SceneReport:
    """Write the bag of a scene, which appears when it is whole."""
    with BagWriter(path, storage) as bag:
        recorder = SceneRecorder(bag, scene)
        for event in tqdm(
            scene.events, name, scene.total, disable=not progress, unit='file', dynamic_ncols=True
        ):
            recorder.record(event)
        recorder.finish()
        told: dict[str, Any] = {
            'dataset': dataset,
            'scene': name,
            'licence': DATASETS[dataset].licence,
            'report': recorder.report.lines(),
            **scene.custom_data,
        }
        bag.set_custom_data(CUSTOM_DATA, json.dumps(told))
    return recorder.report


def _keep(report: ImportReport, out: Path) -> None:
    """Write the report as far as it goes."""
    try:
        write_file(out / REPORT, f'{report}\n')
    except OSError as error:
        raise BagError(f'{out / REPORT} cannot be written: {error.strerror or error}') from error
