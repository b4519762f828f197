# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that write small bags; the package is imported late, after the type-checking hook."""

import importlib.util
from collections.abc import Callable
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


@pytest.fixture
def record(tmp_path: Path, recording: ModuleType) -> Callable[..., Path]:
    """Write a bag as described by the arguments of `Recording`."""

    def write(name: str = 'drive', **how: Any) -> Path:
        return recording.Recording(**how).write(tmp_path / name)

    return write


@pytest.fixture
def rig(recording: ModuleType) -> Any:
    """The rig of those bags."""
    return recording.make_rig()
