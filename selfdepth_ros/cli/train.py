# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth train`: learn depth from bags, without labels."""

import argparse
import logging
import math
from pathlib import Path
from typing import Any

from selfdepth_ros.core.errors import ConfigError
from selfdepth_training.beginning import asked_again
from selfdepth_training.checkpoint import load_checkpoint
from selfdepth_training.config import load_recipe
from selfdepth_training.train import train


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser(
        'train', help='learn depth from bags, without labels',
        epilog='Any setting of training/config.py can follow --set, as data.witnesses=2. '
        'Many GPUs: torchrun --nproc-per-node=N -m selfdepth_ros.cli train ...',
    )  # fmt: skip
    parser.add_argument('bags', nargs='+', type=Path, metavar='BAG', help='rosbag2 recordings')
    parser.add_argument('--recipe', help='name or YAML file (default: fsm)')
    parser.add_argument('--out', type=Path, required=True, help='folder of the training')
    parser.add_argument('--minutes', type=float, help='length of the whole run, cache included')
    parser.add_argument('--steps', type=int, help='number of steps, instead of --minutes')
    parser.add_argument('--seed', type=int, help='seed of weights and samples')
    parser.add_argument(
        '--init', metavar='WEIGHTS',
        help='begin with these: a training, or a state dict (torch.save, .safetensors) of a '
        'ResNet18 or 34 with the names of torchvision, '
        'with --set network.encoder=[64,64,128,256,512]',
    )  # fmt: skip
    parser.add_argument(
        '--resume', action='store_true',
        help='go on with the training in --out, as it was planned: other settings are refused',
    )  # fmt: skip
    parser.add_argument('--cache', type=Path, help='folder of frame caches (default: OUT/cache)')
    parser.add_argument(
        '--rig', type=Path, help='rig file of all bags, as corrected by `selfdepth calibrate`'
    )
    parser.add_argument('--mapping', type=Path, metavar='FILE', help="names of the bags' topics")
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE', dest='settings')
    return parser


def run(args: argparse.Namespace) -> int:
    """Train, and say what comes next."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    if args.minutes is not None:
        if args.steps is not None:
            raise ConfigError('Found both --minutes and --steps, expected one of them.')
        if not 0 < args.minutes < math.inf:
            raise ConfigError(f'--minutes: found {args.minutes}, expected a number above 0.')
    settings = list(args.settings)
    for name in ('steps', 'seed', 'init'):
        if getattr(args, name) is not None:
            settings.append(f'{name}={getattr(args, name)}')
    if args.resume:
        config = asked_again(load_checkpoint(args.out), args.recipe, settings)
    else:
        config = load_recipe(args.recipe or 'fsm', settings)
    path = train(
        args.bags, args.out, config, args.minutes, args.resume, args.cache, args.rig, args.mapping
    )
    print(f'{path}\nnext: selfdepth evaluate {args.out} BAG; selfdepth export {args.out} MODEL')
    return 0
