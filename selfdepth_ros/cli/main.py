# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth COMMAND`: a table of commands, of which only the one asked for is imported.

A command's module offers `add_parser(subparsers) -> ArgumentParser` and `run(args) -> int | None`.
So `selfdepth --help` is immediate and works on a robot without torch.
"""

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

from selfdepth_ros import __version__
from selfdepth_ros.core.errors import SelfdepthError

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells say it
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE


class Command(NamedTuple):
    """Where a command lives, its line in the help, and the extra that brings what it imports."""

    module: str
    summary: str
    extra: str


COMMANDS: Mapping[str, Command] = {
    'synth': Command('selfdepth_ros.cli.synth', 'write a bag of a synthetic street', 'synthetic'),
    'import': Command('selfdepth_ros.cli.import_', 'turn a public dataset into a bag', 'bags'),
    'train': Command('selfdepth_ros.cli.train', 'learn depth from bags, without labels', 'train'),
    'tune': Command('selfdepth_ros.cli.tune', 'find the best recipe for a bag', 'train'),
    'calibrate': Command(
        'selfdepth_ros.cli.calibrate', 'correct where the cameras sit, from bags', 'train'
    ),
    'cloud': Command('selfdepth_ros.cli.cloud', 'turn bags of images into bags of clouds', 'bags'),
    'view': Command('selfdepth_ros.cli.view', 'show clouds in the browser', 'view'),
    'compare': Command('selfdepth_ros.cli.compare', 'measure clouds against LiDAR', 'clouds'),
    'evaluate': Command('selfdepth_ros.cli.evaluate', 'measure a model on a bag', 'train'),
    'report': Command('selfdepth_ros.cli.report', 'show what a model can do, as HTML', 'train'),
    'export': Command('selfdepth_ros.cli.export', 'compile a checkpoint to ONNX', 'train'),
    'rig': Command('selfdepth_ros.cli.rig', 'show what the cameras of a rig see', 'bags'),
    'doctor': Command('selfdepth_ros.cli.doctor', 'say whether a bag or a rig is fit', 'bags'),
    'quantize': Command('selfdepth_ros.cli.quantize', 'make a 16- or 8-bit model', 'quantize'),
    'engine': Command('selfdepth_ros.cli.engine', 'compile a model for this GPU', 'quantize'),
    'demo': Command('selfdepth_ros.cli.demo', 'run the live graph, draw a cloud', 'ros,synthetic'),
}


def process() -> int:
    """`main` for a process: signals end it without a traceback, from here to its very end."""
    try:
        return main()
    except KeyboardInterrupt:  # after the command's own end
        return EXIT_INTERRUPTED
    finally:
        # What the interpreter still does prints what interrupts it.
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the exit status of the process."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        status = run(arguments, COMMANDS)
        sys.stdout.flush()
    except SelfdepthError as error:
        return _complain(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) went away. The interpreter must not flush into it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    return status


def run(arguments: Sequence[str], commands: Mapping[str, Command]) -> int:
    """Parse and run; raises whatever the command raises."""
    parser = argparse.ArgumentParser('selfdepth', description='Metric surround depth for robots.')
    # The short name also makes argparse leave room for the longest command.
    parser.add_argument('-V', '--version', action='version', version=f'selfdepth {__version__}')
    subparsers = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)
    modules: dict[str, ModuleType] = {}
    asked = next((word for word in arguments if not word.startswith('-')), None)
    for name, command in commands.items():
        if name == asked:
            with dying_of_interrupts():
                modules[name] = load(name, command)
            modules[name].add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=command.summary)
    args = parser.parse_args(arguments)
    return int(modules[args.command].run(args) or 0)


@contextmanager
def dying_of_interrupts() -> Iterator[None]:
    """Let SIGINT end the process at once, as SIGTERM does, while modules are imported.

    As an exception it comes out of compiled modules as another one, or is printed and forgotten.
    """
    usual = signal.getsignal(signal.SIGINT)
    if usual is not signal.default_int_handler or not _is_main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def load(name: str, command: Command) -> ModuleType:
    """Import a command's module; a missing third party says which extra brings it."""
    try:
        return importlib.import_module(command.module)
    except ModuleNotFoundError as error:
        missing = (error.name or '').partition('.')[0]
        if missing in ('', 'selfdepth_ros', 'selfdepth_training'):
            raise
        raise SelfdepthError(
            f'`selfdepth {name}` needs the Python module {missing!r}, which is not installed: '
            f"in the sources of selfdepth_ros, pip install -e '.[{command.extra}]'; beside ROS "
            "from apt, whose cv_bridge wants apt's NumPy and OpenCV, the module alone"
        ) from error


def _complain(error: SelfdepthError) -> int:
    message = ' '.join(str(error).split())
    print(f'selfdepth: error: {message}', file=sys.stderr)
    return EXIT_ERROR


if __name__ == '__main__':
    raise SystemExit(process())
