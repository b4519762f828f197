# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Configuration: frozen dataclasses; one default, range, unit and docstring for each field.

`load_config` reads YAML strictly; `knobs` lists the fields for whoever declares them elsewhere
(ROS parameters, a command line, a table in the documentation). A field's limits are in its
metadata: `range` (lowest, highest; both allowed), `unit`, `choices`; `knob` writes them. Fields
may be bool, int, float, str, Path, Literal, tuples of these, a mapping, optional (`X | None`), or
another such dataclass.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import yaml

from selfdepth_ros.core import strict_yaml
from selfdepth_ros.core.config_fields import Knob, check_value, field_docs, knob, own_knobs
from selfdepth_ros.core.errors import ConfigError

__all__ = [
    'Knob',
    'changed',
    'config_from_dict',
    'field_docs',
    'flat',
    'knob',
    'knobs',
    'load_config',
    'to_dict',
]

ConfigT = TypeVar('ConfigT')


def knobs(cls: type) -> tuple[Knob, ...]:
    """Return every setting of a configuration class, nested ones with dotted names."""
    found: list[Knob] = []
    for own in own_knobs(cls):
        if isinstance(own.type, type) and dataclasses.is_dataclass(own.type):
            nested = knobs(own.type)
            defaults = own.default
            found += [
                dataclasses.replace(
                    inner,
                    name=f'{own.name}.{inner.name}',
                    default=_walk(defaults, inner.name, inner.default),
                )
                for inner in nested
            ]
        else:
            found.append(own)
    return tuple(found)


def _walk(config: Any, dotted: str, otherwise: Any) -> Any:
    """Value of a nested default, which may differ from the nested class's own."""
    for part in dotted.split('.'):
        if not hasattr(config, part):
            return otherwise
        config = getattr(config, part)
    return config


def load_config(
    cls: type[ConfigT],
    path: Path | str | None = None,
    overrides: Mapping[str, Any] | Iterable[str] | None = None,
) -> ConfigT:
    """Build a configuration from its defaults, a YAML file and overrides, in this order.

    Overrides are a mapping of names (dotted, or nested mappings) to values, or texts `name=value`
    whose value is read as YAML. Raises ConfigError naming the source and the key: unknown (with
    the closest known one), of a wrong type, out of range, or missing.
    """
    values: dict[str, Any] = {}
    if path is not None:
        values = strict_yaml.read(path, ConfigError, f'settings of {cls.__name__}')
    return _overridden(cls, values, overrides or {}, '' if path is None else str(path))


def changed(config: ConfigT, overrides: Mapping[str, Any] | Iterable[str]) -> ConfigT:
    """Return a configuration with overrides, checked as those of `load_config`."""
    return _overridden(type(config), to_dict(config), overrides, '')


def _overridden(
    cls: type[ConfigT],
    values: dict[str, Any],
    overrides: Mapping[str, Any] | Iterable[str],
    source: str,
) -> ConfigT:
    given = dict(_pairs(overrides))
    for name, value in given.items():
        _put(values, name, value)
    try:
        return config_from_dict(cls, values)
    except ConfigError as cause:
        told = ' with '.join(part for part in (source, ', '.join(given)) if part)
        raise ConfigError(f'{told or "defaults"}: {cause}') from cause


def _pairs(overrides: Mapping[str, Any] | Iterable[str]) -> Iterable[tuple[str, Any]]:
    """Yield names and values of overrides in either form."""
    if isinstance(overrides, Mapping):
        yield from overrides.items()
        return
    for text in overrides:
        name, equals, value = text.partition('=')
        if not equals:
            raise ConfigError(f'override: found {text!r}, expected name=value.')
        try:
            yield name.strip(), strict_yaml.parse(value)
        except yaml.YAMLError as cause:
            raise ConfigError(f'override {name}: {value!r} is not a YAML value.') from cause


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    """Set a dotted name in nested mappings; a mapping is merged, not put in the place of one."""
    first, _, rest = name.partition('.')
    if not rest and not isinstance(value, Mapping):
        values[first] = value
        return
    group = values.setdefault(first, {})
    if not isinstance(group, dict):
        raise ConfigError(f'override {name}: {first} is a value, not a group of settings.')
    for inner, item in ((rest, value),) if rest else value.items():
        _put(group, inner, item)


def _build(cls: Any, values: Any, prefix: str, defaults: Any = None) -> Any:
    """Build a configuration class from nested mappings, checking every value."""
    fields = {own.name: own for own in own_knobs(cls)}
    strict_yaml.check_keys(values, (), fields, ConfigError, prefix.rstrip('.'))
    given: dict[str, Any] = {}
    for name, own in fields.items():
        default = own.default if defaults is None else getattr(defaults, name)
        if dataclasses.is_dataclass(own.type):
            inner = None if default is dataclasses.MISSING else default
            given[name] = _build(own.type, values.get(name, {}), f'{prefix}{name}.', inner)
        elif name in values:
            given[name] = check_value(own, values[name], f'{prefix}{name}')
        elif default is dataclasses.MISSING:
            raise ConfigError(f'{prefix}{name}: found nothing, expected a value (no default).')
        else:
            given[name] = default
    try:
        return cls(**given)
    except ConfigError as cause:  # values that do not go together
        if not prefix:
            raise
        raise ConfigError(f'{prefix.rstrip(".")}: {cause}') from cause


def config_from_dict(cls: type[ConfigT], values: Mapping[str, Any]) -> ConfigT:
    """Build a configuration from nested mappings; ConfigError names the key."""
    config: ConfigT = _build(cls, values, '')
    return config


def flat(config: Any) -> dict[str, Any]:
    """Return every value of a configuration by its dotted name."""
    return {own.name: attrgetter(own.name)(config) for own in knobs(type(config))}


def to_dict(config: Any) -> dict[str, Any]:
    """Return a configuration as nested mappings of plain YAML values."""
    names = (field.name for field in dataclasses.fields(config))
    return {name: _plain(getattr(config, name)) for name in names}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
