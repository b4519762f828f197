# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth doctor`: is a bag fit to learn from, is a rig fit to run on?"""

import argparse
from pathlib import Path
from typing import Any

from selfdepth_ros.cli.doctor_table import describe
from selfdepth_ros.cli.main import Command, dying_of_interrupts, load
from selfdepth_ros.cli.writing import writing
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.files import write_file
from selfdepth_ros.core.parallax import ParallaxLimits
from selfdepth_ros.doctor.checkup import Checkup
from selfdepth_training.config import DataConfig

EXIT_UNFIT = 1


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser(
        'doctor', help='say whether a bag or a rig is fit',
        epilog='Ends with 0 when it is trainable and deployable, with 1 when it is not, with 2 '
        'when it cannot be told, with 130 when interrupted.',
    )  # fmt: skip
    parser.add_argument('bag', nargs='?', type=Path, metavar='BAG', help='rosbag2 recording')
    parser.add_argument('--live', action='store_true', help='listen to the running cameras')
    parser.add_argument('--seconds', type=float, default=10.0, help='of listening (default: 10)')
    parser.add_argument('--mapping', type=Path, metavar='FILE', help='names of the topics')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write all figures there')
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the check-up; the status tells the verdict."""
    if (args.bag is None) != args.live:
        found = 'both BAG and --live' if args.live else 'neither BAG nor --live'
        raise ConfigError(f'Found {found}, expected one: selfdepth doctor BAG, or --live.')
    if not 1 <= args.seconds <= 3600:
        raise ConfigError(f'--seconds: found {args.seconds}, expected 1 to 3600.')
    data = DataConfig()
    limits = ParallaxLimits(
        data.min_motion_m, data.max_motion_m, data.max_offset, data.max_seconds
    )
    checkup = _live(args, limits) if args.live else _of_bag(args, limits)
    print(describe(checkup))
    if args.json:
        _write(args.json, checkup)
    return 0 if checkup.trainable.yes and checkup.deployable.yes else EXIT_UNFIT


def _of_bag(args: argparse.Namespace, limits: ParallaxLimits) -> Checkup:
    """Look into a bag; rosbags is needed only here."""
    module = load('doctor', Command('selfdepth_ros.doctor.of_bag', '', 'bags'))
    checkup: Checkup = module.check_bag(args.bag, limits, args.mapping)
    return checkup


def _live(args: argparse.Namespace, limits: ParallaxLimits) -> Checkup:
    """Listen to the graph; rclpy is needed only here."""
    with dying_of_interrupts():
        module = load('doctor --live', Command('selfdepth_ros.nodes.listening', '', 'ros'))
    checkup: Checkup = module.check_live(args.seconds, limits, args.mapping)
    return checkup


def _write(path: Path, checkup: Checkup) -> None:
    with writing(path):
        write_file(path, checkup.to_json())
    print(path)
