# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The package as its users get it: real colcon builds, plain and symlinked, and a real wheel."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
NAME = 'selfdepth_ros'
EXECUTABLES = ('selfdepth', 'surround_depth', 'synthetic_rig', 'save_cloud')
WHERE = """
import json, selfdepth_ros, selfdepth_training
print(json.dumps([selfdepth_ros.__file__, selfdepth_training.__file__]))
"""
MODEL_FILES = """
from importlib.resources import files
print(*sorted(p.name for p in (files('selfdepth_ros') / 'models/street').iterdir()))
"""
EDITED = """
try:
    from {}.edited import MARK
except ModuleNotFoundError:
    MARK = None
print(MARK)
"""


def test_both_packages_are_imported_from_the_workspace(workspace: Any) -> None:
    for file in json.loads(workspace.python(WHERE)):
        assert Path(file).is_relative_to(workspace.root), file


def test_shared_files_are_installed(workspace: Any) -> None:
    share = workspace.prefix / 'share'
    assert (share / 'ament_index/resource_index/packages' / NAME).is_file()
    assert (share / NAME / 'package.xml').is_file()
    for folder in ('launch', 'config', 'rviz'):
        expected = {p.name for p in (ROOT / folder).glob('*') if p.is_file()}
        assert expected, folder
        assert {p.name for p in (share / NAME / folder).iterdir()} == expected


def test_executables_are_where_ros2_run_looks(workspace: Any) -> None:
    folder = workspace.prefix / 'lib' / NAME
    for name in EXECUTABLES:
        assert os.access(folder / name, os.X_OK), name
    assert workspace.run(folder / 'selfdepth', '--version').startswith('selfdepth ')


def test_the_shipped_model_is_installed(workspace: Any) -> None:
    assert {'model.onnx', 'model.yaml', 'rig.yaml'} <= set(workspace.python(MODEL_FILES).split())


def test_a_symlinked_workspace_sees_edits_and_no_other(
    workspace: Any, request: pytest.FixtureRequest
) -> None:
    symlinked = request.node.callspec.params['workspace'] == 'symlink'
    for package, folder in ((NAME, NAME), ('selfdepth_training', 'training')):
        edited = workspace.source / folder / 'edited.py'
        edited.write_text('MARK = 7\n', 'utf-8')
        try:
            found = workspace.python(EDITED.format(package))
        finally:
            edited.unlink()  # others use this workspace, too
        assert found == ('7\n' if symlinked else 'None\n')


def test_a_wheel_brings_commands_models_and_both_packages(source: Path, tmp_path: Path) -> None:
    pip = [sys.executable, '-m', 'pip', '--disable-pip-version-check', '-q']
    offline = ['--no-deps', '--no-build-isolation']
    subprocess.run([*pip, 'wheel', *offline, '-w', tmp_path, '.'], cwd=source, check=True)
    (wheel,) = tmp_path.glob('*.whl')
    names = set(ZipFile(wheel).namelist())
    for package, folder in ((NAME, source / NAME), ('selfdepth_training', source / 'training')):
        files = (p.relative_to(folder).as_posix() for p in folder.rglob('*') if p.is_file())
        assert {f'{package}/{file}' for file in files} <= names
    assert not any(name.startswith(('training/', 'test/', 'launch/')) for name in names)
    prefix = tmp_path / 'prefix'
    # Without --ignore-installed, pip would first uninstall the package from this environment.
    aside = ['--no-deps', '--ignore-installed', '--prefix', prefix]
    subprocess.run([*pip, 'install', *aside, wheel], check=True)
    for name in EXECUTABLES:
        assert os.access(prefix / 'bin' / name, os.X_OK), name
    assert (prefix / 'share' / NAME / 'package.xml').is_file()


def test_the_training_folder_never_becomes_a_second_package() -> None:
    code = 'import sys; sys.path.insert(0, "."); import training'
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert result.returncode != 0
    assert 'ImportError: this folder is the package selfdepth_training' in result.stderr
