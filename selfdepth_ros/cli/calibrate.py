# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth calibrate`: correct where the cameras of a rig sit, from bags with odometry."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.calibrate_table import describe_refined
from selfdepth_ros.cli.writing import writing
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.rig import Rig, load_rig, save_rig
from selfdepth_training.config import TrainConfig, load_recipe
from selfdepth_training.data.cache import FrameCache, build_cache, with_rig
from selfdepth_training.extrinsics import ExtrinsicsError, Limits, refine
from selfdepth_training.extrinsics.drive import looked_at
from selfdepth_training.masks import with_self_occlusion


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    defaults = Limits()
    parser = subparsers.add_parser(
        'calibrate', help='correct where the cameras sit, from bags with odometry'
    )
    parser.add_argument('bags', nargs='+', type=Path, metavar='BAG', help='recordings of one rig')
    parser.add_argument('--save', type=Path, required=True, metavar='OUT.yaml', help='a new file')
    parser.add_argument('--rig', type=Path, help='rig file to correct (default: that of the bag)')
    parser.add_argument('--mapping', type=Path, metavar='FILE', help="names of the bags' topics")
    parser.add_argument('--width', type=int, default=640, help='of the images (default: 640)')
    parser.add_argument(
        '--max-turn', type=float, default=defaults.turn_deg, metavar='DEG',
        help=f'how far off a camera may be, one sigma (default: {defaults.turn_deg:g})',
    )  # fmt: skip
    parser.add_argument(
        '--max-shift', type=float, default=defaults.shift_cm, metavar='CM',
        help=f'the same of its place (default: {defaults.shift_cm:g})',
    )  # fmt: skip
    parser.add_argument('--cache', type=Path, help='folder of frame caches (default: none kept)')
    return parser


def run(args: argparse.Namespace) -> int:
    """Print what was found; write the corrected rig, whole or not at all."""
    if args.save.exists():
        raise ConfigError(f'--save: found {args.save}, expected a new file. Give another name.')
    for option, value, most in (('turn', args.max_turn, 10.0), ('shift', args.max_shift, 50.0)):
        if not 0 < value <= most:
            raise ConfigError(f'--max-{option}: found {value:g}, expected 0 to {most:g}.')
    whole = load_rig(args.rig) if args.rig else BagReader(args.bags[0], args.mapping).rig()
    with TemporaryDirectory(prefix='selfdepth_') as folder:
        caches, config = _caches(args, whole, args.cache or Path(folder))
        # What is found is in the order of the recordings, whatever that of the file.
        rig = whole.subset(caches[0].rig.names)
        small = with_self_occlusion(caches[0].rig, caches[0])
        found = refine(caches, small, config, Limits(args.max_turn, args.max_shift))
    print(describe_refined(found, rig.names))
    if found.applied.any() and not found.borne_out:
        raise ExtrinsicsError(
            'Found that the photometric loss does not fall with this correction, expected one '
            'that the images bear out: nothing was written. Look at odometry, stamps and '
            'intrinsics, or record again.'
        )
    with writing(args.save):
        save_rig(whole.with_cameras_of(rig.with_poses(found.body_from_camera)), args.save)
    if others := [name for name in whole.names if name not in rig.names]:
        print(f'note: the recordings have no {", ".join(others)}: kept as in {args.rig}')
    print(f'{args.save}\nnext: selfdepth train BAG --rig {args.save} --out DIR')
    return 0


def _caches(
    args: argparse.Namespace, rig: Rig, root: Path
) -> tuple[list[FrameCache], TrainConfig]:
    """The bags' frames with the rig to correct, at a width that training takes."""
    lens = rig.cameras[0].camera
    width = max(64, min(args.width, lens.width) // 32 * 32)
    height = max(64, round(width * lens.height / lens.width / 32) * 32)
    config = load_recipe('fsm', [f'data.width={width}', f'data.height={height}'])
    caches = [
        build_cache(bag, root, width, height, mapping=args.mapping, choose=looked_at)
        for bag in args.bags
    ]
    for cache in caches[1:]:
        if cache.rig.names != caches[0].rig.names:
            raise ConfigError(
                f'Found the cameras {", ".join(cache.rig.names)} in {cache.source}, expected '
                f'{", ".join(caches[0].rig.names)} as in {caches[0].source}. Calibrate recordings '
                'of one rig together, others on their own. A mapping file (--mapping) names the '
                'same cameras alike.'
            )
    return [with_rig(cache, rig) for cache in caches], config
