# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The fields of configuration classes: what they are, and whether a value fits."""

import ast
import dataclasses
import functools
import inspect
import math
import textwrap
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfdepth_ros.core.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Knob:
    """One setting: its dotted name, type, default (or dataclasses.MISSING), limits and text."""

    name: str
    type: Any
    default: Any
    unit: str = ''
    range: tuple[float | int, float | int] | None = None
    choices: tuple[Any, ...] = ()
    doc: str = ''


def knob(
    default: Any = dataclasses.MISSING,
    *,
    unit: str = '',
    low: float | int = -math.inf,
    high: float | int = math.inf,
    choices: tuple[Any, ...] = (),
) -> Any:
    """Declare a field with its unit and its limits, both inclusive; no default: required."""
    metadata = {'unit': unit, 'range': (low, high), 'choices': choices}
    return dataclasses.field(default=default, metadata=metadata)


def field_docs(cls: type) -> dict[str, str]:
    """Docstrings written under the fields of a class, inherited ones too.

    Python does not keep them, so they are read from the source; without it there are none.
    """
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue
        body = getattr(tree.body[0], 'body', [])
        for field, text in zip(body, body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                doc = _text(text)
                if doc:
                    docs[field.target.id] = doc
    return docs


def _text(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        value = node.value.value
        return inspect.cleandoc(value) if isinstance(value, str) else ''
    return ''


@functools.cache
def own_knobs(cls: Any) -> tuple[Knob, ...]:
    """Return the fields of one configuration class, groups included.

    Kept: reading the source for the texts takes milliseconds, and a node asks at every turn.
    """
    hints, docs = typing.get_type_hints(cls), field_docs(cls)
    return tuple(
        Knob(
            name=field.name,
            type=hints[field.name],
            default=_default(field),
            unit=field.metadata.get('unit', ''),
            range=field.metadata.get('range'),
            choices=tuple(field.metadata.get('choices', ())),
            doc=docs.get(field.name, ''),
        )
        for field in dataclasses.fields(cls)
    )


def _default(field: Any) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def check_value(own: Knob, value: Any, where: str) -> Any:
    """Return a value as the field's type, or raise ConfigError naming it."""
    try:
        result = _cast(own.type, value)
    except TypeError as cause:
        raise ConfigError(
            f'{where}: found {value!r}, expected {_type_name(own.type)}.{_advice(value)}'
        ) from cause
    for item in result if isinstance(result, tuple) else (result,):
        if own.choices and item not in own.choices:
            raise ConfigError(f'{where}: found {item!r}, expected one of {own.choices}.')
        if own.range and type(item) in (int, float) and not own.range[0] <= item <= own.range[1]:
            raise ConfigError(f'{where}: found {item!r}, expected {_range_name(own)}.')
    return result


def _advice(value: Any) -> str:
    return ' Remove the quotes.' if isinstance(value, str) and is_number(value) else ''


def is_number(text: str) -> bool:
    """Whether a text reads as a number, nan and inf included."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _range_name(own: Knob) -> str:
    low, high = own.range or (-math.inf, math.inf)
    unit = f' {own.unit}' if own.unit else ''
    if math.isinf(high):
        return f'{low}{unit} or more'
    if math.isinf(low):
        return f'{high}{unit} or less'
    return f'{low} to {high}{unit}'


def _float(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError
    if math.isnan(value):
        raise TypeError
    return float(value)


def _exactly(kind: type) -> Callable[[Any], Any]:
    def cast(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError
        return value

    return cast


def _path(value: Any) -> Path:
    if not isinstance(value, (str, Path)):
        raise TypeError
    return Path(value)


_CASTS: dict[Any, Callable[[Any], Any]] = {
    bool: _exactly(bool),
    int: _exactly(int),
    str: _exactly(str),
    float: _float,
    Path: _path,
}


def _cast(kind: Any, value: Any) -> Any:
    """Cast to a supported type; TypeError when the value is not one."""
    if kind in _CASTS:
        return _CASTS[kind](value)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return _one_of(arguments, value)
    if origin in (typing.Union, types.UnionType):
        return _first_fitting(arguments, value)
    if origin is dict and isinstance(value, dict):
        return value
    if origin is tuple and isinstance(value, (list, tuple)):
        return _tuple(arguments, value)
    raise TypeError


def _one_of(choices: tuple[Any, ...], value: Any) -> Any:
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    raise TypeError


def _first_fitting(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None and type(None) in kinds:
        return None
    for kind in kinds:
        try:
            return _cast(kind, value)
        except TypeError:
            continue
    raise TypeError


def _tuple(kinds: tuple[Any, ...], values: Any) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_cast(kinds[0], value) for value in values)
    if len(kinds) != len(values):
        raise TypeError
    return tuple(_cast(kind, value) for kind, value in zip(kinds, values, strict=True))


def _type_name(kind: Any) -> str:
    """Words for a type in an error message."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return 'one of ' + ', '.join(map(repr, arguments))
    if origin in (typing.Union, types.UnionType):
        return ' or '.join(
            'null' if part is type(None) else _type_name(part) for part in arguments
        )
    if origin is tuple:
        several = arguments[-1] is Ellipsis
        count = 'a list of' if several else f'a list of {len(arguments)}:'
        parts = arguments[:1] if several else arguments
        return f'{count} {", ".join(map(_type_name, parts))}'
    names = {bool: 'true or false', int: 'a whole number', float: 'a number', str: 'a text'}
    return names.get(kind, 'a path' if kind is Path else str(kind))
