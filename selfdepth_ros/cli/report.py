# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth report`: what a model can and cannot do on a bag, as one HTML file."""

import argparse
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.protocol import (
    add_protocol_arguments,
    asked_protocol,
    evaluation_bar,
)
from selfdepth_ros.cli.rig_file import rig_told, with_rig_file
from selfdepth_ros.core.errors import ConfigError
from selfdepth_training.evaluate import evaluate
from selfdepth_training.loaded import load_model
from selfdepth_training.report import Report, ReportError, write_report
from selfdepth_training.report.curves import training_curves
from selfdepth_training.report.scenes import Painter, Scene
from selfdepth_training.report.shown import ShownFrames

MOST_FRAMES = 12


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser('report', help='show what a model can do on a bag')
    parser.add_argument('model', type=Path, help='a training, model.onnx, or its folder')
    parser.add_argument('bag', type=Path, help='rosbag2 with LiDAR or depth truth')
    parser.add_argument(
        '--out', type=Path, default=Path('report.html'), metavar='F',
        help='the page to write (default: report.html)',
    )  # fmt: skip
    parser.add_argument(
        '--worst', type=int, default=4, metavar='N',
        help=f'how many of the worst frames are shown, 1 to {MOST_FRAMES} (default: 4)',
    )  # fmt: skip
    add_protocol_arguments(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Evaluate, draw, write; what cannot be done is said before the work begins."""
    if not 1 <= args.worst <= MOST_FRAMES:
        raise ConfigError(f'--worst: found {args.worst}, expected 1 to {MOST_FRAMES}.')
    if args.out.is_dir():
        raise ReportError(f'Found a folder at {args.out}, expected the name of a file in --out.')
    protocol = asked_protocol(args)
    reader = BagReader(args.bag, args.mapping)
    rig = with_rig_file(reader.rig(), args.rig)
    model = load_model(args.model)
    curves = training_curves(args.model)
    shown = ShownFrames(args.worst, model.scale)
    predict = model.predictor(rig, protocol.config.flip)
    bar = evaluation_bar(reader, protocol.config)
    scores = evaluate(predict, reader, rig, protocol.config, bar, shown.watch, model.scale)
    scenes = _scenes(shown, Painter(model, rig, reader))
    report = Report(
        str(args.model), str(args.bag), protocol, rig_told(rig, args.rig), scores, shown, scenes,
        curves, model.record, time.strftime('%Y-%m-%d %H:%M'),
    )  # fmt: skip
    write_report(report, args.out)
    print(f'{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, protocol {protocol}')
    return 0


def _scenes(shown: ShownFrames, painter: Painter) -> list[Scene]:
    """The worst frames, then the typical one unless it is one of them."""
    titled = [(f'Worst frame {rank}', frame) for rank, frame in enumerate(shown.worst, 1)]
    typical = shown.typical
    if typical is not None and all(typical is not frame for frame in shown.worst):
        titled.append(('A typical frame', typical))
    start = min(shown.stamps_ns)
    return [painter.scene(*pair, start) for pair in tqdm(titled, 'draw', unit='frame')]
