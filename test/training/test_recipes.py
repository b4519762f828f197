# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recipes load; what they cannot mean is one clear error."""

import pytest

from selfdepth_ros.core.config import config_from_dict, knobs, to_dict
from selfdepth_ros.core.errors import ConfigError
from selfdepth_training.config import RECIPES, TrainConfig, load_recipe


@pytest.mark.parametrize('path', sorted(RECIPES.glob('*.yaml')), ids=lambda p: p.stem)
def test_every_recipe_loads_by_name_and_by_path(path):
    config = load_recipe(path.stem)
    assert config.name == path.stem
    assert load_recipe(str(path)) == config
    assert config_from_dict(TrainConfig, to_dict(config)) == config


def test_there_is_the_recipe_of_the_command_line():
    assert (RECIPES / 'fsm.yaml').is_file()


def test_overrides_reach_nested_settings():
    config = load_recipe('fsm', ['loss.spatial=0.2', 'steps=7', 'network.decoder=[8, 8, 8, 8]'])
    assert (config.loss.spatial, config.steps) == (0.2, 7)
    assert config.network.decoder == (8, 8, 8, 8)


@pytest.mark.parametrize(
    ('override', 'message'),
    [
        ('loss.spatail=0.2', 'loss.*spatail.*spatial'),
        ('stepps=3', 'stepps.*steps'),
        ('steps=many', 'steps'),
        ('steps=0', 'steps.*1'),
        ('data.jitter=3', 'data.jitter.*0.5'),
        ('network.layers=19', 'network.layers.*18'),
        ('data.height=200', 'data: width, height: found 320 and 200, .*32.* Take 320 and 192'),
    ],
)
def test_a_setting_that_is_none_is_one_clear_error(override, message):
    with pytest.raises(ConfigError, match=message):
        load_recipe('fsm', [override])


def test_an_initial_depth_that_one_number_cannot_say_is_one_clear_error():
    """As in a room; a histogram begins with no depth."""
    assert load_recipe('fsm', ['network.max_depth_m=10']).network.max_depth_m == 10
    with pytest.raises(ConfigError, match='found 0.5, 12.0 and 10.*such as 2.2'):
        load_recipe('monodepth2', ['network.max_depth_m=10'])
    load_recipe('monodepth2', ['network.max_depth_m=10', 'network.initial_depth_m=2.2'])


@pytest.mark.parametrize('name', ['fms', 'nowhere.yaml', ''])
def test_an_unknown_recipe_names_those_there_are(name):
    with pytest.raises(ConfigError, match=r'Found no recipe .*fsm'):
        load_recipe(name)


def test_an_unknown_key_in_a_file_is_one_clear_error(tmp_path):
    recipe = tmp_path / 'mine.yaml'
    recipe.write_text('name: mine\nloss: {smoothnes: 0.1}\n')
    with pytest.raises(ConfigError, match='mine.yaml.*smoothnes'):
        load_recipe(str(recipe))


def test_every_setting_says_what_it_is():
    assert [knob.name for knob in knobs(TrainConfig) if not knob.doc] == []
