# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth cloud`: what is said of rig files and masks, and when."""

from pathlib import Path
from typing import Any

import pytest
from drive import Drive, make_rig, write_model

from selfdepth_ros.cli.main import main
from selfdepth_ros.core.rig import save_rig


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Drive(frames=2).write(tmp_path_factory.mktemp('bags') / 'drive')


def cloud(*arguments: Any) -> int:
    return main(['cloud', *map(str, arguments), '--quiet'])


@pytest.mark.parametrize('option', ['rig', 'mapping'])
def test_a_mistyped_file_is_refused_once_before_several_bags_are_begun(
    tmp_path: Path, bag: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model, other = write_model(tmp_path / 'model'), Drive(frames=1).write(tmp_path / 'other')
    missing = tmp_path / 'mistyped.yaml'
    assert cloud(model, bag, other, tmp_path / 'out', f'--{option}', missing) == 2
    told = capsys.readouterr().err
    assert told.count('selfdepth: ') == 1 and str(missing) in told
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('beside', [False, True])
@pytest.mark.parametrize('given', [False, True])
def test_where_nobody_knows_the_robot_s_own_body_it_is_said(
    tmp_path: Path, bag: Path, given: bool, beside: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """And where a mask comes from, which is not --rig where that has none."""
    model, file = write_model(tmp_path), tmp_path / 'given.yaml'
    there = (model if model.is_dir() else model.parent) / 'rig.yaml'
    save_rig(make_rig(), file)
    if beside:
        save_rig(make_rig(), there)
    assert cloud(model, bag, tmp_path / 'out', *(('--rig', file) if given else ())) == 0
    (note,) = [line for line in capsys.readouterr().out.splitlines() if 'note: ' in line]
    assert (f'{there} has no masks' if beside else f'no {there}') in note
    assert (f'({file} has none: ' if given else '(--rig gives them: ') in note
