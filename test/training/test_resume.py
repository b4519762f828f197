# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a resumed training keeps of its first start, and what it does not take from elsewhere."""

import pytest

from selfdepth_ros.cli.main import main
from selfdepth_ros.core.config import to_dict
from selfdepth_ros.core.rig import save_rig
from selfdepth_training.beginning import (
    GIVEN_RIG,
    TrainingError,
    asked_again,
    given_rig,
    require_as_many_processes,
    require_same_plan,
    save_rigs,
    with_absolute_paths,
)
from selfdepth_training.checkpoint import FILE_NAME, load_checkpoint, save_checkpoint
from selfdepth_training.config import load_recipe

SMALL = (
    'network.encoder=[8, 8, 16, 16, 16]', 'network.decoder=[8, 8, 8, 8]', 'data.width=64',
    'data.height=64', 'data.frames=2', 'precision=32-true',
)  # fmt: skip


@pytest.fixture
def arguments(street, tmp_path):
    """Of a training of one step, in `tmp_path`/run."""
    given = ['--out', str(tmp_path / 'run'), '--cache', str(tmp_path / 'cache'), '--steps', '1']
    return ['train', str(street.bag), *given, *(f'--set={text}' for text in SMALL)]


def test_other_weights_are_refused_and_the_same_are_no_matter(arguments, tmp_path, capsys):
    out, begun = tmp_path / 'run', tmp_path / 'begun'
    assert main(arguments) == 0
    other = ['--resume', '--init', str(tmp_path / 'others.pt')]
    assert main([*arguments, *other]) == 2
    assert 'others.pt, expected what this training began with: none' in capsys.readouterr().err

    from_first = [*arguments, '--out', str(begun), '--init', str(out)]
    assert main(from_first) == 0
    assert main([*from_first, '--resume']) == 0
    assert main([*arguments, '--out', str(begun), '--resume']) == 0
    assert main([*from_first, *other]) == 2
    assert f'began with: {out}' in capsys.readouterr().err
    assert load_checkpoint(begun)['config']['init'] == str(out)


def test_another_plan_is_refused_and_the_same_is_no_matter(arguments, tmp_path, capsys):
    assert main(arguments) == 0
    begun = (tmp_path / 'run' / FILE_NAME).read_bytes()
    short = [word for word in arguments if not word.startswith('--set')]
    for other, message in (
        (['--steps', '2'], 'Found --resume with steps=2, expected what this training began with'),
        (['--seed', '1'], 'with seed=1, expected what this training began with: seed=0'),
        (['--set', 'loss.spatial=0.2'], 'with loss.spatial=0.2, expected what this training'),
        (['--recipe', 'monodepth2'], 'name=monodepth2, network.scales=4, network.head=sigmoid'),
    ):
        assert main([*arguments, '--resume', *other]) == 2
        assert message in capsys.readouterr().err
        assert (tmp_path / 'run' / FILE_NAME).read_bytes() == begun
    assert main([*short, '--resume', '--recipe', 'fsm']) == 2
    assert 'data.width=320' in capsys.readouterr().err
    same = '--recipe', 'fsm', '--steps', '1', '--seed', '0', '--set', 'data.frames=2'
    assert main([*arguments, '--resume', *same]) == 0
    assert main([*short, '--resume']) == 0


def test_a_recipe_that_is_said_again_says_neither_steps_nor_seed_of_their_own_options():
    state = {'config': to_dict(load_recipe('lite', ['seed=3', 'steps=7', 'init=w'])), 'steps': 7}
    assert asked_again(state, 'lite', []) == load_recipe('lite', ['seed=3', 'steps=7'])
    assert asked_again(state, 'lite', ['seed=0']).seed == 0
    assert asked_again(state, None, ['loss.ssim=0.5']).loss.ssim == 0.5
    require_same_plan(asked_again(state, 'lite', []), None, state)


def test_steps_that_a_time_came_to_stand_in_no_recipe(tmp_path):
    """A recipe file of the user may name some."""
    recipe = tmp_path / 'mine.yaml'
    recipe.write_text('name: fsm\nsteps: 2000\n')
    state = {'config': to_dict(load_recipe(str(recipe), [])), 'steps': 731, 'minutes': 5.0}
    require_same_plan(asked_again(state, str(recipe), []), None, state)
    with pytest.raises(TrainingError, match='steps=9, .* began with: steps=731'):
        require_same_plan(asked_again(state, str(recipe), ['steps=9']), None, state)
    state['minutes'] = None
    with pytest.raises(TrainingError, match='steps=2000, .* began with: steps=731'):
        require_same_plan(asked_again(state, str(recipe), []), None, state)


def test_minutes_replace_the_steps_of_the_recipe():
    """The checkpoint has those that fitted, its settings those of the recipe."""
    config = load_recipe('fsm', [])
    state = {'config': to_dict(config), 'steps': 731, 'minutes': 5.0}
    require_same_plan(config, 5.0, state)
    require_same_plan(asked_again(state, None, []), None, state)
    del state['minutes']  # of before
    require_same_plan(config, 6.0, state)
    state['minutes'] = 5.0
    with pytest.raises(TrainingError, match='minutes=6.0, .* began with: minutes=5.0'):
        require_same_plan(config, 6.0, state)
    with pytest.raises(TrainingError, match='steps=4000, .* began with: steps=731'):
        require_same_plan(config, None, state)


def test_a_head_that_the_training_chose_itself_is_no_other_plan():
    asked = load_recipe('fsm', ['data.without_odometry=learned'])
    taken = load_recipe('fsm', ['data.without_odometry=learned', 'network.head=sigmoid'])
    require_same_plan(asked, None, {'config': to_dict(taken), 'steps': asked.steps})
    with pytest.raises(TrainingError, match='network.head=sigmoid, .* network.head=histogram'):
        require_same_plan(taken, None, {'config': to_dict(asked), 'steps': asked.steps})


def test_another_number_of_processes_is_refused(arguments, tmp_path, capsys):
    """Its steps would have another number of images, and go on elsewhere in the epoch."""
    assert main(arguments) == 0
    path = tmp_path / 'run' / FILE_NAME
    state = load_checkpoint(path)
    assert state['processes'] == 1
    save_checkpoint(path, {**state, 'processes': 4})
    assert main([*arguments, '--resume']) == 2
    told = capsys.readouterr().err
    assert 'Found --resume with 1 process, expected as many as this training began with: 4' in told
    assert 'torchrun, with 4 in all' in told
    del state['processes']  # of before
    save_checkpoint(path, state)
    assert main([*arguments, '--resume']) == 0
    with pytest.raises(TrainingError, match='with 2 processes, .* without torchrun'):
        require_as_many_processes(2, {'processes': 1})


def test_a_relative_path_means_the_same_recording_in_every_folder(
    record, tmp_path, monkeypatch, capsys
):
    """And the same weights; a checkpoint of before is resumed in the folder it was begun in."""
    first, second = tmp_path / 'first', tmp_path / 'second'
    for folder in (first, second):
        folder.mkdir()
        record(f'{folder.name}/drive', frames=6)
    settings = [f'--set={text}' for text in SMALL]
    options = ['--cache', str(tmp_path / 'cache'), '--steps', '1', *settings]
    monkeypatch.chdir(first)
    assert main(['train', 'drive', '--out', 'weights', *options]) == 0
    begun = ['train', 'drive', '--out', str(tmp_path / 'run'), *options]
    assert main([*begun, '--init', 'weights']) == 0
    monkeypatch.chdir(second)
    assert main([*begun, '--resume']) == 2
    assert f'began with: {first / "drive"}' in capsys.readouterr().err
    elsewhere = [str(first / 'drive') if word == 'drive' else word for word in begun]
    assert main([*elsewhere, '--resume', '--init', '../first/weights']) == 0
    assert main([*elsewhere, '--resume', '--init', 'weights']) == 2

    state = load_checkpoint(tmp_path / 'run')
    assert state['bags'] == ['drive']
    del state['paths']
    state['config']['init'] = 'weights'
    save_checkpoint(tmp_path / 'run' / FILE_NAME, state)
    monkeypatch.chdir(first)
    assert main([*begun, '--resume']) == 0


def test_a_teacher_is_found_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_recipe('supervised', ['data.labels=onnx', 'data.label_model=models/teacher'])
    assert with_absolute_paths(config).data.label_model == str(tmp_path / 'models' / 'teacher')
    assert with_absolute_paths(load_recipe('fsm', [])) == load_recipe('fsm', [])


def test_the_rig_of_a_training_that_had_no_checkpoint_does_not_come_back(
    street, arguments, tmp_path, monkeypatch
):
    def killed(*_):
        raise KeyboardInterrupt

    save_rig(street.rig, tmp_path / 'rig.yaml')
    kept = tmp_path / 'run' / GIVEN_RIG
    with monkeypatch.context() as patch:
        patch.setattr('selfdepth_training.train._run', killed)
        assert main([*arguments, '--rig', str(tmp_path / 'rig.yaml')]) > 2
    assert kept.exists()
    assert main(arguments) == 0
    assert not kept.exists()


def test_other_masks_are_another_rig(street, tmp_path):
    run, file = tmp_path / 'run', tmp_path / 'rig.yaml'
    save_rigs(run, [street.rig], street.rig, fresh=True)
    save_rig(street.rig, file)
    assert given_rig(run, file, resume=True).names == street.rig.names
    save_rig(street.cache.rig, file)
    with pytest.raises(TrainingError, match='with another rig'):
        given_rig(run, file, resume=True)


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        (['--minutes', 'nan'], 'found nan, expected a number above 0'),
        (['--minutes', '-1'], 'found -1.0, expected a number above 0'),
        (['--minutes', '5', '--steps', '9'], 'Found both --minutes and --steps'),
        (['--out', 'FILE'], '(File exists), expected a folder for the training'),
    ],
)
def test_what_no_training_can_begin_with_is_told_before_a_bag_is_read(
    tmp_path, capsys, given, message
):
    file = tmp_path / 'file'
    file.touch()
    given = [str(file) if word == 'FILE' else word for word in given]
    assert main(['train', 'no bag', '--out', str(tmp_path / 'run'), *given]) == 2
    assert message in capsys.readouterr().err
