# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth engine`: compile a model for this machine's GPU, ahead of the first launch."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from selfdepth_ros.cli.images import batches
from selfdepth_ros.core.rig import load_rig
from selfdepth_ros.inference import EngineError
from selfdepth_ros.inference.engine_cache import default_folder
from selfdepth_ros.inference.load import model_file
from selfdepth_ros.inference.self_check import Agreement
from selfdepth_ros.inference.tensorrt_cache import BuildOptions, Prepared, key_of, prepare


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser('engine', help='compile a model for the GPU of this machine')
    parser.add_argument('model', type=Path, help='model.onnx, or its folder')
    parser.add_argument(
        '--precision', choices=('fp32', 'fp16', 'int8'),
        help="default: the model's own, which nodes take; int8 needs one of `selfdepth quantize`",
    )  # fmt: skip
    parser.add_argument('--backend', choices=('tensorrt',), default='tensorrt')
    parser.add_argument(
        '--cache', type=Path, metavar='DIR', help=f'folder of the engines ({default_folder()})'
    )
    parser.add_argument(
        '--images', type=int, default=0, metavar='N',
        help='images of a run (default: the cameras of rig.yaml beside the model, or its own)',
    )  # fmt: skip
    parser.add_argument(
        '--check', type=Path, metavar='BAG|FOLDER', help='images of the self-check'
    )
    parser.add_argument(
        '--mapping', type=Path, metavar='FILE', help="names of the bag's topics, for --check"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Build the engine, or report the cached one."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    path = model_file(args.model)
    _tell(prepare(path, _options(args, path)))
    return 0


def _options(args: argparse.Namespace, path: Path) -> BuildOptions:
    if args.images < 0:
        raise EngineError(f'--images is {args.images}; expected at least 1')
    if args.mapping and not args.check:
        raise EngineError('--mapping without a bag; expected --check BAG beside it')
    beside = path.parent / 'rig.yaml'
    images = args.images or (len(load_rig(beside)) if beside.is_file() else 0)
    options = BuildOptions(args.precision, images, args.cache, must_store=True)
    if args.check is None:
        return options
    _, manifest = key_of(path, options)
    images = batches(args.check, manifest, len(manifest.cameras), args.mapping)
    return replace(options, check=next(images, None))


def _tell(prepared: Prepared) -> None:
    cached = prepared.cached
    print(f'{cached.path} ({len(cached.plan) / 1e6:.1f} MB)')
    for part, value in prepared.key.parts().items():
        print(f'  {part:<18} {value}')
    whence = 'just now' if cached.built else 'earlier; this one is from the cache'
    print(f'  {"built":<18} in {cached.notes["seconds"]} s, {whence}')
    print(f'  {"self-check":<18} {Agreement(**cached.notes["agreement"])}')
    if prepared.key.precision != prepared.engine.manifest.precision:
        print(
            'note: nodes compile a file in its own precision, here in '
            f'{prepared.engine.manifest.precision}; for fp16 there: '
            'selfdepth quantize --precision fp16 MODEL OUT, then selfdepth engine OUT'
        )
