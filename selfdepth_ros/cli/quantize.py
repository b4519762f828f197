# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth quantize`: a variant of a model in 16 or 8 bits."""

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from selfdepth_ros.cli.images import batches
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference import DepthEngine, EngineError, load_engine
from selfdepth_ros.inference.graph import write_file
from selfdepth_ros.inference.load import MODEL_FILE, model_file
from selfdepth_ros.inference.precision import Batch, to_fp16, to_int8
from selfdepth_ros.inference.self_check import VARIANT, Agreement, check_images, compare, require


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser('quantize', help='make a 16- or 8-bit variant of a model')
    parser.add_argument('model', type=Path, help='model.onnx (fp32), or its folder')
    parser.add_argument('out', type=Path, help='folder for the new model.onnx and model.yaml')
    parser.add_argument('--precision', choices=('fp16', 'int8'), default='int8')
    parser.add_argument(
        '--images', type=Path, metavar='BAG|FOLDER',
        help='images like those it will see; int8 is calibrated with them',
    )  # fmt: skip
    parser.add_argument(
        '--mapping', type=Path, metavar='FILE', help="names of the bag's topics, for --images"
    )
    parser.add_argument(
        '--count', type=int, default=60, metavar='N', help='at most so many (default: 60)'
    )
    parser.add_argument(
        '--runtime', choices=('tensorrt', 'onnxruntime'), default='onnxruntime',
        help='what int8 is made for; made for tensorrt it runs on both, on a CPU half as fast',
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace) -> int:
    """Make the variant, compare it with the model, keep it when they agree."""
    source = model_file(args.model)
    _check(args, source)
    parent = load_engine(source)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / MODEL_FILE
        if args.precision == 'fp16':
            to_fp16(source, parent.manifest, draft)
        else:
            to_int8(source, parent.manifest, draft, _images(args, parent.manifest), args.runtime)
        agreement = _agreement(args, load_engine(draft), parent)
        target = args.out / MODEL_FILE
        write_file(target, draft.read_bytes())
        shutil.copyfile(draft.with_suffix('.yaml'), target.with_suffix('.yaml'))
    with suppress(FileNotFoundError):
        shutil.copyfile(source.with_name('rig.yaml'), target.with_name('rig.yaml'))
    size = target.stat().st_size / 1e6
    print(f'{target} ({size:.1f} MB, {args.precision}): from the fp32 model {agreement}')
    return 0


def _agreement(args: argparse.Namespace, variant: DepthEngine, parent: DepthEngine) -> Agreement:
    """How far the variant is from the model on the images it was given, or on made-up ones."""
    manifest = parent.manifest
    images, focal = next(_images(args, manifest), None) or check_images(manifest, 2)
    agreement = compare(variant, parent, images, focal)
    require(
        agreement, VARIANT[args.precision], f'the {args.precision} variant of {manifest.name!r}',
        'calibrate it with more images of the robot (--images, --count), or stay at fp32',
    )  # fmt: skip
    return agreement


def _check(args: argparse.Namespace, source: Path) -> None:
    if (args.out / MODEL_FILE).resolve() == source.resolve():
        raise EngineError(f'{args.out} holds the model itself; give another folder')
    if args.precision == 'int8' and args.images is None:
        raise EngineError(
            'int8 is calibrated with images like those the network will see: give --images, a bag '
            'of the robot or a folder'
        )
    if args.mapping and not args.images:
        raise EngineError('--mapping without a bag; expected --images BAG beside it')
    if args.count < 1:
        raise EngineError(f'--count is {args.count}; expected at least 1')


def _images(args: argparse.Namespace, manifest: Manifest) -> Iterator[Batch]:
    if not args.images:
        return iter(())
    return batches(args.images, manifest, args.count, args.mapping)
