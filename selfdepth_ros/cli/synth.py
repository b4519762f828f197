# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth synth`: write a bag of a synthetic street."""

from __future__ import annotations

import argparse

from selfdepth_ros.synthetic.errors import SyntheticError


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split('x'))
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is no size: expected e.g. 320x192') from None
    return width, height


def add_parser(subparsers) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser('synth', help='write a bag of a synthetic street')
    parser.add_argument('out', help='folder of the new bag; must not exist')
    parser.add_argument('--seed', type=int, default=0, help='which world (default: 0)')
    parser.add_argument('--frames', type=int, default=150, help='surround frames (default: 150)')
    parser.add_argument('--size', type=_size, default=(320, 192), help='WxH (default: 320x192)')
    parser.add_argument('--rate', type=float, default=10.0, help='frames per second (default: 10)')
    parser.add_argument('--raw', action='store_true', help='write Image instead of JPEG')
    parser.add_argument('--depth-truth', action='store_true', help='write /<camera>/depth_truth')
    parser.add_argument('--no-odometry', action='store_true', help='leave /odom out')
    parser.add_argument('--odometry-noise', type=float, default=0.0, help='relative, per step')
    parser.add_argument('--no-lidar', action='store_true', help='leave /lidar/points out')
    parser.add_argument('--lidar-noise', type=float, default=0.0, help='range noise (m)')
    parser.add_argument('--noise', type=float, default=0.0, help='sensor noise (grey levels)')
    parser.add_argument('--gain-spread', type=float, default=0.0, help='camera gains, e.g. 0.05')
    parser.add_argument(
        '--distorted', action='store_true', help='plumb_bob lenses on some cameras'
    )
    parser.add_argument('--workers', type=int, default=2, help='render processes (default: 2)')
    parser.add_argument('--storage', choices=('mcap', 'sqlite3'), default='mcap')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    return parser


def run(args: argparse.Namespace) -> int:
    """Write the bag and say where it is."""
    from selfdepth_ros.synthetic.synth import write_bag

    if args.workers < 1:
        raise SyntheticError(f'--workers is {args.workers}: expected at least 1')
    path = write_bag(
        args.out, args.seed, args.frames, *args.size, rate_hz=args.rate,
        compressed=not args.raw, depth_truth=args.depth_truth, odometry=not args.no_odometry,
        odometry_noise=args.odometry_noise, lidar=not args.no_lidar,
        lidar_noise_m=args.lidar_noise, noise=args.noise, gain_spread=args.gain_spread,
        distorted=args.distorted, workers=args.workers, storage=args.storage,
        progress=not args.quiet,
    )  # fmt: skip
    print(path)
    return 0
