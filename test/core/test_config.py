# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Configuration is strict: every mistake is an error that names its key."""

from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdepth_ros.core import strict_yaml
from selfdepth_ros.core.config import knob, knobs, load_config, to_dict
from selfdepth_ros.core.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    """A group."""

    rate: float = knob(1e-3, unit='1/s', low=0.0, high=1.0)
    """How fast,
    in two lines."""
    mode: Literal['fast', 'slow'] = 'fast'
    sizes: tuple[int, ...] = knob((1, 2), low=1)
    """Each at least one."""


@dataclass(frozen=True)
class Outer:
    """A configuration with every kind of field."""

    count: int = knob(3, low=1)
    """How many."""
    flag: bool = False
    label: str = 'a'
    folder: Path = Path('out')
    limit: float | None = None
    layers: int = field(default=18, metadata={'choices': (18, 34)})
    span: tuple[float, float] = (0.0, 1.0)
    inner: Inner = field(default_factory=lambda: Inner(rate=0.5))


@dataclass(frozen=True)
class Needy:
    """A configuration with a required value."""

    name: str
    size: int = knob(low=1)


def load(text, tmp_path, overrides=None):
    path = tmp_path / 'settings.yaml'
    path.write_text(text)
    return load_config(Outer, path, overrides)


def test_no_file_means_the_defaults():
    assert load_config(Outer) == Outer()


def test_values_take_the_place_of_defaults(tmp_path):
    text = 'count: 5\nflag: true\nfolder: a/b\nlimit: 2\nspan: [1, 2.5]\ninner: {sizes: [4]}\n'
    found = load(text, tmp_path)
    assert found == Outer(
        count=5, flag=True, folder=Path('a/b'), limit=2.0, span=(1.0, 2.5),
        inner=Inner(rate=0.5, sizes=(4,)),
    )  # fmt: skip
    assert type(found.limit) is float


@given(
    count=st.integers(1, 10**12),
    label=st.text(),
    limit=st.none() | st.floats(allow_nan=False),
    rate=st.floats(0, 1),
    sizes=st.lists(st.integers(1, 9)).map(tuple),
)
def test_what_is_written_is_read_back(tmp_path_factory, count, label, limit, rate, sizes):
    config = Outer(count=count, label=label, limit=limit, inner=Inner(rate=rate, sizes=sizes))
    path = tmp_path_factory.mktemp('config') / 'settings.yaml'
    path.write_text(strict_yaml.dump(to_dict(config)), encoding='utf-8')
    assert load_config(Outer, path) == config


def test_numbers_in_every_spelling_are_numbers(tmp_path):
    """YAML 1.1, which PyYAML reads, would take 1e-4 for a text."""
    for text in ('1e-4', '1.0e-4', '0.0001', '1E-4', '+1e-04'):
        assert load(f'inner: {{rate: {text}}}', tmp_path).inner.rate == 1e-4


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('cuont: 1', "unknown key 'cuont', expected 'count'"),
        ('inner: {rat: 1}', "inner: found unknown key 'rat', expected 'rate'"),
        ('zzz: 1', 'expected one of count, flag'),
        ('count: 0', 'count: found 0, expected 1 or more'),
        ('inner: {rate: 1.5}', 'inner.rate: found 1.5, expected 0.0 to 1.0 1/s'),
        ('inner: {sizes: [1, 0]}', 'inner.sizes: found 0'),
        ('count: 2.5', 'count: found 2.5, expected a whole number'),
        ('count: true', 'count: found True, expected a whole number'),
        ("count: '3'", 'Remove the quotes'),
        ('flag: 1', 'flag: found 1, expected true or false'),
        ('label: 3', 'label: found 3, expected a text'),
        ('limit: .nan', 'limit: found nan, expected a number or null'),
        ('layers: 50', 'layers: found 50, expected one of (18, 34)'),
        ('inner: {mode: quick}', "expected one of 'fast', 'slow'"),
        ('span: [1, 2, 3]', 'span: found [1, 2, 3], expected a list of 2: a number, a number'),
        ('inner: 3', 'inner: found 3, expected a mapping'),
        ('count: 1\ncount: 2', "'count' is given twice"),
        ('- count', 'found list, expected a mapping'),
        ('count: [', 'is not valid YAML'),
    ],
)
def test_every_mistake_is_an_error_that_names_file_and_key(tmp_path, text, expected):
    with pytest.raises(ConfigError) as caught:
        load(text, tmp_path)
    assert 'settings.yaml' in str(caught.value)
    assert expected in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r'nowhere\.yaml: cannot be read'):
        load_config(Outer, tmp_path / 'nowhere.yaml')


def test_overrides_come_last_in_every_form(tmp_path):
    text = 'count: 5\ninner: {rate: 0.25}\n'
    expected = Outer(count=7, inner=Inner(rate=0.25, mode='slow'))
    for overrides in (
        ['count=7', 'inner.mode=slow'],
        {'count': 7, 'inner.mode': 'slow'},
        {'count': 7, 'inner': {'mode': 'slow'}},
    ):
        assert load(text, tmp_path, overrides) == expected


@pytest.mark.parametrize(
    ('override', 'expected'),
    [('count', 'name=value'), ('count=0', 'with count: count: found 0'), ('a=[', 'not a YAML'),
     ('count.x=1', 'count is a value'), ('inner.x=1', "unknown key 'x'")],
)  # fmt: skip
def test_mistakes_in_overrides_are_named(tmp_path, override, expected):
    with pytest.raises(ConfigError) as caught:
        load('count: 5', tmp_path, [override])
    assert expected in str(caught.value)


def test_a_value_without_default_must_be_given():
    assert load_config(Needy, None, ['name=x', 'size=2']) == Needy('x', 2)
    with pytest.raises(ConfigError, match='size: found nothing'):
        load_config(Needy, None, ['name=x'])


def test_knobs_say_everything_about_a_setting():
    by_name = {knob.name: knob for knob in knobs(Outer)}
    rate = by_name['inner.rate']
    assert (rate.type, rate.default, rate.unit, rate.range) == (float, 0.5, '1/s', (0.0, 1.0))
    assert rate.doc == 'How fast,\nin two lines.'
    assert by_name['count'].doc == 'How many.'
    assert by_name['flag'].doc == ''
    assert by_name['layers'].choices == (18, 34)
    assert {'inner.mode', 'inner.sizes', 'span'} < set(by_name)
    assert [knob.default for knob in knobs(Needy)] == [MISSING, MISSING]
