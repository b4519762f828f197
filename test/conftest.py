# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What every test run has in common.

- Shapes are types: the package is imported through jaxtyping's hook, so beartype checks every
  annotated array argument during the tests (and nowhere else).
- No silent skips: a skip that test/skips_allowed.toml does not list fails the run.
- No test passes or fails by the clock: generated examples have no deadline.
- The longest files begin, so that no worker is left with one of them at the end.
- ROS graphs stay on this machine, in a domain that no other process here uses.
"""

import os
import sys
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
TYPE_CHECKED = (
    'selfdepth_ros.core',
    'selfdepth_ros.bags',
    'selfdepth_ros.clouds',
    'selfdepth_ros.compiled.steps',
    'selfdepth_ros.datasets',
    'selfdepth_ros.inference',
    'selfdepth_ros.messages',
    'selfdepth_ros.pipeline',
    'selfdepth_ros.synthetic',
    'selfdepth_ros.view.moments',
    'selfdepth_training',
)

# Minutes each. For `--no-loadscope-reorder` of pytest-xdist, which the Makefile gives it.
LONGEST = (
    'test_device', 'test_every_recipe', 'test_train', 'test_sureness', 'test_tune',
    'test_extrinsics', 'test_imported', 'test_learning_benchmark', 'test_parallel',
)  # fmt: skip

# Here and not in pytest_configure: the conftest.py files of subfolders are imported before that.
install_import_hook(TYPE_CHECKED, 'beartype.beartype')


class AllowedSkip(NamedTuple):
    """One entry of the allowlist: shell patterns, and why this skip is no loss."""

    test: str
    reason: str
    why: str

    def covers(self, test: str, reason: str) -> bool:
        return fnmatchcase(test, self.test) and fnmatchcase(reason, self.reason)


def load_allowlist(path: Path) -> list[AllowedSkip]:
    """Read the allowlist; an entry without a reason is an error."""
    entries = tomllib.loads(path.read_text('utf-8')).get('skip', [])
    allowed = [AllowedSkip(**entry) for entry in entries]
    for entry in allowed:
        if not entry.why.strip():
            raise ValueError(f'{path}: the skip of {entry.test!r} has an empty `why`')
    return allowed


class SkipGate:
    """Fails a run that skipped something the allowlist does not name."""

    def __init__(self, allowed: list[AllowedSkip]) -> None:
        self.allowed = allowed
        self.refused: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not hasattr(report, 'wasxfail'):
            self._judge(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._judge(report)

    def _judge(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped:
            return
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix('Skipped: ')
        if not any(entry.covers(report.nodeid, reason) for entry in self.allowed):
            self.refused.append((report.nodeid, reason))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.refused and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.refused:
            return
        terminalreporter.section('skips that test/skips_allowed.toml does not allow', red=True)
        for test, reason in self.refused:
            terminalreporter.line(f'{test}: {reason}')


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption('--any-skip', action='store_true', help='do not fail on unlisted skips')
    parser.addoption('--numpy-major', type=int, help='refuse to run on another major version')


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption('--any-skip'):
        gate = SkipGate(load_allowlist(HERE / 'skips_allowed.toml'))
        config.pluginmanager.register(gate, 'skip-gate')
    _check_numpy(config.getoption('--numpy-major'))
    # Before any test is imported: @given takes what is the default then. On another NumPy what
    # matters is each kind of operation; the laws are tried on many examples with the usual one.
    fewer = {'max_examples': 20} if config.getoption('--numpy-major') else {}
    settings.register_profile('no-clock', deadline=None, **fewer)
    settings.load_profile('no-clock')
    from selfdepth_ros.demo.domain import hold_free_domain

    domain = hold_free_domain()
    config.add_cleanup(domain.close)
    os.environ['ROS_DOMAIN_ID'] = str(domain.number)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ['ROS_LOG_DIR'] = tempfile.mkdtemp(prefix='selfdepth_ros_log_')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


def _check_numpy(major: int | None) -> None:
    if major is None:
        return
    import numpy as np

    if int(np.__version__.partition('.')[0]) != major:
        raise pytest.UsageError(f'NumPy {major}.x was asked for, found {np.__version__}')
