# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth compare`: measure a bag of clouds against the recording it was made of."""

import argparse
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.rig_file import RIG_HELP, rig_told, with_rig_file
from selfdepth_ros.cli.writing import writing
from selfdepth_ros.clouds.comparing import compare
from selfdepth_ros.clouds.errors import CloudError
from selfdepth_ros.clouds.quality import QualityConfig
from selfdepth_ros.clouds.recorded import RecordedClouds
from selfdepth_ros.clouds.writing import CLOUD_TOPIC
from selfdepth_ros.core.config import load_config
from selfdepth_ros.core.files import write_file


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser(
        'compare', help='measure clouds against LiDAR and themselves',
        epilog='Settings of --set are those of QualityConfig (selfdepth_ros/clouds/quality.py), '
        'as thresholds_m=[0.1,0.5].',
    )  # fmt: skip
    parser.add_argument('clouds', type=Path, metavar='CLOUD_BAG', help='of `selfdepth cloud`')
    parser.add_argument('bag', type=Path, metavar='BAG', help='what it was made of')
    parser.add_argument('--topic', default=CLOUD_TOPIC, help=f'of the clouds ({CLOUD_TOPIC})')
    parser.add_argument('--rig', type=Path, help=RIG_HELP)
    parser.add_argument('--mapping', type=Path, metavar='FILE', help="names of BAG's topics")
    parser.add_argument('--every', type=int, default=1, metavar='N', help='every n-th cloud')
    parser.add_argument('--json', type=Path, metavar='F', help='write the figures to this file')
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE', dest='settings')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the tables, and write the figures when asked."""
    if args.every < 1:
        raise CloudError(f'--every is {args.every}: expected at least 1')
    config = load_config(QualityConfig, overrides=args.settings)
    reader = BagReader(args.bag, args.mapping)
    rig = with_rig_file(reader.rig(), args.rig)
    print(rig_told(rig, args.rig))
    clouds = RecordedClouds(args.clouds, args.topic, rig.body_frame)
    progress = functools.partial(_progress, clouds.count, args.quiet)
    scores = compare(clouds, reader, rig, config, args.every, progress)
    print(f'{args.clouds}: {scores.clouds} clouds\n{scores.table()}')
    if not scores.scans:
        print('note: no LiDAR scan with odometry beside the clouds: nothing was compared with one')
    if args.json:
        with writing(args.json):
            write_file(args.json, json.dumps(scores.to_dict(), indent=1))
    return 0


def _progress(total: int, quiet: bool, items: Iterator[Any]) -> Iterator[Any]:
    return tqdm(items, 'compare', total, unit='cloud', disable=quiet, dynamic_ncols=True)
