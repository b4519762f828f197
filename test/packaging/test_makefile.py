# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`make clean` removes what make made, and nothing else; what `make test` leaves out."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('others', [False, True])
def test_clean_leaves_trainings_in_out(tmp_path: Path, others: bool) -> None:
    shutil.copy(ROOT / 'Makefile', tmp_path)
    for name in ('out/demo', '.venv', 'build', *(['out/learning'] if others else [])):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / 'file').touch()
    subprocess.run(['make', '-s', 'clean'], cwd=tmp_path, check=True)
    left = sorted(str(f.relative_to(tmp_path)) for f in tmp_path.rglob('*') if f.is_file())
    assert left == ['Makefile', *(['out/learning/file'] if others else [])]
    assert (tmp_path / 'out').exists() == others


def test_what_is_not_tried_on_numpy_1_does_not_know_numpy() -> None:
    found = re.search(r'^WITHOUT_NUMPY := (.+)$', (ROOT / 'Makefile').read_text(), re.MULTILINE)
    files = [ROOT / 'test' / 'core' / f'test_{name}.py' for name in found[1].split()]
    load = 'import runpy, sys; [runpy.run_path(p) for p in sys.argv[1:]]; print(*sys.modules)'
    command = [sys.executable, '-c', load, *map(str, files)]
    loaded = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert 'selfdepth_ros.core.sync' in loaded.split()
    assert 'numpy' not in loaded.split()
