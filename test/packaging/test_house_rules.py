# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules of the house that linters do not know: licence headers, sizes, no bare exits."""

import ast
import statistics
from pathlib import Path

import pytest

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


def functions(path: Path) -> list[Function]:
    tree = ast.parse(path.read_text('utf-8'))
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


@pytest.mark.parametrize('path', [*CODE, *TESTS], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_file_says_its_licence_and_stays_short(path: Path) -> None:
    text = path.read_text('utf-8')
    assert text == '' or text.startswith(HEADER)
    assert len(text.splitlines()) <= 350


@pytest.mark.parametrize('path', CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_function_is_longer_than_a_page(path: Path) -> None:
    assert {f.name: length(f) for f in functions(path) if length(f) > 60} == {}


def test_functions_are_short_as_a_rule() -> None:
    lengths = sorted(length(function) for path in CODE for function in functions(path))
    assert statistics.median(lengths) <= 12
    assert lengths[int(0.9 * len(lengths))] <= 35


def test_only_the_command_line_ends_the_process() -> None:
    for path in CODE:
        if 'cli' not in path.parts:
            assert 'sys.exit' not in path.read_text('utf-8'), path
