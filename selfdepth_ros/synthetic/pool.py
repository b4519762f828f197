# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Renders a recording in several processes, which share what they need to begin."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import cached_property
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from selfdepth_ros.core.memory import keep_memory
from selfdepth_ros.synthetic.recording import FrameContent, Recorder, Recording
from selfdepth_ros.synthetic.tiles import paint_atlas

_AHEAD = 4
"""Frames asked for at once, for each process."""


class _Worker:
    """One of the processes: it lays the street while the textures are painted elsewhere."""

    def __init__(self, recording: Recording, atlas: Path) -> None:
        from selfdepth_ros.synthetic.world import StreetWorld

        self._recording, self._atlas = recording, atlas
        self._world = StreetWorld(recording.seed, recording.duration_s, paint=False)

    @cached_property
    def recorder(self) -> Recorder:
        """What renders; the file of the atlas must be there."""
        self._world.atlas.image = np.array(np.load(self._atlas, mmap_mode='r'))
        return Recorder(self._recording, threads=1, world=self._world)


_worker: _Worker | None = None


def _start_worker(recording: Recording, atlas: Path) -> None:
    global _worker
    cv2.setNumThreads(1)
    keep_memory()
    _worker = _Worker(recording, atlas)


def _work(index: int) -> FrameContent:
    assert _worker is not None
    return _worker.recorder.frame(index)


def render_frames(recording: Recording, workers: int) -> Iterator[FrameContent]:
    """All frames in order, by this process (workers 1) or by several, few frames ahead."""
    if workers <= 1:
        recorder = Recorder(recording)
        yield from (recorder.frame(i) for i in range(recording.frames))
        return
    with TemporaryDirectory(prefix='selfdepth_synth_') as folder, ThreadPoolExecutor(1) as painter:
        atlas = Path(folder) / 'atlas.npy'
        painted = painter.submit(lambda: np.save(atlas, paint_atlas(recording.seed)))
        start = _start_worker, (recording, atlas)
        with ProcessPoolExecutor(workers, _context(), *start) as pool:
            for _ in range(workers):  # a process starts when there is something to do
                pool.submit(os.getpid)
            painted.result()
            yield from _in_order(pool, recording.frames, _AHEAD * workers)


def _context() -> BaseContext:
    """Workers are forks of one process that has done the slow imports, and nothing else.

    Not ours: before Python 3.13 that process would take them from the folder it is started in.
    """
    context = get_context('forkserver')
    context.set_forkserver_preload(['cv2', 'open3d'])
    return context


def _in_order(pool: ProcessPoolExecutor, frames: int, ahead: int) -> Iterator[FrameContent]:
    pending: list[Future[FrameContent]] = []
    for i in range(frames):
        pending.append(pool.submit(_work, i))
        if len(pending) >= ahead:
            yield pending.pop(0).result()
    for future in pending:
        yield future.result()
