# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: written whole or not at all, read without running anything they contain."""

from pathlib import Path
from typing import Any

import torch

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.files import appearing

FORMAT = 1
FILE_NAME = 'checkpoint.pt'


class CheckpointError(SelfdepthError):
    """A checkpoint that is missing, unreadable or of another training."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to `path`, whole or not at all.

    Raises CheckpointError when the disk refuses; the previous checkpoint is then untouched.
    """
    try:
        with appearing(path) as file:
            torch.save({'format': FORMAT, **state}, file)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f'Found that {path} cannot be written ({error}), expected room and permission for a '
            'checkpoint. The last good checkpoint is untouched: free space and --resume.'
        ) from error


def find_checkpoint(path: Path) -> Path:
    """Return the checkpoint file for a training folder or a file."""
    path = path / FILE_NAME if path.is_dir() else path
    if not path.is_file():
        raise CheckpointError(
            f'Found no checkpoint at {path}, expected the folder of a training '
            '(`selfdepth train ... --out DIR`) or its checkpoint.pt.'
        )
    return path


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; only tensors and plain values, never code (weights_only)."""
    path = find_checkpoint(path)
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f'Found {path}, which cannot be read as a checkpoint ({error}), expected a file that '
            '`selfdepth train` wrote. Use an earlier copy, or train again.'
        ) from error
    found = state.get('format') if isinstance(state, dict) else type(state).__name__
    if found != FORMAT:
        raise CheckpointError(
            f'Found a checkpoint of format {found} in {path}, expected format {FORMAT}. Train '
            'again with this version.'
        )
    return state
