# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What `evaluate` and `report` both take: a protocol, and changes of it."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.rig_file import RIG_HELP
from selfdepth_training.protocols import (
    PROTOCOLS,
    EvaluationConfig,
    EvaluationProtocol,
    protocol,
)

_SETTINGS = {
    'min_depth': 'min_depth_m', 'max_depth': 'max_depth_m', 'crop': 'crop', 'flip': 'flip',
    'ego_motion': 'ego_motion', 'body_masks': 'without_body', 'remove_hidden': 'without_hidden',
    'every': 'every',
}  # fmt: skip
"""Names of the options, and of the settings they change."""


def add_protocol_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the protocol and what may be changed of it; an option not given changes nothing."""
    switch = argparse.BooleanOptionalAction
    group = parser.add_argument_group('protocol', 'options change single settings, and are told')
    group.add_argument('--protocol', choices=PROTOCOLS, default='street', help='default: street')
    group.add_argument('--min-depth', type=float, metavar='M', help='nearer truth is left out')
    group.add_argument('--max-depth', type=float, metavar='M', help='farther truth is left out')
    group.add_argument('--crop', choices=('none', 'garg'), help='part of the image that counts')
    group.add_argument('--flip', action=switch, help='average with the mirrored image')
    group.add_argument('--ego-motion', action=switch, help='move LiDAR to the stamp of the image')
    group.add_argument('--body-masks', action=switch, help='leave out the robot itself')
    group.add_argument('--remove-hidden', action=switch, help='drop LiDAR the camera cannot see')
    group.add_argument('--every', type=int, metavar='N', help='every n-th frame (default: 1)')
    group.add_argument('--rig', type=Path, help=RIG_HELP)
    group.add_argument('--mapping', type=Path, metavar='FILE', help="names of the bags' topics")


def asked_protocol(args: argparse.Namespace) -> EvaluationProtocol:
    """The protocol with the given options; ConfigError names a setting out of range."""
    given = {name: getattr(args, option) for option, name in _SETTINGS.items()}
    return protocol(args.protocol, **{k: v for k, v in given.items() if v is not None})


def evaluation_bar(
    reader: BagReader, config: EvaluationConfig
) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """A bar that shows how far an evaluation is."""
    total = -(-reader.most_frames // config.every)
    title = f'evaluate {reader.path.name}'
    return lambda frames: tqdm(frames, title, total, unit='frame', dynamic_ncols=True)
