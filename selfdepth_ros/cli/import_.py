# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth import DATASET SRC OUT`: turn a public dataset into a bag."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.datasets import nuscenes


class _Dataset(NamedTuple):
    """How one dataset is imported."""

    write: Callable[[Path, Path, str], Path]
    licence: str


DATASETS = {'nuscenes': _Dataset(nuscenes.import_sample, nuscenes.LICENCE)}


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add `import` to the command line."""
    parser = subparsers.add_parser('import', help='turn a public dataset into a bag')
    parser.add_argument('dataset', choices=sorted(DATASETS), help='which dataset SRC is')
    parser.add_argument('src', type=Path, help='folder of the dataset')
    parser.add_argument('out', type=Path, help='bag to write; must not exist')
    parser.add_argument('--storage', choices=['mcap', 'sqlite3'], default='mcap')


def run(args: argparse.Namespace) -> int:
    """Write the bag, read it back and say what is in it."""
    dataset = DATASETS[args.dataset]
    print(f'Licence: {dataset.licence}')
    path = dataset.write(args.src, args.out, args.storage)
    reader = BagReader(path)
    sets = sum(1 for _ in reader.surround_frames())
    print(f'{path}: {len(reader.cameras)} cameras ({", ".join(reader.cameras)}), {sets} set(s)')
    return 0
