# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Several bags at once, each in a process of its own: what one does to itself stays with it."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from selfdepth_ros.clouds.errors import CloudError


class Failure(NamedTuple):
    """Why a bag has no clouds."""

    reason: str


def each_by_itself(
    model: Path, bags: Sequence[Path], out: Path, options: Sequence[str], jobs: int, threads: int
) -> Iterator[tuple[Path, str | Failure]]:
    """Run `selfdepth cloud MODEL BAG OUT/<name of the bag>` for each bag, so many at a time.

    Yields each bag, as it is done, with what its command said. `threads` of the network; 0: the
    cores are shared. Raises CloudError for two bags of one name, before anything is begun.
    """
    names = {bag: bag.resolve().name.removesuffix('.mcap').removesuffix('.db3') for bag in bags}
    twice = [name for name, count in Counter(names[bag] for bag in bags).items() if count > 1]
    if twice:
        raise CloudError(
            f'found several bags called {", ".join(twice)}, expected different names: each '
            f'becomes {out}/<its name>; run them one by one'
        )
    jobs = min(jobs, len(bags))
    threads = threads or max(1, (os.cpu_count() or 1) // jobs)
    start = [sys.executable, '-m', 'selfdepth_ros.cli', 'cloud', str(model)]
    end = [*options, f'--threads={threads}']
    pool = ThreadPoolExecutor(jobs)
    try:
        waiting = {
            pool.submit(_run, [*start, str(bag), str(out / names[bag]), *end]): bag for bag in bags
        }
        for done in as_completed(waiting):
            yield waiting[done], done.result()
    finally:  # those that run have heard an interruption themselves
        pool.shutdown(cancel_futures=True)


def _run(command: list[str]) -> str | Failure:
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode == 0:
        return (result.stderr + result.stdout).rstrip()  # warnings first
    if result.returncode < 0:
        return Failure(f'its process was ended by signal {-result.returncode}')
    last = (result.stderr.strip().splitlines() or [f'status {result.returncode}'])[-1]
    return Failure(last.removeprefix('selfdepth: error: '))
