# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth tune`: find the best recipe for some bags within a time."""

import argparse
import logging
import math
from pathlib import Path
from typing import Any

from selfdepth_ros.cli.rig_table import aligned
from selfdepth_ros.core.errors import ConfigError
from selfdepth_training.tune import BEST, Budget, Candidate, Tried, tune

DEFAULT = ('fsm', 'superdepth', 'monodepth2', 'lite')


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser(
        'tune', help='find the best recipe for a bag',
        epilog='Judged on the last fifth of each bag, which is not learned from: against LiDAR '
        'where every bag has it, else by how well the depths explain the images.',
    )  # fmt: skip
    parser.add_argument('bags', nargs='+', type=Path, metavar='BAG', help='rosbag2 recordings')
    parser.add_argument('--out', type=Path, required=True, help='folder; OUT/best is the winner')
    parser.add_argument('--minutes', type=float, help='of the whole search')
    parser.add_argument('--steps', type=int, help='of the first round, instead of --minutes')
    parser.add_argument(
        '--try', action='append', dest='tried', metavar='RECIPE[,KEY=VALUE...]',
        help=f'a candidate, as fsm,data.witnesses=2 (default: {", ".join(DEFAULT)})',
    )  # fmt: skip
    parser.add_argument('--rig', type=Path, help='rig file of all bags')
    parser.add_argument('--mapping', type=Path, metavar='FILE', help="names of the bags' topics")
    parser.add_argument(
        '--set', action='append', default=[], metavar='KEY=VALUE', dest='settings',
        help='a setting of all candidates',
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace) -> int:
    """Search, and print the ranking."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    if (args.minutes is None) == (args.steps is None):
        raise ConfigError('Found both or neither of --minutes and --steps, expected one of them.')
    if not 0 < (args.steps if args.minutes is None else args.minutes) < math.inf:
        raise ConfigError('--minutes, --steps: expected a number above 0.')
    candidates = [Candidate(text) for text in dict.fromkeys(args.tried or DEFAULT)]
    if len(candidates) < 2:
        raise ConfigError('--try: found one recipe, expected two or more. Use `selfdepth train`.')
    budget = Budget(args.minutes, args.steps)
    settings = tuple(args.settings)
    found = tune(args.bags, args.out, candidates, budget, settings, args.rig, args.mapping)
    print('\n'.join(aligned([_HEADING, *map(_row, found)], left=(0,))))
    best = args.out / BEST
    print(f'{best}\nnext: selfdepth evaluate {best} BAG; selfdepth export {best} MODEL')
    return 0


_HEADING = 'recipe', 'round', 'steps', 'photometric', 'abs_rel (LiDAR)'


def _row(tried: Tried) -> tuple[str, ...]:
    name, verdict = tried.candidate.text, tried.verdict
    if verdict is None:
        return name, str(tried.round), '-', 'failed', '-'
    abs_rel = '-' if verdict.abs_rel is None else f'{verdict.abs_rel:.3f}'
    return name, str(tried.round), str(tried.steps), f'{verdict.photometric:.4f}', abs_rel
