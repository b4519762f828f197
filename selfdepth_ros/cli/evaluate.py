# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth evaluate`: measure a model against a bag's LiDAR or depth truth."""

import argparse
import json
from pathlib import Path
from typing import Any

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.protocol import (
    add_protocol_arguments,
    asked_protocol,
    evaluation_bar,
)
from selfdepth_ros.cli.rig_file import rig_told, with_rig_file
from selfdepth_ros.core.files import write_file
from selfdepth_training.baseline import fit_row_baseline
from selfdepth_training.evaluate import Evaluation, evaluate
from selfdepth_training.loaded import load_model
from selfdepth_training.protocols import EvaluationProtocol
from selfdepth_training.reliability import (
    Reliability,
    reliability_table,
    reliability_to_dict,
)
from selfdepth_training.truth import EvaluationError


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser('evaluate', help='measure a model on a bag')
    parser.add_argument('model', type=Path, help='model.onnx, its folder, or a training')
    parser.add_argument('bag', type=Path, help='rosbag2 with LiDAR or depth truth')
    parser.add_argument('--json', type=Path, metavar='F', help='write the scores to this file')
    parser.add_argument(
        '--baseline', type=Path, action='append', default=[], metavar='BAG',
        help='also score a constant depth per row and camera fitted on these bags',
    )  # fmt: skip
    add_protocol_arguments(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the table, and write it as JSON when asked."""
    protocol = asked_protocol(args)
    config = protocol.config
    reader = BagReader(args.bag, args.mapping)
    rig = with_rig_file(reader.rig(), args.rig)
    print(rig_told(rig, args.rig))
    bar = evaluation_bar(reader, config)
    model = load_model(args.model)
    sureness = Reliability(config, model.scale)
    predict = model.predictor(rig, config.flip, sureness.hear)
    scores = evaluate(predict, reader, rig, config, bar, sureness.watch, model.scale)
    results = {
        'protocol': protocol.to_dict(),
        'rig': str(args.rig or args.bag),
        'model': _told(scores, str(args.model), protocol),
    }
    if deciles := sureness.deciles():
        print(reliability_table(deciles))
        results['model']['confidence'] = reliability_to_dict(deciles)
    if args.baseline:
        learned = [BagReader(bag, args.mapping) for bag in args.baseline]
        rows = fit_row_baseline(learned, rig, config)
        constant = evaluate(lambda frame: rows, reader, rig, config, bar)
        title = 'constant depth per row and camera'
        results['row_baseline'] = _told(constant, title, protocol)
    if args.json:
        _write(args.json, results)
    return 0


def _write(path: Path, results: dict[str, Any]) -> None:
    """Write JSON whole or not at all."""
    try:
        write_file(path, json.dumps(results, indent=1))
    except OSError as error:
        raise EvaluationError(f'Found that {path} cannot be written ({error}).') from error


def _told(scores: Evaluation, title: str, protocol: EvaluationProtocol) -> dict[str, Any]:
    print(f'{title} against {scores.against}\nprotocol {protocol}\n{protocol.describe()}')
    print(scores.table())
    if scores.scale == 'relative':
        print('relative scale: only median-scaled scores mean something; scale is truth by depth')
    return scores.to_dict()
