# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""YAML in and out: values keep their kind, files are whole or not there."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdepth_ros.core import strict_yaml
from selfdepth_ros.core.errors import ConfigError

# Of several kinds beside and within each other, not long: what is long says nothing more.
texts = st.text(max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False)
    | texts
    | st.from_regex(r'[-+]?[0-9.]{1,3}[eE][-+]?[0-9]{1,3}', fullmatch=True)
)
keys = st.text(min_size=1, max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=12
)


@settings(max_examples=50)
@given(st.dictionaries(keys, values, max_size=6))
def test_what_is_written_is_read_back_kind_and_bit(data):
    assert repr(strict_yaml.parse(strict_yaml.dump(data, 'a heading\n\nof lines'))) == repr(data)


def test_a_nested_repeated_key_is_refused_with_its_line(tmp_path):
    path = tmp_path / 'a.yaml'
    path.write_text('a:\n  b: 1\n  b: 2\n')
    with pytest.raises(ConfigError, match="'b' is given twice(.|\n)*line 3"):
        strict_yaml.read(path, ConfigError, 'a test')
