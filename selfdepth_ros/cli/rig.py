# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth rig`: show a rig, of a file or of a bag; compare one with the other."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from selfdepth_ros.cli.main import Command, load
from selfdepth_ros.cli.rig_table import describe_rig
from selfdepth_ros.cli.writing import writing
from selfdepth_ros.core.coverage import coverage
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.rig import Rig, load_rig, save_rig
from selfdepth_ros.core.rig_difference import RigTolerance, rig_differences

_LIMITS = RigTolerance()


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add `rig` to the command line."""
    parser = subparsers.add_parser('rig', help='show what the cameras of a rig see')
    parser.add_argument('rig', nargs='?', type=Path, metavar='RIG.yaml', help='rig file to show')
    parser.add_argument(
        '--from-bag', type=Path, metavar='BAG', help='show the rig of CameraInfo and /tf_static'
    )
    parser.add_argument('--mapping', type=Path, metavar='FILE', help="mapping of the bag's topics")
    parser.add_argument(
        '--save', type=Path, metavar='OUT.yaml', help='write the rig of the bag (a new file)'
    )
    parser.add_argument(
        '--picture', type=Path, metavar='OUT.png', help='draw what it sees, from above'
    )
    parser.add_argument(
        '--elevation', type=float, default=0.0, metavar='DEG', help='of the coverage (default: 0)'
    )
    parser.add_argument(
        '--distance', type=float, default=math.inf, metavar='M',
        help='at which coverage is asked for (default: far away)',
    )  # fmt: skip
    _add_comparison(parser)


def _add_comparison(parser: argparse.ArgumentParser) -> None:
    """Declare the comparison and its limits."""
    compare = parser.add_argument_group('comparing')
    compare.add_argument(
        '--compare-with-bag', type=Path, metavar='BAG',
        help='say where RIG.yaml and the CameraInfo and TF of a bag disagree',
    )  # fmt: skip
    for option, default, what in (
        ('--max-focal', _LIMITS.focal, 'relative difference of focal lengths'),
        ('--max-pixel', _LIMITS.pixel, 'shift of pixels relative to the image'),
        ('--max-rotation', _LIMITS.rotation_deg, 'angle in degrees'),
        ('--max-position', _LIMITS.position_m, 'distance in metres'),
    ):
        compare.add_argument(
            option, type=float, default=default, metavar='X', help=f'{what} (default: {default})'
        )


def run(args: argparse.Namespace) -> int:
    """Print the table or the comparison; write what was asked for."""
    _check(args)
    limits = _limits(args)
    rig = _rig_of_bag(args.from_bag, args.mapping) if args.from_bag else load_rig(args.rig)
    if args.compare_with_bag:
        other = _rig_of_bag(args.compare_with_bag, args.mapping, rig.body_frame)
        print(_comparison(rig, other, limits))
    else:
        print(describe_rig(rig, args.elevation, args.distance))
    if args.save:
        _write(args.save, lambda path: save_rig(rig, path))
    if args.picture:
        from selfdepth_ros.viz.canvas import save_png  # cv2: not needed for the table
        from selfdepth_ros.viz.rig import draw_rig

        picture = draw_rig(rig, coverage(rig))
        _write(args.picture, lambda path: save_png(path, picture))
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse options that do not go together, before anything is read."""
    if (args.rig is None) == (args.from_bag is None):
        found = 'neither' if args.rig is None else 'both'
        raise ConfigError(
            f'Found {found} of RIG.yaml and --from-bag BAG, expected one of them: '
            'selfdepth rig RIG.yaml, or selfdepth rig --from-bag BAG.'
        )
    if args.mapping and not (args.from_bag or args.compare_with_bag):
        raise ConfigError('Found --mapping without a bag, expected --from-bag BAG beside it.')
    if args.save and not args.from_bag:
        raise ConfigError('Found --save without --from-bag, expected a bag to take the rig from.')
    if args.compare_with_bag and args.from_bag:
        raise ConfigError(
            'Found --compare-with-bag with --from-bag, expected a rig file: save the rig of one '
            'bag with --save, then compare that file with the other.'
        )
    if args.save and args.save.exists():
        raise ConfigError(
            f'{args.save}: found a file, expected a new one, as a rig file may hold learned '
            'masks. Remove it, or give another name.'
        )
    if args.picture and args.picture.suffix.lower() != '.png':
        raise ConfigError(f'--picture: found {args.picture}, expected a name that ends in .png.')


def _limits(args: argparse.Namespace) -> RigTolerance:
    """Return the tolerances asked for."""
    for name in ('max_focal', 'max_pixel', 'max_rotation', 'max_position'):
        value = getattr(args, name)
        if not 0 <= value < math.inf:
            option = f'--{name.replace("_", "-")}'
            raise ConfigError(f'{option}: found {value}, expected a finite number, 0 or more.')
    return RigTolerance(args.max_focal, args.max_pixel, args.max_rotation, args.max_position)


def _rig_of_bag(bag: Path, mapping: Path | None, body_frame: str = 'base_link') -> Rig:
    """Read the rig of a bag; rosbags is needed only here."""
    reader = load('rig', Command('selfdepth_ros.bags.reader', '', 'bags')).BagReader
    rig: Rig = reader(bag, mapping, body_frame=body_frame).rig()
    return rig


def _comparison(rig: Rig, other: Rig, limits: RigTolerance) -> str:
    told = rig_differences(rig, other, limits)
    return '\n'.join(told) or f'{len(rig)} cameras agree within {limits}.'


def _write(path: Path, save: Callable[[Path], object]) -> None:
    """Write a file and name it; ConfigError when that cannot be done."""
    with writing(path):
        save(path)
    print(path)
