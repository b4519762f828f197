# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth import DATASET SRC OUT`: turn a public dataset into bags."""

import argparse
from pathlib import Path

from selfdepth_ros.datasets.catalogues import DATASETS
from selfdepth_ros.datasets.importing import REPORT, import_dataset


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add `import` to the command line."""
    layouts = '\n'.join(f'{name}: {dataset.layout}\n' for name, dataset in DATASETS.items())
    parser = subparsers.add_parser(
        'import',
        help='turn a public dataset into bags',
        epilog=f'SRC is\n\n{layouts}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('dataset', choices=sorted(DATASETS), help='which dataset SRC is')
    parser.add_argument('src', type=Path, help='folder of the dataset, see below')
    parser.add_argument(
        'out',
        type=Path,
        help='the bag to write; with several scenes, or one more, the folder of their bags',
    )
    parser.add_argument(
        '--scenes', nargs='+', metavar='NAME', help='only these (default: all in SRC)'
    )
    parser.add_argument('--storage', choices=['mcap', 'sqlite3'], default='mcap')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')


def run(args: argparse.Namespace) -> int:
    """Write the bags and say what is in them, and what is not."""
    print(f'Licence: {DATASETS[args.dataset].licence}')
    report = import_dataset(
        args.dataset,
        args.src,
        args.out,
        args.scenes,
        storage=args.storage,
        progress=not args.quiet,
    )
    print(f'{report}\n(kept in {args.out / REPORT})')
    return 0
