# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One training in a folder, and a GPU without room is told in words."""

import subprocess
import sys

import pytest
import torch

from selfdepth_training.beginning import TrainingError
from selfdepth_training.guards import only_training, room_on_device

HELD = """
import sys
from pathlib import Path
from selfdepth_training.guards import only_training
with only_training(Path(sys.argv[1])):
    print('held', flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_of_one_training_until_its_process_is_gone(tmp_path, monkeypatch):
    command = [sys.executable, '-c', HELD, str(tmp_path / 'run')]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b'held\n'
        taken = pytest.raises(TrainingError, match='Found another training at work in .*run')
        with taken, only_training(tmp_path / 'run'):
            pass
        with monkeypatch.context() as patch, only_training(tmp_path / 'other'):
            patch.setenv('RANK', '1')  # another process of that training
            with only_training(tmp_path / 'run'):
                pass
        process.kill()
    with only_training(tmp_path / 'run'):
        pass


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / 'file').touch()
    refused = pytest.raises(TrainingError, match='nothing can be written in .*file/run')
    with refused, only_training(tmp_path / 'file' / 'run'):
        pass


def test_a_gpu_without_room_says_what_to_do():
    @room_on_device()
    def step():
        raise torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB.\nMore')

    with pytest.raises(TrainingError, match=r'\(CUDA out of memory. .* 2 GiB.\), .*rigs_per'):
        step()
