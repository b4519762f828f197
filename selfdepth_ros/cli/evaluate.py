# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth evaluate`: measure a model against the LiDAR or the depth truth of bags."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.protocol import (
    add_protocol_arguments,
    asked_protocol,
    evaluation_bar,
)
from selfdepth_ros.cli.rig_file import rig_told, with_rig_file
from selfdepth_ros.cli.writing import writing
from selfdepth_ros.core.files import write_file
from selfdepth_ros.core.rig import Rig
from selfdepth_training.baseline import fit_row_baseline, require_sizes
from selfdepth_training.evaluate import Evaluation, evaluate, table_by_bag
from selfdepth_training.loaded import load_model
from selfdepth_training.protocols import EvaluationConfig, EvaluationProtocol
from selfdepth_training.reliability import (
    Reliability,
    reliability_table,
    reliability_to_dict,
)
from selfdepth_training.truth import require_one_kind


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser('evaluate', help='measure a model on bags')
    parser.add_argument('model', type=Path, help='model.onnx, its folder, or a training')
    parser.add_argument(
        'bags', type=Path, nargs='+', metavar='bag',
        help='rosbag2 with LiDAR or depth truth; several are told together and one by one',
    )  # fmt: skip
    parser.add_argument('--json', type=Path, metavar='F', help='write the scores to this file')
    parser.add_argument(
        '--baseline', type=Path, action='append', default=[], metavar='BAG',
        help='also score a constant depth per row and camera fitted on these bags',
    )  # fmt: skip
    add_protocol_arguments(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the tables, and write them as JSON when asked."""
    protocol = asked_protocol(args)
    config = protocol.config
    bags = _opened(args)
    model = load_model(args.model)
    sureness = Reliability(config, model.scale)
    found = {
        str(reader.path): evaluate(
            model.predictor(rig, config.flip, sureness.hear), reader, rig, config,
            evaluation_bar(reader, config), sureness.watch, model.scale,
        )
        for reader, rig in bags
    }  # fmt: skip
    results = {
        'protocol': protocol.to_dict(),
        'rig': str(args.rig or ' '.join(found)),
        'model': _told(found, str(args.model), protocol),
    }
    if len(found) > 1:
        results['bags'] = {name: each.to_dict() for name, each in found.items()}
    if deciles := sureness.deciles():
        print(reliability_table(deciles))
        results['model']['confidence'] = reliability_to_dict(deciles)
    if args.baseline:
        rows = _rows(args, bags, config)
        constant = {
            str(reader.path): evaluate(
                lambda frame: rows, reader, rig, config, evaluation_bar(reader, config)
            )
            for reader, rig in bags
        }
        title = 'constant depth per row and camera'
        results['row_baseline'] = _told(constant, title, protocol)
    if args.json:
        _write(args.json, results)
    return 0


def _opened(args: argparse.Namespace) -> list[tuple[BagReader, Rig]]:
    """The bags and whose calibration counts for each, which is told."""
    bags = []
    for bag in dict.fromkeys(args.bags):
        reader = BagReader(bag, args.mapping)
        bags.append((reader, with_rig_file(reader.rig(), args.rig)))
    require_one_kind([reader for reader, _ in bags])
    for told in dict.fromkeys(rig_told(rig, args.rig) for _, rig in bags):
        print(told)
    return bags


def _rows(
    args: argparse.Namespace, bags: Sequence[tuple[BagReader, Rig]], config: EvaluationConfig
) -> list[Any]:
    """The depth per row and camera that fits the bags of --baseline best."""
    rig = bags[0][1]
    for reader, _ in bags[1:]:
        require_sizes(reader, rig)
    return fit_row_baseline([BagReader(bag, args.mapping) for bag in args.baseline], rig, config)


def _write(path: Path, results: dict[str, Any]) -> None:
    """Write JSON whole or not at all."""
    with writing(path):
        write_file(path, json.dumps(results, indent=1))


def _told(
    found: Mapping[str, Evaluation], title: str, protocol: EvaluationProtocol
) -> dict[str, Any]:
    """Print the scores of all bags together, and of each where there are several."""
    scores = Evaluation.together(list(found.values()))
    print(f'{title} against {scores.against}\nprotocol {protocol}\n{protocol.describe()}')
    print(scores.table())
    if len(found) > 1:
        print(table_by_bag(found))
    if scores.scale == 'relative':
        print('relative scale: only median-scaled scores mean something; scale is truth by depth')
    return scores.to_dict()
