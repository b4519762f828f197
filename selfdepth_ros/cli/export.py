# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth export`: checkpoint to model.onnx and model.yaml."""

import argparse
import json
from pathlib import Path
from typing import Any

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.rig_file import RIG_HELP, rig_told, with_rig_file
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.manifest import Manifest
from selfdepth_training.export import export, in_metres
from selfdepth_training.loaded import load_model
from selfdepth_training.platt import fitted, measured_on, scaled, with_scaling
from selfdepth_training.predict import TrainedNetwork
from selfdepth_training.reliability import calibration_error


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
    parser.add_argument(
        '--calibrate', type=Path, metavar='BAG',
        help='make the confidence say how often depths are right on this bag with LiDAR or depth '
        'truth (one that was not learned from)',
    )  # fmt: skip
    parser.add_argument('--rig', type=Path, help=f'for --calibrate: {RIG_HELP}')
    parser.add_argument(
        '--mapping', type=Path, metavar='FILE', help="for --calibrate: names of the bag's topics"
    )
    parser.add_argument('--metrics', type=Path, help='JSON of `selfdepth evaluate` to record')
    return parser


def run(args: argparse.Namespace) -> int:
    """Export and check against torch."""
    if args.rig is not None and args.calibrate is None:
        raise ConfigError(
            'Found --rig without --calibrate, expected a bag to use it on: add '
            '--calibrate BAG, or leave --rig out and copy rig.yaml beside the model.'
        )
    if args.mapping is not None and args.calibrate is None:
        raise ConfigError('Found --mapping without a bag, expected --calibrate BAG beside it.')
    metrics = _metrics(args.metrics)
    trained = in_metres(TrainedNetwork.load(args.checkpoint), args.scale)
    trained, calibration = _calibrated(trained, args)
    state, config = trained.state, trained.config
    manifest = Manifest(
        name=args.name or args.out.resolve().name,
        width=config.data.width,
        height=config.data.height,
        depth_kind=state['depth_kind'],
        min_depth_m=trained.network.bounds_m[0],
        max_depth_m=trained.depth_limit.metres,
        focal_px=trained.depth_limit.focal_px,
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
            'calibration': calibration,
            'metrics': metrics,
        },
    )
    path, difference = export(trained, args.out, manifest, args.weights)
    size = path.stat().st_size / 1e6
    print(f'{path} ({size:.1f} MB): 99 % of the depths within {difference:.1e} of torch')
    return 0


def _metrics(path: Path | None) -> Any:
    """What an evaluation found, for the record."""
    try:
        return {} if path is None else json.loads(path.read_text('utf-8'))
    except (OSError, ValueError) as cause:
        raise ConfigError(
            f'--metrics: found that {path} cannot be read ({cause}), expected what '
            '`selfdepth evaluate --json` wrote.'
        ) from cause


def _calibrated(
    trained: TrainedNetwork, args: argparse.Namespace
) -> tuple[TrainedNetwork, dict[str, Any]]:
    """The network with its confidence calibrated where that is asked for, and the record of it."""
    if args.calibrate is None:
        return trained, {}
    reader = BagReader(args.calibrate, args.mapping)
    rig = with_rig_file(reader.rig(), args.rig)
    print(rig_told(rig, args.rig))
    before = measured_on(load_model(args.checkpoint), reader, rig)
    scaling = fitted(before)
    off = [calibration_error(each.deciles()) for each in (before, scaled(before, scaling))]
    print(f'confidence on {args.calibrate}: off by {off[0]:.3f}, calibrated {off[1]:.3f}')
    told = {'bag': str(args.calibrate), 'rig': str(args.rig or args.calibrate)}
    return with_scaling(trained, scaling), told | scaling._asdict()
