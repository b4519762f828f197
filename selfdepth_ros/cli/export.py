# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth export`: checkpoint to model.onnx and model.yaml."""

import argparse
import json
from pathlib import Path
from typing import Any

from selfdepth_ros.core.manifest import Manifest
from selfdepth_training.export import export, in_metres
from selfdepth_training.predict import TrainedNetwork


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser('export', help='compile a checkpoint to ONNX')
    parser.add_argument('checkpoint', type=Path, help='folder of a training, or its checkpoint')
    parser.add_argument('out', type=Path, help='folder for model.onnx and model.yaml')
    parser.add_argument('--name', help='what the model is called (default: the folder)')
    parser.add_argument('--description', default='', help='what it is good for')
    parser.add_argument('--limits', default='', help='what it should not be trusted with')
    parser.add_argument('--weights', choices=('fp32', 'fp16'), default='fp32', help='storage')
    parser.add_argument(
        '--scale', type=float, metavar='F',
        help='metres of one unit of depth, for a training of relative scale (`selfdepth evaluate` '
        'measures it)',
    )  # fmt: skip
    parser.add_argument('--metrics', type=Path, help='JSON of `selfdepth evaluate` to record')
    return parser


def run(args: argparse.Namespace) -> int:
    """Export and check against torch."""
    trained = in_metres(TrainedNetwork.load(args.checkpoint), args.scale)
    state, config = trained.state, trained.config
    metrics = json.loads(args.metrics.read_text('utf-8')) if args.metrics else {}
    manifest = Manifest(
        name=args.name or args.out.resolve().name,
        width=config.data.width,
        height=config.data.height,
        depth_kind=state['depth_kind'],
        min_depth_m=state['min_depth_m'],
        max_depth_m=state['max_depth_m'],
        cameras=tuple(state['cameras']),
        has_confidence=trained.network.has_confidence,
        description=args.description,
        limits=args.limits,
        training={
            'recipe': config.name,
            'command': state['command'],
            'bags': state['bags'],
            'seed': config.seed,
            'steps': state['step'],
            'planned_steps': state['steps'],
            'minutes': round(state['seconds'] / 60, 1),
            'scale': 'metric' if args.scale is None else f'relative, times {args.scale:g}',
            'metrics': metrics,
        },
    )
    path, difference = export(trained, args.out, manifest, args.weights)
    size = path.stat().st_size / 1e6
    print(f'{path} ({size:.1f} MB): 99 % of the depths within {difference:.1e} of torch')
    return 0
