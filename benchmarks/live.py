# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The live graph at several image sizes: how fast, how late, and what is lost.

    python benchmarks/live.py [--sizes 320x192 640x384 1280x720] [--seconds 20]

Real rclpy, real DDS, three processes: six cameras of the street at 10 Hz, the node with the
package's model, and a subscriber to the cloud. `to publish` is from the stamp of a set to the end
of its publication, `outside` the same less the network, both as the node measures them over its
last sets. Of the sets of the measured seconds, `partial` went without a camera, `dropped` gave way
to a newer one, and `unheard` is what the subscriber lacks of the published clouds.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from selfdepth_ros.core.rig import save_rig
from selfdepth_ros.demo.domain import hold_free_domain
from selfdepth_ros.demo.listener import Listener
from selfdepth_ros.demo.live import RENDER_PATIENCE_S, SETTLE_S, measure, street_parameters
from selfdepth_ros.demo.processes import NodeProcess, set_up_middleware, wait_for_file
from selfdepth_ros.nodes.execution import Stop
from selfdepth_ros.shipped import demo_rig
from selfdepth_ros.synthetic.truth import PUBLISHED

SIZES = ('320x192', '640x384', '1280x720')
TRANSPORTS = ('raw', 'compressed')
_FRAMES = 10


class Row(NamedTuple):
    """One size and transport."""

    size: str
    transport: str
    received_hz: float
    latency_median_ms: float
    latency_p95_ms: float
    outside_median_ms: float
    outside_p95_ms: float
    sets: int
    partial: int
    dropped: int
    unheard: int


class Counts(NamedTuple):
    """What has been counted so far: by the node, and by the listener."""

    complete: int
    partial: int
    dropped: int
    clouds: int
    heard: int


def counts(listener: Listener) -> Counts:
    """Read at the node's next diagnostics, once a second."""
    before = listener.figures
    listener.spin(10.0, lambda: listener.figures is not before and 'clouds' in listener.figures)
    names = ('sets_complete', 'sets_partial', 'sets_dropped', 'clouds')
    return Counts(*(int(listener.figures[name]) for name in names), listener.count)


def run_one(size: str, transport: str, seconds: float, stop: Stop) -> Row:
    """Start the graph, measure, and stop it. Raises DemoError."""
    width, height = map(int, size.split('x'))
    with tempfile.TemporaryDirectory(prefix='selfdepth_live_') as temporary:
        folder = Path(temporary)
        truth, rig = folder / 'truth', folder / 'rig.yaml'
        save_rig(demo_rig(width, height), rig)
        street = street_parameters((width, height), _FRAMES, transport, truth)
        surround = {'rig': rig, 'transport': transport}
        with NodeProcess('synthetic_rig', street, folder / 'rig.log', stop) as player:
            wait_for_file(truth / PUBLISHED, player, RENDER_PATIENCE_S)
            with (
                closing(Listener(stop)) as listener,
                NodeProcess('surround_depth', surround, folder / 'node.log', stop) as node,
            ):
                measure(listener, SETTLE_S, (player, node), lambda line: None)
                before = counts(listener)
                measure(listener, seconds, (player, node), lambda line: None)
                spent = Counts(*(b - a for a, b in zip(before, counts(listener), strict=True)))
                return _row(size, transport, listener, spent)


def _row(size: str, transport: str, listener: Listener, spent: Counts) -> Row:
    names = (
        'latency_median_ms',
        'latency_p95_ms',
        'outside_network_median_ms',
        'outside_network_p95_ms',
    )
    return Row(
        size,
        transport,
        round(listener.received_hz, 2),
        *(float(listener.measured[name]) for name in names),
        spent.complete + spent.partial,
        spent.partial,
        spent.dropped,
        max(0, spent.clouds - spent.heard),
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as text; times in ms are median and 95th percentile."""
    lines = [
        f'{"six cameras":<22}{"Hz":>6}{"to publish, ms":>17}{"outside, ms":>15}{"share":>7}'
        f'{"sets":>6}{"partial":>9}{"dropped":>9}{"unheard":>9}'
    ]
    for row in rows:
        share = row.outside_median_ms / row.latency_median_ms
        lines.append(
            f'{row.size + " " + row.transport:<22}{row.received_hz:6.1f}'
            f'{row.latency_median_ms:9.1f}{row.latency_p95_ms:8.1f}'
            f'{row.outside_median_ms:8.1f}{row.outside_p95_ms:7.1f}{share:7.0%}'
            f'{row.sets:6}{row.partial:9}{row.dropped:9}{row.unheard:9}'
        )
    return '\n'.join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--sizes', nargs='+', default=SIZES, help='width x height of the images')
    parser.add_argument('--transports', nargs='+', choices=TRANSPORTS, default=TRANSPORTS)
    parser.add_argument('--seconds', type=float, default=20.0, help='of each measurement')
    parser.add_argument('--json', type=Path, help='write the figures there as well')
    given = parser.parse_args(arguments)
    rows: list[Row] = []
    stop = Stop()
    with closing(hold_free_domain()) as domain:
        set_up_middleware(domain.number)
        for size in given.sizes:
            for transport in given.transports:
                rows.append(run_one(size, transport, given.seconds, stop))
                print(table(rows[-1:]).splitlines()[-1], flush=True)
    print(table(rows))
    print(f'load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores')
    if given.json:
        given.json.write_text(json.dumps([row._asdict() for row in rows]))
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
