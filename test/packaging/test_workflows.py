# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The workflows install what the tests that they run import, and what the package needs."""

import ast
import re
import shlex
import sys
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / '.github' / 'workflows'
NOT_INSTALLED = {'selfdepth_ros', 'selfdepth_training'}
FROM_APT = {
    'python3-numpy': 'numpy', 'python3-opencv': 'opencv-python-headless',
    'python3-tqdm': 'tqdm', 'python3-yaml': 'pyyaml',
}  # fmt: skip
"""Key of rosdep -> the same on PyPI."""


def name_of(requirement: str) -> str:
    return re.split(r'[^\w.-]', requirement, maxsplit=1)[0].lower().replace('_', '-')


def needs(extra: str = '') -> set[str]:
    """What the package, or an extra of it, requires."""
    found = set()
    for requirement in requires('selfdepth_ros') or ():
        text, _, marker = requirement.partition(';')
        if (f'extra == "{extra}"' in marker) if extra else 'extra ==' not in marker:
            found.add(name_of(text))
    return found


def steps(workflow: str, job: str, **matrix: str) -> list[str]:
    """The commands of a job, with the values of its matrix."""
    text = (WORKFLOWS / workflow).read_text('utf-8')
    for key, value in matrix.items():
        text = text.replace(f'${{{{ matrix.{key} }}}}', value.replace('\n', ' '))
    return [step.get('run', '') for step in yaml.safe_load(text)['jobs'][job]['steps']]


def installed(commands: list[str]) -> set[str]:
    """What pip is asked for, with the requirements of our own extras."""
    found = set()
    for line in '\n'.join(commands).replace('\\\n', ' ').splitlines():
        words = shlex.split(line, comments=True)
        if words[1:4] != ['-m', 'pip', 'install']:
            continue
        for word in words[4:]:
            if extras := re.fullmatch(r'\.\[(.*)\]', word):
                found |= needs().union(*map(needs, extras[1].split(',')))
            elif '://' not in word and not word.startswith('-'):
                found.add(name_of(word))
    return found


def files_tested(commands: list[str]) -> list[Path]:
    """The files of tests that pytest is given, without those that it is to ignore."""
    lines = '\n'.join(commands).replace('\\\n', ' ').splitlines()
    (words,) = [shlex.split(x) for x in lines if '-m pytest' in x and 'test/core' in x]
    ignored = {ROOT / words[i + 1] for i, word in enumerate(words) if word == '--ignore'}
    given = [
        ROOT / word for i, word in enumerate(words)
        if word.startswith('test/') and not words[i - 1].startswith('--')
    ]  # fmt: skip
    files = {f for path in given for f in ([path] if path.is_file() else path.glob('*.py'))}
    return sorted(files - ignored | {ROOT / 'test' / 'conftest.py'})


@cache
def distributions() -> dict[str, list[str]]:
    """Module -> what it came with, of all that is installed here."""
    return dict(packages_distributions())


def imported(files: list[Path]) -> set[str]:
    """Distributions of all modules that files import, our own and Python's left out.

    What `test/shared` imports counts, where a file imports it.
    """
    known, found = distributions(), set()
    files = list(files)
    for file in files:  # grows as it goes
        for node in ast.walk(ast.parse(file.read_text('utf-8'))):
            modules = [node.module] if isinstance(node, ast.ImportFrom) else []
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else modules
            tops = {module.partition('.')[0] for module in modules if module}
            for top in tops - sys.stdlib_module_names - NOT_INSTALLED:
                beside = ROOT / 'test' / 'shared' / f'{top}.py'
                if beside.exists():
                    files += [] if beside in files else [beside]
                elif top in known:
                    found.add(name_of(known[top][0]))
    # Python's own since 3.11; and what comes with every package of messages.
    return found - {'tomli', 'builtin-interfaces'}


@pytest.fixture(scope='module')
def from_apt() -> set[str]:
    keys = re.findall(
        r'<exec_depend>(.*?)</exec_depend>', (ROOT / 'package.xml').read_text('utf-8')
    )
    return {FROM_APT.get(key, name_of(key)) for key in keys}


def test_the_core_job_has_what_its_tests_import():
    commands = steps('core.yaml', 'core')
    asked = imported(files_tested(commands))
    assert {'torch', 'numpy', 'hypothesis', 'pytest'} <= asked
    assert asked - installed(commands) == set()


@pytest.mark.parametrize('distro', ['humble', 'jazzy', 'lyrical'])
def test_the_stock_images_have_what_the_package_needs_and_the_tests_import(distro, from_apt):
    workflow = yaml.safe_load((WORKFLOWS / 'ros.yaml').read_text('utf-8'))
    rows = workflow['jobs']['stock']['strategy']['matrix']['include']
    (row,) = [row for row in rows if row['distro'] == distro]
    commands = steps('ros.yaml', 'stock', **row)
    has = installed(commands) | from_apt
    asked = {name for name in imported(files_tested(commands)) if not name.startswith('ros-')}
    assert {'torch', 'onnx', 'pytest'} <= asked
    assert asked - has == set()
    assert needs() - has == set()


def test_nothing_that_is_ignored_has_gone():
    ignored = re.findall(r'--ignore (\S+)', (WORKFLOWS / 'ros.yaml').read_text('utf-8'))
    assert ignored and all((ROOT / file).exists() for file in ignored)
