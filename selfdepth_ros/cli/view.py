# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth view`: clouds in the browser, of a bag or of the running robot."""

import argparse
import os
import signal
import webbrowser
from pathlib import Path
from typing import Any

from selfdepth_ros.bags.discovery import COMPRESSED, IMAGE
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.bags.storage import BagStorage
from selfdepth_ros.cli.main import Command, load
from selfdepth_ros.cli.rig_file import rig_of_clouds
from selfdepth_ros.clouds.config import CloudsConfig
from selfdepth_ros.clouds.making import CloudMaker
from selfdepth_ros.clouds.recorded import RecordedClouds
from selfdepth_ros.clouds.writing import CLOUD_TOPIC
from selfdepth_ros.core.errors import ConfigError, SelfdepthError
from selfdepth_ros.core.rig import load_rig
from selfdepth_ros.inference import load_engine
from selfdepth_ros.messages import CloudFields
from selfdepth_ros.view.moments import (
    LatestImages,
    MadeMoments,
    Moment,
    Moments,
    RecordedMoments,
)
from selfdepth_ros.view.player import Player
from selfdepth_ros.view.scene import CloudScene

_PORT = 8080


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser(
        'view', help='show clouds in the browser',
        epilog='Ends with Ctrl-C. The page needs no network; from another machine: '
        '`ssh -L 8080:localhost:8080 robot`, or --host 0.0.0.0 where everybody may look.',
    )  # fmt: skip
    parser.add_argument('bag', nargs='?', type=Path, metavar='BAG', help='rosbag2 with clouds')
    parser.add_argument(
        'images', nargs='?', type=Path, metavar='IMAGES',
        help='bag with the images beside them, if BAG has none (as of `selfdepth cloud`)',
    )  # fmt: skip
    parser.add_argument(
        '--model', type=Path, help='make the clouds of the images of BAG with this network'
    )
    parser.add_argument('--live', action='store_true', help='listen to the running clouds')
    parser.add_argument('--topic', default=CLOUD_TOPIC, help=f'of the clouds ({CLOUD_TOPIC})')
    parser.add_argument(
        '--rig',
        type=Path,
        help="rig file: the cameras of --live, or of the bag with --model (default: the bag's, "
        'with the masks of rig.yaml beside MODEL)',
    )
    parser.add_argument('--mapping', type=Path, metavar='FILE', help='names of the topics')
    parser.add_argument('--threads', type=int, default=0, help='of the network; 0: all cores')
    parser.add_argument('--host', default='127.0.0.1', help='address to serve on (127.0.0.1)')
    parser.add_argument(
        '--port', type=int, default=_PORT, help=f'port, or the next free one ({_PORT})'
    )
    parser.add_argument('--no-open', action='store_true', help='open no browser')
    return parser


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT; returns 0 then."""
    if (args.bag is None) != args.live:
        found = 'both BAG and --live' if args.live else 'neither BAG nor --live'
        raise ConfigError(f'Found {found}, expected one: selfdepth view BAG, or --live.')
    if args.model and (args.live or args.images):
        raise ConfigError(
            'Found --model beside clouds that are there, expected it with one bag of images: '
            'selfdepth view BAG --model MODEL.'
        )
    unused = [
        name
        for name, used in {
            'rig': args.live or args.model,
            'threads': args.model,
            'mapping': not args.live,
        }.items()
        if getattr(args, name) and not used
    ]
    if unused:
        raise ConfigError(
            f'Found --{unused[0]}, which nothing here uses, expected --rig with --live or '
            '--model, --threads with --model, --mapping with a bag. Leave it out.'
        )
    if not 0 < args.port < 2**16:
        raise ConfigError(f'--port: found {args.port}, expected 1 to {2**16 - 1}.')
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first
        signal.signal(number, signal.default_int_handler)
    try:
        return _live(args) if args.live else _recorded(args)
    except KeyboardInterrupt:
        return 0


def _recorded(args: argparse.Namespace) -> int:
    moments = _made(args) if args.model else _there(args)
    body_frame = moments.rig.body_frame if moments.rig else 'base_link'
    scene = CloudScene(args.host, args.port, body_frame, moments.rig)
    try:
        player = Player(moments, scene)
        _announce(scene, args)
        player.run()
    finally:
        scene.close()
    return 0


def _live(args: argparse.Namespace) -> int:
    """Show what comes; rclpy is needed only here."""
    listening = load('view --live', Command('selfdepth_ros.nodes.viewing', '', 'ros'))
    rig = load_rig(args.rig) if args.rig else None
    scene = CloudScene(args.host, args.port, rig.body_frame if rig else 'base_link', rig)

    latest = LatestImages(len(rig.cameras) if rig else 0)

    def show(stamp_ns: int, fields: CloudFields, images: list[Any]) -> None:
        scene.show(Moment(stamp_ns, fields.points, fields.colors, latest.with_new(images)))

    try:
        _announce(scene, args)
        return int(listening.listen(args.topic, rig, show))
    finally:
        scene.close()


def _made(args: argparse.Namespace) -> Moments:
    """The clouds of a network."""
    engine = load_engine(args.model, threads=args.threads)
    reader = BagReader(args.bag, args.mapping)
    rig = rig_of_clouds(reader.rig(), args.rig, args.model)
    return MadeMoments(reader, CloudMaker(reader, engine, rig, CloudsConfig()), rig)


def _there(args: argparse.Namespace) -> Moments:
    """The clouds of a bag, with images where there are any."""
    reader = _images_of(args)
    if reader is None:
        return RecordedMoments(RecordedClouds(args.bag, args.topic), None)
    return RecordedMoments(RecordedClouds(args.bag, args.topic, reader.rig().body_frame), reader)


def _images_of(args: argparse.Namespace) -> BagReader | None:
    """The images beside the clouds; where none were asked for, none are needed."""
    if args.images:
        return BagReader(args.images, args.mapping)
    kinds = BagStorage(args.bag, BagReport(args.bag)).topics.values()
    if {IMAGE, COMPRESSED}.isdisjoint(kinds):
        print(f'note: {args.bag} has no images: to see them, name the bag it was made of, too')
        return None
    try:
        return BagReader(args.bag, args.mapping)
    except SelfdepthError as error:
        if args.mapping:
            raise
        print(f'note: clouds only, without images: {error}')
        return None


def _announce(scene: CloudScene, args: argparse.Namespace) -> None:
    print(f'{scene.url} (Ctrl-C ends)', flush=True)
    # Without a display `webbrowser` would start one that draws text into this terminal.
    if not args.no_open and (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        webbrowser.open(scene.url)
