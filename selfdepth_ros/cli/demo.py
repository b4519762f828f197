# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth demo`: six live cameras of a street world become a cloud, measured and drawn."""

import argparse
from pathlib import Path

from selfdepth_ros.cli.writing import make_folder
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.demo.live import DemoOptions
from selfdepth_ros.demo.live import run as run_live
from selfdepth_ros.demo.report import describe
from selfdepth_ros.inference import load_engine
from selfdepth_ros.shipped import DEMO_SEED, shipped


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add `demo` to the command line."""
    parser = subparsers.add_parser('demo', help='run the live graph, draw a cloud')
    parser.add_argument('--out', type=Path, default=Path('out/demo'), help='folder of the results')
    parser.add_argument('--seconds', type=float, default=20.0, help='how long to measure')
    parser.add_argument('--seed', type=int, default=DEMO_SEED, help='which street')
    parser.add_argument(
        '--size', type=_size, default=(320, 192), metavar='WxH', help='of the images'
    )
    parser.add_argument('--frames', type=int, default=60, help='length of the loop')
    parser.add_argument('--compressed', action='store_true', help='JPEG instead of raw images')
    parser.add_argument(
        '--model', default='', help='model.onnx; default: the model of the package'
    )
    parser.add_argument('--domain', type=int, help='ROS_DOMAIN_ID (default: a free one)')


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition('x')
    if not (width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f'found {text!r}, expected WIDTHxHEIGHT as 320x192')
    return int(width), int(height)


def run(args: argparse.Namespace) -> int:
    """Run the demo and print what it measured."""
    if not args.model and not shipped('model.onnx').is_file():
        raise ConfigError('this copy of the package holds no model: give one with --model <path>')
    load_engine(args.model or shipped('model.onnx'))  # a wrong model is known before rendering
    make_folder(args.out)
    options = DemoOptions(
        args.out, args.seconds, args.seed, args.size, args.frames, args.compressed, args.model,
        args.domain,
    )  # fmt: skip
    summary = run_live(options, lambda line: print(line, flush=True))
    print(describe(summary))
    print(f'{args.out}: cloud.ply, cloud.png, depth_panels.png, summary.json')
    return 0
