# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint is whole or not there, and reading one runs no code."""

import pickle
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from selfdepth_training.checkpoint import (
    CheckpointError,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from selfdepth_training.predict import TrainedNetwork

STATE = {'step': 7, 'learner': {'weight': torch.arange(6.0).reshape(2, 3)}, 'bags': ['a', 'b']}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As on a full disk: this process cannot write beyond `size` bytes into any file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_saved_is_read(tmp_path):
    save_checkpoint(tmp_path / 'new' / 'checkpoint.pt', STATE)
    for path in (tmp_path / 'new', tmp_path / 'new' / 'checkpoint.pt'):
        read = load_checkpoint(path)
        assert read['step'] == 7 and read['bags'] == ['a', 'b']
        assert torch.equal(read['learner']['weight'], STATE['learner']['weight'])
    assert [f.name for f in (tmp_path / 'new').iterdir()] == ['checkpoint.pt']


def test_a_full_disk_leaves_the_previous_checkpoint_as_it_was(tmp_path):
    path = tmp_path / 'checkpoint.pt'
    save_checkpoint(path, STATE)
    before = path.read_bytes()
    large = STATE | {'learner': {'weight': torch.zeros(1_000_000)}}
    with largest_file(200_000), pytest.raises(CheckpointError, match='last good checkpoint'):
        save_checkpoint(path, large)
    assert path.read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ['checkpoint.pt']
    save_checkpoint(path, large)
    assert len(load_checkpoint(path)['learner']['weight']) == 1_000_000


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / 'file').write_text('not a folder')
    with pytest.raises(CheckpointError, match='cannot be written'):
        save_checkpoint(tmp_path / 'file' / 'checkpoint.pt', STATE)


class _Trap:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize('writer', ['torch', 'pickle'])
def test_code_inside_a_checkpoint_is_refused_and_not_run(tmp_path, writer):
    path, trap = tmp_path / 'checkpoint.pt', tmp_path / 'sprung'
    evil = {'format': 1, **STATE, 'extra': _Trap(trap)}
    if writer == 'torch':
        torch.save(evil, path)
    else:
        path.write_bytes(pickle.dumps(evil, protocol=2))
    with pytest.raises(CheckpointError, match='cannot be read as a checkpoint'):
        load_checkpoint(path)
    assert not trap.exists()


@pytest.mark.parametrize('state', [{'format': 0, **STATE}, STATE, [1, 2]], ids=str)
def test_another_format_is_refused(tmp_path, state):
    torch.save(state, tmp_path / 'checkpoint.pt')
    with pytest.raises(CheckpointError, match='expected format 1'):
        load_checkpoint(tmp_path)


def test_a_cut_file_is_refused(tmp_path):
    path = tmp_path / 'checkpoint.pt'
    save_checkpoint(path, STATE)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match='cannot be read as a checkpoint'):
        load_checkpoint(path)


@pytest.mark.parametrize('name', ['.', 'nowhere', 'nowhere/checkpoint.pt'])
def test_a_missing_checkpoint_is_one_clear_error(tmp_path, name):
    with pytest.raises(CheckpointError, match='Found no checkpoint at'):
        find_checkpoint(tmp_path / name)


def test_a_network_of_another_version_is_one_clear_error(tmp_path):
    save_checkpoint(tmp_path / 'checkpoint.pt', STATE | {'config': {'stepps': 3}})
    with pytest.raises(CheckpointError, match='another version .*stepps'):
        TrainedNetwork.load(tmp_path)
    save_checkpoint(tmp_path / 'checkpoint.pt', STATE | {'config': {}})
    with pytest.raises(CheckpointError, match='another version'):
        TrainedNetwork.load(tmp_path)
