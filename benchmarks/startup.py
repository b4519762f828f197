# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From the start of the node's process to the first cloud that a subscriber receives.

The synthetic rig plays already and the subscriber listens already, as on a robot whose node is
started (again). Beside each run a bare rclpy node starts: what any node costs on this machine.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from selfdepth_ros.demo.domain import hold_free_domain
from selfdepth_ros.demo.errors import DemoError
from selfdepth_ros.demo.listener import Listener
from selfdepth_ros.demo.live import CLOUD_PATIENCE_S, RENDER_PATIENCE_S
from selfdepth_ros.demo.processes import NodeProcess, set_up_middleware, wait_for_file
from selfdepth_ros.demo.report import GOALS
from selfdepth_ros.nodes.execution import Stop
from selfdepth_ros.synthetic.truth import PUBLISHED, RIG

_BARE = 'import rclpy; rclpy.init(); node = rclpy.create_node("bare"); print("ready", flush=True)'
_TOLD = re.compile(r'first cloud [0-9.]+ s after the start \((.*)\)')
_FRAMES = 10


def bare_node_s() -> float:
    """Seconds from the start of a process to its rclpy node that does nothing."""
    start_s = time.monotonic()
    with subprocess.Popen([sys.executable, '-c', _BARE], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        return time.monotonic() - start_s


def first_cloud_s(listener: Listener, folder: Path, model: str, stop: Stop) -> tuple[float, str]:
    """Seconds until the listener has a cloud, and what the node says it took. DemoError: none."""
    surround = {'rig': folder / 'truth' / RIG} | ({'model': model} if model else {})
    log, before = folder / 'surround_depth.log', listener.count
    start_s = time.monotonic()
    with NodeProcess('surround_depth', surround, log, stop) as node:
        if not listener.spin(CLOUD_PATIENCE_S, lambda: listener.count > before):
            raise DemoError(f'no cloud within {CLOUD_PATIENCE_S:.0f} s: {node.tail()}')
        spent_s = time.monotonic() - start_s
    told = _TOLD.search(log.read_text())
    listener.spin(1.0)  # what was on its way from this node is not from the next
    return spent_s, told[1] if told else ''


def run(runs: int, model: str) -> None:
    """Print a line for each run, and the medians."""
    spent_s, bare_s = [], []
    stop = Stop()
    with closing(hold_free_domain()) as domain, tempfile.TemporaryDirectory() as temporary:
        set_up_middleware(domain.number)
        folder = Path(temporary)
        rig = {'frames': _FRAMES, 'truth_folder': folder / 'truth'}
        with NodeProcess('synthetic_rig', rig, folder / 'rig.log', stop) as player:
            wait_for_file(folder / 'truth' / PUBLISHED, player, RENDER_PATIENCE_S)
            with closing(Listener(stop)) as listener:
                for _ in range(runs):
                    bare_s.append(bare_node_s())
                    total_s, told = first_cloud_s(listener, folder, model, stop)
                    spent_s.append(total_s)
                    print(f'{total_s:.2f} s: {told}; bare node {bare_s[-1]:.2f} s', flush=True)
    _, goal_s = GOALS['first_cloud_s']
    cloud_s, bare = statistics.median(spent_s), statistics.median(bare_s)
    print(
        f'first cloud {cloud_s:.2f} s after the start, median of {runs} runs (goal {goal_s:g} s); '
        f'a bare node {bare:.2f} s, {cloud_s / bare:.1f} times'
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--runs', type=int, default=7)
    parser.add_argument('--model', default='', help='model.onnx; default: that of the package')
    given = parser.parse_args(arguments)
    run(given.runs, given.model)
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
