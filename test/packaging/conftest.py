# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Real colcon workspaces of this package, built once a run."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
NAME = 'selfdepth_ros'
NOT_SOURCE = shutil.ignore_patterns('.*', 'out', 'build', 'install', 'log', '__pycache__', '*.pyc')


class Workspace(NamedTuple):
    """A colcon workspace: its root, its sources, where it installed, what sourcing it sets."""

    root: Path
    source: Path
    prefix: Path
    environment: Mapping[str, str]

    def run(self, *command: str | Path) -> str:
        """Standard output of a command that must succeed, in the sourced workspace."""
        return run(command, self.root, self.environment)

    def python(self, code: str) -> str:
        return self.run(sys.executable, '-c', code)


def run(command: tuple[str | Path, ...], cwd: Path, environment: Mapping[str, str]) -> str:
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, f'{command}\n{result.stdout}\n{result.stderr}'
    return result.stdout


def copy_of_the_source(into: Path) -> Path:
    """The working tree without what builds and tools left in it."""
    shutil.copytree(ROOT, into, ignore=NOT_SOURCE)
    return into


def colcon_build(folder: Path, *options: str) -> Workspace:
    """Copy the sources into a workspace, build it, source it."""
    source = copy_of_the_source(folder / 'src' / NAME)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(('COLCON', 'PYTEST'))}
    clean['COLCON_HOME'] = str(folder / 'home')
    run((sys.executable, '-m', 'colcon', 'build', *options), folder, clean)
    dump = 'import json, os; print(json.dumps(dict(os.environ)))'
    sourced = f'. install/local_setup.sh >&2 && exec "{sys.executable}" -c \'{dump}\''
    environment = json.loads(run(('sh', '-c', sourced), folder, clean))
    return Workspace(folder, source, folder / 'install' / NAME, environment)


@pytest.fixture(scope='session', params=['plain', 'symlink'])
def workspace(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    options = ['--symlink-install'] if request.param == 'symlink' else []
    return colcon_build(tmp_path_factory.mktemp(request.param), *options)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the sources that a build may litter."""
    return copy_of_the_source(tmp_path / 'source')
