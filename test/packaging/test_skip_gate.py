# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The gate on skips, tried on runs of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / 'conftest.py'
ALLOWLIST = """
[[skip]]
test = "test_sample.py::test_allowed*"
reason = "no such machine"
why = "the machine is rare"
"""


def run_sample(folder: Path, body: str, *options: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(CONFTEST, folder / 'conftest.py')
    (folder / 'skips_allowed.toml').write_text(ALLOWLIST, 'utf-8')
    (folder / 'pytest.ini').write_text('[pytest]\n', 'utf-8')
    (folder / 'test_sample.py').write_text(f'import pytest\n{body}\n', 'utf-8')
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *options]
    environment = {**os.environ, 'PYTEST_DISABLE_PLUGIN_AUTOLOAD': '1'}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def skipping(name: str, reason: str) -> str:
    return f'def {name}():\n    pytest.skip({reason!r})\ndef test_fine(): pass'


def test_a_listed_skip_passes(tmp_path: Path) -> None:
    result = run_sample(tmp_path, skipping('test_allowed', 'no such machine'))
    assert result.returncode == 0, result.stdout
    assert '1 passed, 1 skipped' in result.stdout


@pytest.mark.parametrize(
    'body',
    [
        skipping('test_other', 'no such machine'),
        skipping('test_allowed', 'another reason'),
        "@pytest.mark.skip(reason='lazy')\ndef test_marked(): pass\ndef test_fine(): pass",
        "pytest.importorskip('no_such_module_at_all')",
        "pytest.skip('whole file', allow_module_level=True)",
    ],
    ids=['test', 'reason', 'marker', 'importorskip', 'module'],
)
@pytest.mark.parametrize('parallel', [(), ('-p', 'xdist.plugin', '-n', '1')], ids=['one', 'xdist'])
def test_an_unlisted_skip_fails_the_run(
    tmp_path: Path, body: str, parallel: tuple[str, ...]
) -> None:
    result = run_sample(tmp_path, body, *parallel)
    assert result.returncode == 1, result.stdout
    assert 'does not allow' in result.stdout
    assert run_sample(tmp_path, body, '--any-skip').returncode in (0, 5)


def test_expected_failures_are_no_skips(tmp_path: Path) -> None:
    body = '@pytest.mark.xfail(strict=True)\ndef test_known(): assert False'
    result = run_sample(tmp_path, body)
    assert result.returncode == 0, result.stdout
