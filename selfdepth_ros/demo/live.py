# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The live graph: one process is the rig, another makes the cloud, this one listens."""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfdepth_ros.core.rig import Rig, save_rig
from selfdepth_ros.demo import report
from selfdepth_ros.demo.domain import HeldDomain, hold_free_domain
from selfdepth_ros.demo.errors import DemoError
from selfdepth_ros.demo.listener import Listener
from selfdepth_ros.demo.processes import NodeProcess, set_up_middleware, wait_for_file
from selfdepth_ros.messages import cloud_from_msg
from selfdepth_ros.nodes.execution import Stop
from selfdepth_ros.shipped import demo_rig
from selfdepth_ros.synthetic.truth import PUBLISHED, Truth

RENDER_PATIENCE_S, CLOUD_PATIENCE_S = 300.0, 60.0
SETTLE_S, COMPARE_PATIENCE_S = 2.0, 30.0
COMPARE_FRAMES = 25
Say = Callable[[str], None]


@dataclass(frozen=True)
class DemoOptions:
    """What the command line says."""

    out: Path
    seconds: float
    seed: int
    size: tuple[int, int]
    frames: int
    compressed: bool
    model: str
    domain: int | None
    """None: one that nobody uses."""


def run(options: DemoOptions, say: Say = print) -> dict[str, Any]:
    """Run the live graph, write the results to `options.out` and return the figures.

    Raises DemoError, and KeyboardInterrupt on SIGINT or SIGTERM; all processes are stopped in any
    case.
    """
    stop = Stop()
    domain = options.domain
    with closing(hold_free_domain() if domain is None else HeldDomain(domain)) as held:
        set_up_middleware(held.number)
        return _run_nodes(options, say, stop)


def _run_nodes(options: DemoOptions, say: Say, stop: Stop) -> dict[str, Any]:
    options.out.mkdir(parents=True, exist_ok=True)
    transport = 'compressed' if options.compressed else 'raw'
    rig = demo_rig(*options.size)
    with tempfile.TemporaryDirectory(prefix='selfdepth_demo_') as temporary:
        folder = Path(temporary)
        save_rig(rig, folder / 'rig.yaml')
        street = street_parameters(options.size, options.frames, transport, folder / 'truth')
        street['seed'] = options.seed
        surround = {'rig': folder / 'rig.yaml', 'transport': transport}
        if options.model:
            surround['model'] = options.model
        say(f'rendering {options.frames} frames of the street of seed {options.seed} ...')
        log = options.out / 'synthetic_rig.log'
        with NodeProcess('synthetic_rig', street, log, stop) as player:
            wait_for_file(folder / 'truth' / PUBLISHED, player, RENDER_PATIENCE_S)
            say(
                f'live: six cameras at {options.size[0]}x{options.size[1]}, {transport}, '
                f'ROS_DOMAIN_ID={os.environ["ROS_DOMAIN_ID"]}'
            )
            log = options.out / 'surround_depth.log'
            with NodeProcess('surround_depth', surround, log, stop) as node:
                listener = _listen(options.seconds, rig, (player, node), say, stop)
                first_cloud_s = listener.first_cloud_s - node.started_s
        # The processes have ended: drawing steals nothing, and the truth is whole.
        return _results(options, rig, listener, Truth(folder / 'truth'), first_cloud_s)


def street_parameters(
    size: tuple[int, int], frames: int, transport: str, truth: Path
) -> dict[str, Any]:
    """Parameters of a `synthetic_rig` that plays the street and writes the truth."""
    width, height = size
    return {
        'width': width,
        'height': height,
        'frames': frames,
        'transport': transport,
        'truth_folder': truth,
    }


def _listen(
    seconds: float, rig: Rig, processes: tuple[NodeProcess, ...], say: Say, stop: Stop
) -> Listener:
    """Hear clouds for so long, then depth images and the points' cameras as well."""

    listener = Listener(stop)
    check = _checks(processes)
    try:
        measure(listener, seconds, processes, say)
        say('comparing with the truth ...')
        listener.listen_to_depths(rig.names)
        # Which camera made a point: that is how it is traced to its pixel.
        listener.ask_for_cameras()
        enough = COMPARE_FRAMES * len(rig.names)
        listener.spin(
            COMPARE_PATIENCE_S,
            lambda: check() or (len(listener.depths) >= enough and listener.clouds_with_cameras),
        )
    finally:
        listener.close()
    if not (listener.depths and listener.clouds_with_cameras):
        raise DemoError(
            f'no depth images, or no clouds with the field camera, came within '
            f'{COMPARE_PATIENCE_S:.0f} s: {processes[-1].tail()}'
        )
    return listener


def measure(
    listener: Listener, seconds: float, processes: tuple[NodeProcess, ...], say: Say
) -> None:
    """Wait for the first cloud, then hear clouds for so long: `measured` and `received_hz`.

    The node that makes the clouds is the last of the processes. Raises DemoError.
    """
    check = _checks(processes)
    if not listener.spin(CLOUD_PATIENCE_S, lambda: check() or listener.count > 0):
        raise DemoError(
            f'no cloud within {CLOUD_PATIENCE_S:.0f} s; the node says {listener.state!r}: '
            f'{processes[-1].tail()}'
        )
    listener.spin(SETTLE_S, check)
    say(f'measuring for {seconds:.0f} s ...')
    start, count = time.monotonic(), listener.count
    listener.spin(seconds, check)
    listener.received_hz = (listener.count - count) / (time.monotonic() - start)
    listener.measured = dict(listener.figures)


def _checks(processes: tuple[NodeProcess, ...]) -> Callable[[], bool]:
    """Something that is never true, and raises DemoError when a process has ended."""

    def check() -> bool:
        for process in processes:
            process.check()
        return False

    return check


def _results(
    options: DemoOptions, rig: Rig, listener: Listener, truth: Truth, first_cloud_s: float
) -> dict[str, Any]:
    depths = listener.depth_maps()
    clouds = [cloud_from_msg(msg) for msg in listener.clouds_with_cameras]
    height, width = next(iter(depths.values())).shape
    at_depth_size = rig.scaled(width, height)
    comparison = report.compare(depths, clouds, at_depth_size, truth)
    summary = report.summarize(
        listener.measured,
        comparison,
        seed=options.seed,
        size=list(options.size),
        compressed=options.compressed,
        seconds=options.seconds,
        first_cloud_s=round(first_cloud_s, 2),
        received_hz=round(listener.received_hz, 2),
        processors=os.cpu_count(),
        state=listener.state,
    )
    report.draw(options.out, clouds[-1], depths, at_depth_size, truth)
    report.save(options.out, summary)
    return summary
