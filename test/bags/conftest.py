# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that write small bags; the package is imported late, after the type-checking hook."""

import importlib.util
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope='session')
def recording() -> ModuleType:
    """The module beside this one."""
    path = Path(__file__).with_name('recording.py')
    spec = importlib.util.spec_from_file_location('bag_recording', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='session')
def recorded(tmp_path_factory: pytest.TempPathFactory, recording: ModuleType) -> Any:
    """Write each bag once; bags with a fault that is a function cannot be told apart."""
    root = tmp_path_factory.mktemp('recorded')

    @cache
    def write(how: tuple[tuple[str, Any], ...]) -> Path:
        folder = root / str(len(list(root.iterdir())))
        return recording.Recording(**dict(how)).write(folder / 'drive')

    return write


@pytest.fixture
def record(tmp_path: Path, recorded: Any) -> Callable[..., Path]:
    """Give a bag of one's own, as described by the arguments of `Recording`."""

    def write(**how: Any) -> Path:
        return Path(
            shutil.copytree(
                recorded(tuple(sorted(how.items()))), tmp_path / 'drive', dirs_exist_ok=True
            )
        )

    return write


@pytest.fixture
def rig(recording: ModuleType) -> Any:
    """The rig of those bags."""
    return recording.make_rig()
