# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Settings without a part in a training leave the network as it is, bit for bit, and are told."""

from dataclasses import replace

import pytest
import torch

from selfdepth_ros.cli.main import main
from selfdepth_ros.core.config import flat
from selfdepth_training.checkpoint import load_checkpoint
from selfdepth_training.config import RECIPES, TrainConfig, load_recipe
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.effect import (
    alike,
    alone_until,
    with_teachable_head,
    without_part,
)
from selfdepth_training.feed import hints_alone_until

SMALL = (
    'network.encoder=[8, 8, 16, 16, 16]', 'network.decoder=[8, 8, 8, 8]', 'data.width=64',
    'data.height=64', 'data.frames=2', 'precision=32-true',
)  # fmt: skip
OTHERWISE = {
    'loss.smoothness': 0.5, 'loss.temporal': 0.3, 'loss.spatial': 5.0, 'loss.spatial_times': 'now',
    'loss.spatial_from': 0.9, 'loss.sources': 'mean', 'loss.pyramid': 'own',
    'loss.automask': 'votes', 'loss.automask_from': 0.2, 'loss.rigidity': 3.0,
    'loss.coarse_until': [0.5, 0.6, 0.7], 'loss.motion_from': 0.9, 'loss.agreement': 2.0,
    'loss.velocity': 3.0, 'loss.velocity_from': 0.0, 'loss.images_from': 0.0,
    'loss.hint_error': 'berhu', 'loss.hint_outlines': 1.0, 'loss.hint_where': 'better',
    'loss.hint_fades': False, 'loss.hint_until': 0.4, 'loss.features': 'encoder',
    'loss.feature_channels': 8, 'loss.discriminative': 0.2, 'loss.convergent': 0.2,
    'network.scales': 3,
    'network.refinements': 2, 'network.pose_width': 8, 'network.intervals': 16,
    'network.initial_depth_m': 5.0, 'network.confidence': True, 'network.layers': 34,
    'network.pack_blocks': [1, 1, 1, 1], 'network.pack_features': 2, 'data.flip_fusion': True,
    'data.labels': 'sgm', 'data.label_topic': '/other', 'data.matching': 'random',
    'data.left_right_px': 1.0, 'data.witnesses': 2, 'data.without_odometry': 'learned',
    'data.align_intensity': True, 'data.sky': False,
}  # fmt: skip
"""Another value of every setting that may have no part."""


def learned(bag, out, recipe, settings):
    given = (*SMALL, 'optimizer.warmup=0', *settings)
    arguments = ['train', str(bag), '--recipe', recipe, '--steps', '3', '--out', str(out)]
    cache = ['--cache', str(out.parent / 'cache')]
    assert main([*arguments, *cache, *(f'--set={each}' for each in given)]) == 0
    return load_checkpoint(out)


@pytest.mark.parametrize('recipe', ['fsm', 'lite'])
def test_what_has_no_part_changes_no_bit_of_the_network(street, tmp_path, one_thread, recipe):
    """On hints alone; and on images with a known motion and no hints."""
    idle = without_part(load_recipe(recipe, SMALL), [True])
    others = [f'{name}={OTHERWISE[name]}' for name in idle if name != 'data.label_model']
    assert len(others) > 20
    plain, other = (
        learned(street.bag, tmp_path / name, recipe, more)['learner']
        for name, more in (('plain', []), ('other', others))
    )
    kept = {name for name in plain if name.startswith('depth.') and '.coarser' not in name}
    assert all(torch.equal(plain[name], other[name]) for name in kept)


def test_vain_settings_are_told_and_images_alone_teach_one_number(street, tmp_path, caplog):
    """Of images alone: a histogram would be exported with a confidence that nothing taught."""
    caplog.set_level('INFO')
    settings = ['loss.hint=0', 'loss.spatial=0.2', 'data.witnesses=2', 'loss.hint_until=1']
    state = learned(street.bag, tmp_path / 'run', 'fsm', settings)
    told = [each.getMessage() for each in caplog.records if 'has no part' in each.getMessage()]
    assert told == ['data.witnesses=2 has no part in this training: loss.hint is 0']
    assert state['config']['network']['head'] == 'sigmoid'
    assert 'sigmoid instead of histogram, and there is no confidence' in caplog.text


def test_what_counts_depends_on_the_other_settings_and_on_the_odometry():
    def idle(*settings, odometry=(True,)):
        return without_part(load_recipe('fsm', settings), odometry)

    assert {'loss.spatial', 'loss.smoothness', 'network.scales'} <= idle().keys()
    assert 'loss.spatial' not in idle('loss.images_from=0.5')
    assert 'loss.spatial' not in idle('data.with_odometry=learned')
    assert 'data.without_odometry' in idle()
    one_without = 'data.without_odometry=learned'
    assert 'loss.spatial' in idle(one_without)
    assert 'loss.spatial' not in idle(one_without, odometry=(True, False))
    assert 'loss.velocity' in idle(one_without, odometry=(True, False))
    assert 'loss.velocity' not in idle('data.with_odometry=learned')
    assert 'loss.velocity' in idle('data.with_odometry=learned', odometry=(False,))


def test_a_recipe_that_is_built_in_changes_nothing_in_vain_where_odometry_is_as_it_expects():
    """Every setting of a recipe's file counts on some recording, or is as it is by itself."""
    usual = flat(TrainConfig())
    for path in RECIPES.glob('*.yaml'):
        config = load_recipe(path.stem)
        idle = set.intersection(*(set(without_part(config, [own])) for own in (True, False)))
        vain = {name for name in idle if flat(config)[name] != usual[name]}
        # Without images there is nothing to weigh; a reader is to see it.
        assert vain <= {'loss.temporal', 'loss.spatial', 'loss.spatial_times'}, path


def test_recipes_are_alike_that_differ_in_vain_only():
    fsm = load_recipe('fsm')
    vain = alike(fsm, load_recipe('fsm', ['loss.spatial=0.2']), [True])
    assert vain == 'loss.spatial has no part (every step is on hints alone, see loss.images_from)'
    assert alike(fsm, replace(fsm, name='mine', steps=7), [True]) == 'their settings are the same'
    assert alike(fsm, load_recipe('fsm', ['data.witnesses=2']), [True]) is None
    with_images = [load_recipe('fsm', ['loss.images_from=0.5', f'loss.spatial={w}']) for w in '12']
    assert alike(*with_images, [True]) is None
    heads = [load_recipe('fsm', ['loss.hint=0', f'network.head={h}'])
             for h in ('histogram', 'sigmoid')]  # fmt: skip
    assert alike(*heads, [True]) == 'network.head has no part (images teach one number)'


@pytest.mark.parametrize('odometry', [True, False])
@pytest.mark.parametrize('path', sorted(RECIPES.glob('*.yaml')), ids=lambda p: p.stem)
def test_the_motion_and_the_steps_on_hints_are_as_they_are_fed(street, path, odometry):
    """Where motion is not estimated before the training."""
    config = load_recipe(path.stem)
    learn = config.data.learns_motion([odometry])
    if odometry or config.data.without_odometry == 'learned':
        cache = street.cache if odometry else replace(street.cache, world_from_body=None)
        source = SampleSource([cache], config.data)
        assert source.learn_motion == learn
        assert hints_alone_until(source, config) == alone_until(config.loss, learn)
    head = with_teachable_head(config, learn).network.head
    assert (head == 'histogram') == (path.stem == 'fsm')
