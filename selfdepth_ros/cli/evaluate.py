# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth evaluate`: measure a model against a bag's LiDAR or depth truth."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.config import config_from_dict
from selfdepth_ros.core.files import write_file
from selfdepth_ros.core.rig import Rig, RigCamera, load_rig
from selfdepth_ros.inference import load_engine
from selfdepth_training.baseline import fit_row_baseline
from selfdepth_training.evaluate import (
    Evaluation,
    EvaluationConfig,
    EvaluationError,
    Predictor,
    evaluate,
)
from selfdepth_training.predict import TrainedNetwork, surround_predictor


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser('evaluate', help='measure a model on a bag')
    parser.add_argument('model', type=Path, help='model.onnx, its folder, or a training')
    parser.add_argument('bag', type=Path, help='rosbag2 with LiDAR or depth truth')
    parser.add_argument('--json', type=Path, metavar='F', help='write the scores to this file')
    parser.add_argument('--rig', type=Path, help='rig file whose self-occlusion masks are used')
    parser.add_argument('--min-depth', type=float, default=1.0, help='metres (default: 1)')
    parser.add_argument('--max-depth', type=float, default=60.0, help='metres (default: 60)')
    parser.add_argument('--every', type=int, default=1, metavar='N', help='every n-th frame')
    parser.add_argument(
        '--baseline', type=Path, action='append', default=[], metavar='BAG',
        help='also score a constant depth per row and camera fitted on these bags',
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the table, and write it as JSON when asked."""
    settings = {'min_depth_m': args.min_depth, 'max_depth_m': args.max_depth, 'every': args.every}
    config = config_from_dict(EvaluationConfig, settings)
    reader = BagReader(args.bag)
    rig = _with_masks(reader.rig(), args.rig)
    scores = evaluate(_predictor(args.model, rig), reader, rig, config, _progress)
    results = {'model': _told(scores, str(args.model))}
    if args.baseline:
        rows = fit_row_baseline([BagReader(bag) for bag in args.baseline], rig, config)
        constant = evaluate(lambda frame: rows, reader, rig, config, _progress)
        results['row_baseline'] = _told(constant, 'constant depth per row and camera')
    if args.json:
        _write(args.json, results)
    return 0


def _write(path: Path, results: dict[str, Any]) -> None:
    """Write JSON whole or not at all."""
    try:
        write_file(path, json.dumps(results, indent=1))
    except OSError as error:
        raise EvaluationError(f'Found that {path} cannot be written ({error}).') from error


def _told(scores: Evaluation, title: str) -> dict[str, Any]:
    print(f'{title} against {scores.truth}\n{scores.table()}')
    return scores.to_dict()


def _progress(frames: Iterator[Any]) -> Iterator[Any]:
    return tqdm(frames, 'evaluate', unit='frame', dynamic_ncols=True)


def _predictor(model: Path, rig: Rig) -> Predictor:
    if model.suffix in ('.onnx', '.yaml') or (model / 'model.onnx').is_file():
        engine = load_engine(model)
        manifest = engine.manifest
        return surround_predictor(
            lambda images, focal: engine.infer(images, focal).depth,
            rig, manifest.width, manifest.height, manifest.depth_kind,
        )  # fmt: skip
    trained = TrainedNetwork.load(model)
    data = trained.config.data
    return surround_predictor(
        trained.infer, rig, data.width, data.height, trained.state['depth_kind']
    )


def _with_masks(rig: Rig, path: Path | None) -> Rig:
    """Return the bag's rig with the self-occlusion masks of a rig file of the same cameras."""
    if path is None:
        return rig
    known = load_rig(path)
    cameras = [
        replace(entry, self_occlusion=_mask(known[entry.name], entry)) for entry in rig.cameras
    ]
    return replace(rig, cameras=tuple(cameras))


def _mask(known: RigCamera, entry: RigCamera) -> np.ndarray | None:
    """The mask of a rig file, which holds it at training size, at the size of the bag's images."""
    return known.scaled(entry.camera.width, entry.camera.height).self_occlusion
