# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The package as its users get it: real colcon builds, plain and symlinked, and a real wheel."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
NAME = 'selfdepth_ros'
EXECUTABLES = ('selfdepth', 'surround_depth', 'synthetic_rig')
NOT_SOURCE = shutil.ignore_patterns('.*', 'out', 'build', 'install', 'log', '__pycache__', '*.pyc')
REPORT = """
import json, selfdepth_ros, selfdepth_training
print(json.dumps([selfdepth_ros.__file__, selfdepth_training.__file__]))
"""


class Workspace(NamedTuple):
    """A colcon workspace: its sources, where it installed, and what sourcing it sets."""

    source: Path
    prefix: Path
    environment: Mapping[str, str]


def run(command: list[str], cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, f'{command}\n{result.stdout}\n{result.stderr}'
    return result.stdout


def colcon_build(folder: Path, *options: str) -> Workspace:
    source = folder / 'src' / NAME
    shutil.copytree(ROOT, source, ignore=NOT_SOURCE)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(('AMENT', 'COLCON', 'PYTHON'))}
    clean['COLCON_HOME'] = str(folder / 'home')
    command = [sys.executable, '-m', 'colcon', 'build', '--event-handlers', 'console_direct+']
    run([*command, *options], folder, clean)
    dump = 'import json, os; print(json.dumps(dict(os.environ)))'
    sourced = f'. install/local_setup.sh >&2 && exec "{sys.executable}" -c \'{dump}\''
    environment = json.loads(run(['sh', '-c', sourced], folder, clean))
    return Workspace(source, folder / 'install' / NAME, environment)


@pytest.fixture(scope='module', params=['plain', 'symlink'])
def workspace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    options = ['--symlink-install'] if request.param == 'symlink' else []
    return colcon_build(tmp_path_factory.mktemp(request.param), *options)


def test_both_packages_are_imported_from_the_workspace(workspace: Workspace) -> None:
    output = run([sys.executable, '-c', REPORT], workspace.prefix, workspace.environment)
    for file in json.loads(output):
        assert Path(file).is_relative_to(workspace.prefix.parents[1]), file


def test_shared_files_are_installed(workspace: Workspace) -> None:
    share = workspace.prefix / 'share'
    assert (share / 'ament_index/resource_index/packages' / NAME).is_file()
    assert (share / NAME / 'package.xml').is_file()
    for folder in ('launch', 'config', 'rviz'):
        expected = {p.name for p in (ROOT / folder).glob('*') if p.is_file()}
        assert expected, folder
        assert {p.name for p in (share / NAME / folder).iterdir()} == expected


def test_executables_are_where_ros2_run_looks(workspace: Workspace) -> None:
    folder = workspace.prefix / 'lib' / NAME
    for name in EXECUTABLES:
        assert os.access(folder / name, os.X_OK), name
    output = run([str(folder / 'selfdepth'), '--version'], workspace.prefix, workspace.environment)
    assert output.startswith('selfdepth ')


def test_the_shipped_model_is_installed(workspace: Workspace) -> None:
    code = (
        'from importlib.resources import files; '
        "print(*sorted(p.name for p in (files('selfdepth_ros') / 'models/street').iterdir()))"
    )
    output = run([sys.executable, '-c', code], workspace.prefix, workspace.environment)
    assert {'model.onnx', 'model.yaml', 'rig.yaml'} <= set(output.split())


def test_a_symlinked_workspace_sees_edits(tmp_path: Path) -> None:
    workspace = colcon_build(tmp_path, '--symlink-install')
    for package, folder in ((NAME, NAME), ('selfdepth_training', 'training')):
        (workspace.source / folder / 'edited.py').write_text('MARK = 7\n', 'utf-8')
        code = f'from {package}.edited import MARK; print(MARK)'
        assert run([sys.executable, '-c', code], tmp_path, workspace.environment) == '7\n'


def test_a_wheel_brings_commands_models_and_both_packages(tmp_path: Path) -> None:
    source = tmp_path / 'source'
    shutil.copytree(ROOT, source, ignore=NOT_SOURCE)
    pip = [sys.executable, '-m', 'pip', '--disable-pip-version-check', '-q']
    run([*pip, 'wheel', '--no-deps', '--no-build-isolation', '-w', str(tmp_path), '.'], source)
    (wheel,) = tmp_path.glob('*.whl')
    names = ZipFile(wheel).namelist()
    for package, folder in ((NAME, source / NAME), ('selfdepth_training', source / 'training')):
        files = (p.relative_to(folder).as_posix() for p in folder.rglob('*') if p.is_file())
        assert {f'{package}/{file}' for file in files} <= set(names)
    assert not any(name.startswith(('training/', 'test/', 'launch/')) for name in names)
    run([*pip, 'install', '--no-deps', '--prefix', str(tmp_path / 'prefix'), str(wheel)], tmp_path)
    for name in EXECUTABLES:
        assert os.access(tmp_path / 'prefix' / 'bin' / name, os.X_OK), name
    assert (tmp_path / 'prefix' / 'share' / NAME / 'package.xml').is_file()


def test_the_training_folder_never_becomes_a_second_package() -> None:
    code = 'import sys; sys.path.insert(0, "."); import training'
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert result.returncode != 0
    assert 'ImportError: this folder is the package selfdepth_training' in result.stderr
