# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How many steps are promised for a time, with the hints that they need."""

from types import SimpleNamespace

import pytest
from lightning_fabric import Fabric

from selfdepth_ros.cli.main import main
from selfdepth_training import pace
from selfdepth_training.beginning import TrainingError
from selfdepth_training.config import load_recipe
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.judge import Judge
from selfdepth_training.pace import stages, steps_and_hints_within

STEP_S, HINT_S = 0.2, 0.5


@pytest.mark.parametrize('seconds', [3.0, 8.0, 100.0])
@pytest.mark.parametrize('alone', [0.0, 0.75, 1.0])
def test_the_time_holds_the_steps_and_the_hints_they_ask_for(street, seconds, alone):
    config = load_recipe('fsm', ['data.width=160', 'data.height=96', f'loss.images_from={alone}'])
    source = SampleSource([street.cache], config.data)
    steps = steps_and_hints_within(seconds, STEP_S, HINT_S, source, config)
    turn = round(alone * steps)
    asked = {(v.source, v.frame) for step in range(turn) for v in source.draw_views(0, step, 1)}
    samples = (source.draw(0, step) for step in range(turn, steps))
    asked |= {(sample.source, sample.frames[1]) for sample in samples}
    spent = steps * STEP_S + len(asked) * HINT_S
    assert 0.75 * seconds < spent < 1.1 * seconds


def test_stages_follow_one_another_from_hints_to_full_size():
    config = load_recipe('fsm', ['loss.images_from=0.5'])
    found = stages(config, config.loss.images_from)
    assert found[0][0] == 0 and found[-1][1] == 1
    assert all(end == begin for (_, end), (begin, _) in zip(found, found[1:], strict=False))
    assert config.loss.images_from in {end for _, end in found}


@pytest.mark.parametrize(
    ('first_s', 'settled_s', 'within_s', 'taken'),
    [(0.6, 0.45, 8.0, 18), (5.0, 5.0, 8.0, 6), (0.6, 0.6, 0.5, 5)],
)
def test_a_step_is_timed_until_the_machine_has_settled(
    monkeypatch, first_s, settled_s, within_s, taken
):
    """Eight slow ones at the beginning are no measure; of steps that take long, and where there
    is little time, a few must do."""
    clock, steps = [0.0], []

    def one_step():
        steps.append(9.0 if not steps else first_s if len(steps) < 8 else settled_s)
        clock[0] += steps[-1]

    monkeypatch.setattr(pace, 'time', SimpleNamespace(monotonic=lambda: clock[0]))
    fabric = Fabric(accelerator='cpu', devices=1)
    assert pace._settled_seconds(fabric, one_step, within_s) == pytest.approx(settled_s)
    assert len(steps) == taken


def test_what_comes_before_the_trainings_of_a_search_is_part_of_its_time(
    record, tmp_path, monkeypatch
):
    """Ten of a hundred minutes, by a clock of its own; ten are for judging."""
    clock, given = [0.0], list[float]()

    def slow(*arguments):
        clock[0] += 10 * 60
        return Judge(*arguments)

    def timed(bags, folder, config, minutes, *more):
        given.append(minutes)
        raise TrainingError('not today')

    monkeypatch.setattr('selfdepth_training.tune.Judge', slow)
    monkeypatch.setattr('selfdepth_training.tune.train', timed)
    monkeypatch.setattr(
        'selfdepth_training.tune.time', SimpleNamespace(monotonic=lambda: clock[0])
    )
    arguments = ['tune', str(record(frames=24)), '--minutes=100', f'--out={tmp_path / "search"}']
    arguments += ['--set=data.width=96', '--set=data.height=64']
    assert main([*arguments, '--try=fsm', '--try=fsm,optimizer.clip=1.0']) == 2
    assert given == pytest.approx([40, 80])
