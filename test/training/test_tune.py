# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recipes are tried on a bag, the better one is kept, and a search goes on where it stopped."""

import fcntl
import json
import math
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from selfdepth_ros.cli.main import main
from selfdepth_training.checkpoint import load_checkpoint, save_checkpoint
from selfdepth_training.config import load_recipe
from selfdepth_training.data.folder import appearing
from selfdepth_training.data.lidar import LidarDepth
from selfdepth_training.data.samples import SampleSource, SureDepth
from selfdepth_training.judge import Judge, Verdict
from selfdepth_training.train import train
from selfdepth_training.tune import Candidate, _keep, rounds_of

SMALL = (
    'network.encoder=[16,16,16,32,32]', 'network.decoder=[16,16,16,16]', 'data.width=96',
    'data.height=64', 'data.frames=4', 'precision=32-true',
)  # fmt: skip
# Steps of a millionth do not learn, and Muon takes none.
STILL = 'fsm,optimizer.head_rate=1e-6,optimizer.learning_rate=1e-6,optimizer.muon_rate=0.0'
CANDIDATES = STILL, 'fsm'
STEPS = 24


def search(bag, out, *more):
    arguments = ['tune', str(bag), '--out', str(out), '--steps', str(STEPS), *more]
    for text in CANDIDATES:
        arguments += ['--try', text]
    for setting in SMALL:
        arguments += ['--set', setting]
    return main(arguments)


def test_each_round_halves_until_two_are_left():
    assert rounds_of(2) == [2]
    assert rounds_of(4) == [4, 2]
    assert rounds_of(7) == [7, 4, 2]


def test_commas_within_brackets_part_no_settings():
    text = 'fsm,loss.coarse_until=[0.02,0.08,0.88],loss.spatial=0.2'
    config = Candidate(text).config(())
    assert config.loss.coarse_until == (0.02, 0.08, 0.88)
    assert config.loss.spatial == 0.2


def test_held_out_frames_are_the_last_and_are_not_learned_from(street):
    config = load_recipe('fsm', ['data.held_out=0.25']).data
    whole = SampleSource([street.cache], replace(config, held_out=0.0))
    source = SampleSource([street.cache], config)
    first = round(0.75 * len(street.cache))
    assert source.held_out == [(0, now) for _, now in whole.entries if now >= first]
    learned = {frame for step in range(99) for frame in source.draw(0, step).frames}
    assert max(learned) == first - 1
    assert not whole.held_out


def test_no_setting_moves_what_is_held_out(street):
    """The last of one setting's usable frames are not the last of another's."""
    far, near = (
        SampleSource([street.cache], load_recipe('fsm', ['data.held_out=0.3', *settings]).data)
        for settings in (
            ['data.max_offset=8', 'data.min_motion_m=1.6', 'data.max_motion_m=4'],
            ['data.max_offset=1'],
        )
    )
    judged = {now for _, now in near.held_out} | {now for _, now in far.held_out}
    for source in (far, near):
        shown = {frame for step in range(99) for frame in source.draw(0, step).frames}
        assert not shown & judged
    assert len(near.held_out) > len(far.held_out) > 0


@pytest.mark.parametrize('how', ['--set', '--try'])
def test_a_candidate_cannot_learn_from_what_is_judged(tmp_path, capsys, how):
    more = [how, 'data.held_out=0' if how == '--set' else 'fsm,data.held_out=0']
    assert search(tmp_path / 'bag', tmp_path / 'out', *more) == 2
    assert 'Leave data.held_out out' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_the_true_depth_is_judged_better_than_a_wrong_one(street):
    """By the images and by the LiDAR; both see a tenth."""
    config = load_recipe('fsm', ['data.width=160', 'data.height=96', 'data.held_out=0.2'])
    judge = Judge([street.cache], [street.rig], config)
    shown = iter([now for _, now in judge._source.held_out] * 2)

    def said(factor):
        return lambda frame: list(factor * street.depth(next(shown)).numpy())

    right, wrong = (judge.verdict([said(factor)]) for factor in (1.0, 1.1))
    assert right.photometric < 0.9 * wrong.photometric
    assert right.abs_rel < wrong.abs_rel - 0.03
    assert right.error == right.abs_rel


def test_lidar_that_tells_nothing_of_the_judged_frames_does_not_count(street, monkeypatch):
    """A LiDAR that was switched off for the last fifth of the drive."""
    real = LidarDepth.of

    def until(last):
        def of(self, frame):
            depth, sure = real(self, frame)
            return SureDepth(depth, sure & (frame <= last))

        return of

    config = load_recipe('fsm', ['data.width=160', 'data.height=96', 'data.held_out=0.2'])
    judge = Judge([street.cache], [street.rig], config)
    held_out = [now for _, now in judge._source.held_out]

    def verdict(factor):
        shown = iter(held_out)
        return judge.verdict([lambda _: list(factor * street.depth(next(shown)).numpy())])

    monkeypatch.setattr(LidarDepth, 'of', until(held_out[0] - 1))
    assert verdict(1.0).abs_rel is None
    assert verdict(1.0).error == verdict(1.0).photometric < verdict(1.2).error < math.inf
    monkeypatch.setattr(LidarDepth, 'of', until(held_out[0]))
    assert verdict(1.0).abs_rel == verdict(1.0).error < 0.1


def test_the_robots_own_body_does_not_count(street, monkeypatch):
    """A LiDAR sees the bonnet too, as one of ours; what is said of it is no matter."""
    real = LidarDepth.of

    def with_body(self, frame):
        depth, sure = real(self, frame)
        return SureDepth(torch.where(body, 0.5, depth), sure | body)

    config = load_recipe('fsm', ['data.width=160', 'data.height=96', 'data.held_out=0.2'])
    judge = Judge([street.cache], [street.rig], config)
    body = ~judge._tables[0].geometry.visible
    assert 0.01 < body.float().mean() < 0.5
    held_out = [now for _, now in judge._source.held_out]

    def error():
        shown = iter(held_out)
        # True depths, but for the body (0.5 m in `depth`), which is said to be far.
        said = (street.depth(now) for now in shown)
        far = (torch.where(depth == 0.5, 50.0, depth) for depth in said)
        return judge.verdict([lambda _: list(next(far).numpy())]).abs_rel

    before = error()
    monkeypatch.setattr(LidarDepth, 'of', with_body)
    assert error() == before < 0.1


def test_a_lidar_without_a_transform_leaves_the_judging_to_the_images(
    street, record, tmp_path, caplog
):
    cache = replace(street.cache, source=record(unplaced_lidar=True), folder=tmp_path)
    config = load_recipe('fsm', ['data.width=160', 'data.height=96', 'data.held_out=0.2'])
    judge = Judge([cache], [street.rig], config)
    assert 'Judged by the images alone' in caplog.text
    assert 'record /tf_static' in caplog.text
    shown = iter([now for _, now in judge._source.held_out])
    verdict = judge.verdict([lambda _: list(street.depth(next(shown)).numpy())])
    assert verdict.abs_rel is None and verdict.error == verdict.photometric < math.inf


@pytest.mark.parametrize('abs_rel', [None, math.nan])
def test_what_is_no_number_is_worst(abs_rel):
    assert Verdict(math.nan, abs_rel).error == math.inf
    assert Verdict(1.0, abs_rel).error == (1.0 if abs_rel is None else math.inf)


def test_the_better_recipe_is_kept_and_an_interrupted_search_goes_on(
    street, record, tmp_path, capsys
):
    bag, out = record(frames=24), tmp_path / 'search'
    assert search(bag, out) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows[1:3]] == list(CANDIDATES[::-1])
    state = load_checkpoint(out / 'best')
    assert state['step'] == STEPS
    assert state['config']['optimizer']['head_rate'] == pytest.approx(0.01)
    assert (out / 'best' / 'rig.yaml').exists()
    assert main(['export', str(out / 'best'), str(tmp_path / 'model')]) == 0

    first, second = (out / 'round_1' / f'{index}_fsm' for index in (0, 1))
    shutil.rmtree(out / 'best')
    shutil.rmtree(second)
    kept = (first / 'checkpoint.pt').stat().st_mtime_ns
    assert search(bag, out) == 0
    assert (first / 'checkpoint.pt').stat().st_mtime_ns == kept
    again = load_checkpoint(out / 'best')['learner']
    assert all(np.array_equal(v, again[k]) for k, v in state['learner'].items())
    scores = [json.loads((folder / 'score.json').read_text()) for folder in (first, second)]
    assert scores[1]['photometric'] < scores[0]['photometric']


def test_the_copy_of_another_search_is_waited_for(tmp_path, monkeypatch):
    """Two with one --out: the second to end would remove what the first one is copying."""
    training, best, locked = tmp_path / 'round_1', tmp_path / 'best', []
    training.mkdir()
    (training / 'score.json').write_text('{}')

    def watched(folder):
        with (tmp_path / '.best.lock').open('w') as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        locked.append(folder)
        return appearing(folder)

    monkeypatch.setattr('selfdepth_training.tune.appearing', watched)
    _keep(training, best)
    assert locked == [best]
    assert (best / 'score.json').read_text() == '{}'


def test_an_interrupted_search_shares_out_the_time_that_is_left(
    record, tmp_path, capsys, monkeypatch
):
    """By a clock of its own: each training takes what it is given, and the second one is killed
    after eight of its fifteen minutes."""
    clock, given = [0.0], list[float | None]()

    def timed(bags, folder, config, minutes, *more):
        given.append(minutes)
        train(bags, folder, replace(config, steps=1), None, *more)
        if len(given) == 2:
            state = load_checkpoint(folder)
            save_checkpoint(folder / 'checkpoint.pt', state | {'seconds': 8 * 60.0})
            raise KeyboardInterrupt
        clock[0] += 60 * (7 if minutes is None else minutes)

    monkeypatch.setattr('selfdepth_training.tune.train', timed)
    monkeypatch.setattr(
        'selfdepth_training.tune.time', SimpleNamespace(monotonic=lambda: clock[0])
    )
    arguments = ['tune', str(record(frames=24)), '--minutes=100', f'--out={tmp_path / "search"}']
    arguments += [f'--set={text}' for text in SMALL]
    arguments += [f'--try={text}' for text in (*CANDIDATES, 'fsm,optimizer.clip=1.0')]
    assert main(arguments) > 2
    assert given == pytest.approx([15, 15])
    given, clock = [None] * 2, [1e6]
    assert main(arguments) == 0
    assert given[2] is None
    assert given[3:] == pytest.approx([15, 22.5, 22.5])


def test_what_has_no_metres_is_refused_before_it_is_trained(record, tmp_path, capsys, caplog):
    out, settings = tmp_path / 'search', [f'--set={text}' for text in SMALL]
    arguments = ['tune', str(record(frames=10, odometry=False)), '--steps=1', *settings]
    assert main([*arguments, f'--out={out}', '--try=lite', '--try=fsm']) == 0
    assert [folder.name for folder in (out / 'round_1').iterdir()] == ['1_fsm']
    assert 'lite is not tried: Found nothing that would teach it metres' in caplog.text
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows[1:3]] == ['fsm', 'lite']
    assert rows[2][3] == 'failed'
    nothing = [f'--out={tmp_path / "nothing"}', '--try=lite', '--try=sfm']
    assert main([*arguments, *nothing]) == 2
    assert 'no recipe that could be judged' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('first', 'shared', 'measured'),
    [('', '', True), ('', 'data.body_masks=false', False), (',data.body_masks=false', '', True)],
)
def test_masks_are_measured_where_a_training_would(
    record, tmp_path, caplog, first, shared, measured
):
    """Of 16 frames none can be, which is told. Recipes without metres: nothing is trained."""
    bag, settings = record(frames=16, odometry=False), [f'--set={text}' for text in SMALL]
    settings += [f'--set={shared}'] if shared else []
    tried = [f'--try=lite{first}', '--try=sfm']
    assert main(['tune', str(bag), f'--out={tmp_path}', '--steps=1', *settings, *tried]) == 2
    assert ('to measure a self-occlusion mask' in caplog.text) == measured


def test_a_model_of_the_same_relative_name_is_another_search(
    record, tmp_path, capsys, monkeypatch
):
    named = ['--set=data.labels=onnx', '--set=data.label_model=teacher']
    tried = [*named, '--try=supervised', '--try=supervised,data.jitter=0.1']
    settings = [f'--set={text}' for text in SMALL]
    arguments = ['tune', str(record(frames=16)), f'--out={tmp_path / "out"}', '--steps=1']
    for name in ('one', 'one', 'other'):
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / name)
        assert main([*arguments, *settings, *tried]) == 2
        error = capsys.readouterr().err
        assert ('another search' in error) == (name == 'other')
        assert (str(tmp_path / 'one' / 'teacher') in error) == (name == 'one')


def test_candidates_that_differ_in_vain_are_refused(record, tmp_path, capsys):
    arguments = ['tune', str(record(frames=16)), '--steps=1', f'--out={tmp_path / "search"}']
    arguments += [f'--set={text}' for text in SMALL]
    assert main([*arguments, '--try=lite', '--try=fsm', '--try=fsm,loss.spatial=0.2']) == 2
    error = capsys.readouterr().err
    assert 'Found fsm and fsm,loss.spatial=0.2, which would train the same network' in error
    assert 'loss.spatial has no part (every step is on hints alone' in error
    assert not (tmp_path / 'search' / 'tune.json').exists()


def test_another_search_in_the_same_folder_is_refused(tmp_path, capsys):
    (tmp_path / 'tune.json').write_text('{}')
    assert search(tmp_path / 'bag', tmp_path) == 2
    assert 'Choose another --out' in capsys.readouterr().err


def test_a_mistyped_bag_is_no_search(tmp_path, capsys):
    for name in ('mistyped', 'also_mistyped'):
        assert search(tmp_path / name, tmp_path / 'out') == 2
        error = capsys.readouterr().err
        assert name in error and 'another search' not in error
    assert not (tmp_path / 'out' / 'tune.json').exists()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--steps', '8', '--minutes', '1'], 'expected one of them'),
        ([], 'expected one of them'),
        (['--steps', '0'], 'above 0'),
        (['--minutes', '0'], 'above 0'),
        (['--minutes', 'nan'], 'above 0'),
    ],
)
def test_wrong_options_are_told(tmp_path, capsys, options, message):
    assert main(['tune', str(tmp_path), '--out', str(tmp_path / 'out'), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
