# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth cloud`: turn bags of images into bags of clouds."""

import argparse
import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from selfdepth_ros.bags.discovery import load_mapping
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.rig_file import RIG_HELP, rig_of_clouds
from selfdepth_ros.clouds.config import CloudsConfig
from selfdepth_ros.clouds.errors import CloudError
from selfdepth_ros.clouds.many import Failure, each_by_itself
from selfdepth_ros.clouds.writing import CloudOutputs, write_clouds
from selfdepth_ros.core.config import load_config
from selfdepth_ros.core.rig import load_rig
from selfdepth_ros.inference import load_engine

EXIT_SOME_FAILED = 1


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser(
        'cloud', help='turn bags of images into bags of clouds',
        epilog='Settings of --config and --set are those of the node (fusion, points) and those '
        'of selfdepth_ros/clouds/config.py, as points.voxel_m=0.1. Several bags: each becomes '
        'OUT/<its name>; one that fails costs only itself, and the status is 1.',
    )  # fmt: skip
    parser.add_argument('model', type=Path, metavar='MODEL', help='model.onnx, or its folder')
    parser.add_argument('bags', type=Path, nargs='+', metavar='BAG', help='rosbag2 with images')
    parser.add_argument('out', type=Path, metavar='OUT', help='bag to write; must not exist')
    parser.add_argument(
        '--rig', type=Path, help=f'{RIG_HELP} (default: masks of rig.yaml beside MODEL)'
    )
    parser.add_argument('--mapping', type=Path, metavar='FILE', help="names of the bag's topics")
    parser.add_argument('--ply', action='store_true', help='a PLY file per cloud, in OUT/ply')
    parser.add_argument('--pcd', action='store_true', help='a PCD file per cloud, in OUT/pcd')
    parser.add_argument('--map', action='store_true', help='all clouds as one, OUT/map.ply')
    parser.add_argument('--every', type=int, default=1, metavar='N', help='every n-th set')
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='bags at a time')
    parser.add_argument('--threads', type=int, default=0, help='of the network; 0: all cores')
    parser.add_argument('--config', type=Path, metavar='FILE', help='YAML of settings')
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE', dest='settings')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    return parser


def run(args: argparse.Namespace) -> int:
    """Make the clouds of one bag here, of several in a process each."""
    for name, least in (('every', 1), ('jobs', 1), ('threads', 0)):
        if getattr(args, name) < least:
            raise CloudError(f'--{name} is {getattr(args, name)}: expected at least {least}')
    config = load_config(CloudsConfig, args.config, args.settings)
    if len(args.bags) > 1:
        _check_files(args)
        return _several(args)
    engine = load_engine(args.model, threads=args.threads)
    reader = BagReader(args.bags[0], args.mapping)
    files = tuple(kind for kind in ('ply', 'pcd') if getattr(args, kind))
    outputs = CloudOutputs(files, args.map, args.every)
    progress = functools.partial(_progress, -(-reader.most_frames // args.every), args.quiet)
    rig = rig_of_clouds(reader.rig(), args.rig, args.model)
    print(write_clouds(engine, reader, rig, args.out, config, outputs, progress))
    if not reader.report.clean:
        print(reader.report)
    return 0


def _several(args: argparse.Namespace) -> int:
    options = _options(args)
    results = each_by_itself(args.model, args.bags, args.out, options, args.jobs, args.threads)
    failures = []
    bar = tqdm(results, 'cloud', len(args.bags), unit='bag', disable=args.quiet)
    for bag, result in bar:
        if isinstance(result, Failure):
            failures.append(f'{bag}: {result.reason}')
        else:
            tqdm.write(result)
    for failure in failures:
        print(f'selfdepth: failed: {failure}', file=sys.stderr)
    return EXIT_SOME_FAILED if failures else 0


def _check_files(args: argparse.Namespace) -> None:
    """Refuse what each bag's process would refuse by itself, after it has loaded the network."""
    if args.rig is not None:
        load_rig(args.rig)
    if args.mapping is not None:
        load_mapping(args.mapping)


def _options(args: argparse.Namespace) -> list[str]:
    """The options that each bag's own command gets."""
    options = [f'--{name}' for name in ('ply', 'pcd', 'map') if getattr(args, name)]
    options += [f'--every={args.every}', '--quiet']
    for name in ('rig', 'mapping', 'config'):
        if getattr(args, name):
            options.append(f'--{name}={getattr(args, name)}')
    return [*options, *(f'--set={setting}' for setting in args.settings)]


def _progress(total: int, quiet: bool, clouds: Iterator[Any]) -> Iterator[Any]:
    return tqdm(clouds, 'cloud', total, unit='cloud', disable=quiet, dynamic_ncols=True)
