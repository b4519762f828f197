# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules of the house that linters do not know: licence headers, sizes, no bare exits."""

import ast
import statistics
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[2]
HEADER = (
    '# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors\n'
    '# SPDX-License-Identifier: Apache-2.0\n'
)
CODE = [
    p
    for top in ('selfdepth_ros', 'training', 'launch', 'benchmarks')
    for p in (ROOT / top).rglob('*.py')
]
TESTS = list((ROOT / 'test').rglob('*.py'))
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def functions() -> list[tuple[Path, Function]]:
    """Of the code, each with its file."""
    trees = {path: ast.parse(path.read_text('utf-8')) for path in CODE}
    return [(p, node) for p in CODE for node in ast.walk(trees[p]) if isinstance(node, Function)]


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_every_file_says_its_licence_and_stays_short() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text('utf-8') for path in (*CODE, *TESTS)}
    assert len(texts) > 100
    assert [path for path, text in texts.items() if text and not text.startswith(HEADER)] == []
    lines = {path: len(text.splitlines()) for path, text in texts.items()}
    assert {path: count for path, count in lines.items() if count > 350} == {}


def test_no_function_is_longer_than_a_page() -> None:
    found = [(f'{path.relative_to(ROOT)}: {f.name}', length(f)) for path, f in functions()]
    assert [(where, count) for where, count in found if count > 60] == []


def test_functions_are_short_as_a_rule() -> None:
    lengths = sorted(length(function) for _, function in functions())
    assert statistics.median(lengths) <= 12
    assert lengths[int(0.9 * len(lengths))] <= 35


def test_only_the_command_line_ends_the_process() -> None:
    for path in CODE:
        if 'cli' not in path.parts:
            assert 'sys.exit' not in path.read_text('utf-8'), path


def test_no_generated_example_has_a_deadline() -> None:
    assert settings().deadline is None


def test_the_files_of_tests_that_are_to_begin_are_there(pytestconfig: pytest.Config) -> None:
    conftest = pytestconfig.pluginmanager.get_plugin(str(ROOT / 'test' / 'conftest.py'))
    assert set(conftest.LONGEST) <= {path.stem for path in TESTS}
