# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""YAML without its traps: no repeated keys, `1e-4` is a number."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from selfdepth_ros.core.errors import SelfdepthError

# A float with an exponent and no dot, or with one.
_NUMBER = re.compile(r'[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$')


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, strict about keys and with YAML 1.2's numbers."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f'key {key.value!r} is given twice', problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse(text: str) -> Any:
    """Parse YAML text; yaml.YAMLError when it is none."""
    return yaml.load(text, Loader=_Loader)  # a SafeLoader


def read(path: Path | str, error: type[SelfdepthError], purpose: str) -> dict[str, Any]:
    """Read a YAML mapping; `error` names the file, the line and what it should have been."""
    try:
        text = Path(path).read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as cause:
        raise error(f'{path}: cannot be read as {purpose} ({cause}).') from cause
    try:
        value = parse(text)
    except yaml.YAMLError as cause:
        raise error(f'{path}: is not valid YAML: {cause}') from cause
    if not isinstance(value, dict):
        raise error(f'{path}: found {type(value).__name__}, expected a mapping ({purpose}).')
    return value


def check_keys(
    found: Any,
    required: Iterable[str],
    optional: Iterable[str],
    error: type[SelfdepthError],
    where: str = '',
) -> None:
    """Raise `error` unless `found` is a mapping with the required keys and no unknown one."""
    place = f'{where}: ' if where else ''
    if not isinstance(found, dict):
        raise error(f'{place}found {found!r}, expected a mapping.')
    required = list(required)
    known = [*required, *optional]
    for key in found:
        if key not in known:
            raise error(f'{place}found unknown key {key!r}, {suggestion(key, known)}')
    missing = [key for key in required if key not in found]
    if missing:
        raise error(f'{place}found no {", ".join(missing)}, expected every one of {required}.')


def suggestion(key: Any, known: Sequence[str]) -> str:
    """End an unknown-key message: the closest known key, or all of them."""
    close = difflib.get_close_matches(str(key), known, n=1)
    if close:
        return f'expected {close[0]!r}? Correct the spelling or remove it.'
    return f'expected one of {", ".join(known) or "no keys"}. Remove it.'


class _Dumper(yaml.SafeDumper):
    """Writes lists of plain values in one line, mappings in a block."""


# YAML 1.1, which PyYAML reads, takes 1e-4 (no dot) for a string. The dumper must know what the
# loader takes for a number, to put the string '1e4' in quotes.
for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver('tag:yaml.org,2002:float', _NUMBER, list('-+.0123456789'))


def _represent_list(dumper: yaml.SafeDumper, values: Any) -> yaml.SequenceNode:
    flat = all(isinstance(value, (int, float, str, bool)) for value in values)
    return dumper.represent_sequence('tag:yaml.org,2002:seq', values, flow_style=flat)


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(tuple, _represent_list)


def dump(data: Mapping[str, Any], heading: str = '') -> str:
    """Return YAML text; floats keep every bit, `heading` becomes comment lines."""
    comment = ''.join(f'# {line}'.rstrip() + '\n' for line in heading.splitlines())
    return comment + yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, width=99)
