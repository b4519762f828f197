# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What would end a training in the middle, told before it begins or in words: room, and others."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from selfdepth_ros.core.files import make_writable
from selfdepth_training.beginning import TrainingError


@contextmanager
def only_training(out: Path) -> Iterator[None]:
    """Make the folder of a training, and keep others from it while the block runs.

    The processes that torchrun starts are one training, and its first one keeps the folder. Raises
    TrainingError where nothing can be written, and where another training is at work.
    """
    if int(os.environ.get('RANK', '0')):
        yield
        return
    try:
        make_writable(out)
        folder = os.open(out, os.O_RDONLY)
    except OSError as error:
        raise TrainingError(
            f'Found that nothing can be written in {out} ({error.strerror or error}), expected a '
            'folder for the training. Choose another --out.'
        ) from error
    try:
        _lock(folder, out)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, out: Path) -> None:
    """Until the folder is closed, or the process ends."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TrainingError(
            f'Found another training at work in {out}, expected a folder for each. Wait for its '
            'end, or choose another --out.'
        ) from error
    except OSError:
        pass  # a file system without locks


@contextmanager
def room_on_device() -> Iterator[None]:
    """A GPU without room for what the block does is a TrainingError."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        reason = str(error).strip().partition('\n')[0]
        raise TrainingError(
            f'Found too little memory on the GPU ({reason}), expected room for a whole step. Take '
            'smaller images (--set data.width=..., data.height=...), fewer rigs a step '
            '(data.rigs_per_step) or a narrower network, end other programs that use it, or use '
            'more GPUs (torchrun). What a checkpoint holds is kept.'
        ) from error
