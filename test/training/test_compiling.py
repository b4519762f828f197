# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A loss that cannot be compiled is slower, not an error; an error of its own stays one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from selfdepth_training.compiling import fast

CODE = """
import logging
logging.basicConfig(format='%(message)s')
import torch
from selfdepth_training.compiling import fast

def double(x): return 2 * x.sin()
def triple(x): return 3 * x.sin()

x = torch.linspace(0, 1, 64)
for function in (double, triple):
    assert torch.equal(fast(function)(x), function(x))
    assert torch.equal(fast(function)(x), function(x))
"""
NO_HEADERS = """#!/bin/sh
case "$*" in *.cpp*) echo 'fatal error: Python.h: No such file or directory'; exit 1;; esac
exec {compiler} "$@"
"""


def ran(folder: Path, programs: str) -> list[str]:
    """What is logged where PATH is `programs`, and g++ is that of a folder without a cache."""
    environment = os.environ | {
        'PATH': programs, 'CXX': str(folder / 'g++'),
        'TORCHINDUCTOR_CACHE_DIR': str(folder / 'cache'),
    }  # fmt: skip
    result = subprocess.run(
        [sys.executable, '-c', CODE], env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return [line for line in result.stderr.splitlines() if 'The loss' in line]


@pytest.mark.skipif(not shutil.which('g++'), reason='no C++ compiler')
def test_a_machine_without_the_headers_of_python_is_told_once_and_learns_slowly(tmp_path):
    compiler = tmp_path / 'g++'
    compiler.write_text(NO_HEADERS.format(compiler=shutil.which('g++')))
    compiler.chmod(0o755)
    told = ran(tmp_path, f'{tmp_path}{os.pathsep}{os.environ["PATH"]}')
    assert len(told) == 1
    assert 'fatal error: Python.h' in told[0] and 'install g++ and python3-dev' in told[0]


def test_so_is_one_without_a_compiler(tmp_path):
    told = ran(tmp_path, str(tmp_path))
    assert len(told) == 1 and 'no C++ compiler' in told[0]


def test_an_error_of_the_function_itself_is_raised():
    def unequal(x: torch.Tensor) -> torch.Tensor:
        return x + torch.ones(3)

    with pytest.raises(RuntimeError, match='must match the size'):
        fast(unequal)(torch.ones(2))
    assert torch.equal(fast(unequal)(torch.ones(3)), torch.full((3,), 2.0))
