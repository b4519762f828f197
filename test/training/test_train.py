# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Real, tiny trainings: what they write, what they refuse, and that a kill changes nothing."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.main import main
from selfdepth_ros.core.errors import CalibrationError, SelfdepthError
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.core.rig import load_rig
from selfdepth_training.beginning import TrainingError
from selfdepth_training.checkpoint import load_checkpoint, save_checkpoint
from selfdepth_training.config import TrainConfig, load_recipe
from selfdepth_training.data.samples import DataError
from selfdepth_training.evaluate import EvaluationConfig, evaluate
from selfdepth_training.loaded import load_model
from selfdepth_training.metrics import DepthMetrics
from selfdepth_training.networks import DepthNetwork
from selfdepth_training.step import take_step
from selfdepth_training.train import train

TINY = (
    'network.encoder=[8, 8, 16, 32, 64]',
    'network.decoder=[8, 8, 8, 8]',
    'network.pose_width=8',
)
# Few frames, since each costs a sweep.
SMALL = (*TINY, 'data.width=96', 'data.height=64', 'data.frames=4', 'loss.images_from=0.5')
STEPS = 12


def tiny(*settings: str) -> TrainConfig:
    return load_recipe('fsm', [*SMALL, 'precision=32-true', *settings])


pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def cache_root(tmp_path_factory) -> Path:
    """Frame caches of all trainings here: each is built once."""
    return tmp_path_factory.mktemp('caches')


@pytest.fixture(scope='module')
def command(street, cache_root):
    """Arguments of `selfdepth` for one and the same training, into any folder."""

    def arguments(out: Path, *more: str) -> list[str]:
        settings = [f'--set={text}' for text in (*SMALL, 'precision=32-true')]
        given = ['--out', str(out), '--cache', str(cache_root), '--steps', str(STEPS)]
        return ['train', str(street.bag), *given, *settings, *more]

    return arguments


@pytest.fixture(scope='module')
def trained(command, tmp_path_factory) -> Path:
    """A training that nothing interrupted."""
    out = tmp_path_factory.mktemp('trained') / 'run'
    assert main(command(out)) == 0
    return out


def test_a_training_writes_checkpoint_events_and_rig(trained, street):
    assert {f.name.split('.')[0] for f in trained.iterdir()} == {'checkpoint', 'events', 'rig'}
    (events,) = trained.glob('events.out.tfevents*')
    assert b'loss/hint' in events.read_bytes()
    rig = load_rig(trained / 'rig.yaml')
    assert rig.names == street.cache.rig.names
    assert all(entry.self_occlusion.any() for entry in rig.cameras[1:])
    state = load_checkpoint(trained)
    assert (state['step'], state['steps']) == (STEPS, STEPS)
    assert state['bags'] == [str(street.bag)]
    assert state['cameras'] == list(rig.names)
    assert state['depth_kind'] == 'z_depth'
    assert not load_checkpoint(trained)['learner'].keys() & {'ego_motion.head.weight'}


def wait_for_checkpoint(process: subprocess.Popen, out: Path) -> None:
    """Return as soon as the process has written one; fail when it ends without."""
    while not (out / 'checkpoint.pt').exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_and_resumed_is_bit_for_bit_the_uninterrupted_training(command, trained, tmp_path):
    out = tmp_path / 'run'
    arguments = command(out, '--set=checkpoint_seconds=0')
    process = subprocess.Popen(
        [sys.executable, '-m', 'selfdepth_ros.cli', *arguments], stderr=subprocess.PIPE, text=True,
        env=os.environ | {'OMP_NUM_THREADS': '1', 'TORCH_COMPILE_DISABLE': '1'},
    )  # fmt: skip
    wait_for_checkpoint(process, out)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert 0 < load_checkpoint(out)['step'] < STEPS

    assert main(command(out, '--resume')) == 0
    resumed, whole = load_checkpoint(out), load_checkpoint(trained)
    assert resumed['step'] == STEPS
    assert different(resumed['learner'], whole['learner']) == []
    for mine, theirs in zip(
        (state for each in resumed['optimizers'] for state in each['state'].values()),
        (state for each in whole['optimizers'] for state in each['state'].values()),
        strict=True,
    ):
        assert different(mine, theirs) == []


def different(a: dict, b: dict) -> list[str]:
    """Names of the tensors that are not the same bits."""
    assert a.keys() == b.keys()
    return [name for name in a if not torch.equal(a[name], b[name])]


def test_a_training_is_not_resumed_with_other_recordings(
    command, trained, street, record, tmp_path
):
    out = tmp_path / 'run'
    shutil.copytree(trained, out)
    arguments = command(out, '--resume')
    arguments[arguments.index(str(street.bag))] = str(record())
    assert main(arguments) == 2


def test_another_seed_is_another_training(street, cache_root, tmp_path, monkeypatch):
    """It begins with other weights, and sees other images."""
    seen = []

    def noted(fabric, learner, optimizers, config, batch, *when):
        weights = {name: v.clone() for name, v in learner.module.state_dict().items()}
        seen.append((weights, batch.describe()))
        return take_step(fabric, learner, optimizers, config, batch, *when)

    monkeypatch.setattr('selfdepth_training.train.take_step', noted)
    for out, seed in (('first', 0), ('second', 1), ('again', 0)):
        config = tiny('steps=1', f'seed={seed}')
        train([street.bag], tmp_path / out, config, cache_root=cache_root)
    (weights, images), (others, other_images), (same, same_images) = seen
    assert different(weights, same) == [] and images == same_images
    assert 'depth.encoder.stem.0.weight' in different(weights, others)
    assert images != other_images


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_learning_lowers_the_error_against_the_truth_it_is_never_shown(
    street, cache_root, tmp_path
):
    """Metric, without median scaling. Measured: abs_rel .91 and delta1 .14 before, .58 and .36
    after 100 steps; here it has 130."""
    reader = BagReader(street.bag)

    def scores(name: str, *settings: str) -> DepthMetrics:
        config = load_recipe('fsm', [*TINY, 'data.width=160', 'data.height=96', *settings])
        train([street.bag], tmp_path / name, config, cache_root=cache_root)
        predict = load_model(tmp_path / name).predictor(street.rig, flip=False)
        return evaluate(predict, reader, street.rig, EvaluationConfig(every=8)).mean.metric

    fast = ('optimizer.learning_rate=1e-2', 'optimizer.warmup=0.1', 'data.jitter=0.0')
    half = ('loss.spatial=0.0', 'loss.hint=3.0', 'loss.coarse_until=[0.0, 0.0, 1.0]')
    before = scores('before', 'steps=1', 'optimizer.learning_rate=1e-6', 'data.frames=2')
    after = scores('after', 'steps=130', *fast, *half)
    assert after.abs_rel < 0.75 * before.abs_rel
    assert after.delta1 > 1.5 * before.delta1


def test_a_training_is_not_written_over_another(command, trained, street, cache_root, capsys):
    before = (trained / 'checkpoint.pt').read_bytes()
    with pytest.raises(TrainingError, match='Add --resume'):
        train([street.bag], trained, tiny(), cache_root=cache_root)
    assert main(command(trained)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('selfdepth: error: Found a training in')
    assert (trained / 'checkpoint.pt').read_bytes() == before


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_of_a_cpu_are_one_training(command, tmp_path):
    """They would else both write the checkpoint, each of its own; see test_parallel.py."""
    out = tmp_path / 'run'
    launcher = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
    subprocess.run(
        [sys.executable, *launcher, '-m', 'selfdepth_ros.cli', *command(out, '--steps=3')],
        check=True, env=os.environ | {'OMP_NUM_THREADS': '1', 'TORCH_COMPILE_DISABLE': '1'},
        capture_output=True, timeout=800,
    )  # fmt: skip
    assert len(list(out.glob('events.out.tfevents*'))) == 1
    state = load_checkpoint(out)
    assert (state['step'], state['steps']) == (3, 3)


def test_a_loss_that_is_nan_stops_the_training_and_keeps_the_checkpoint(
    street, cache_root, tmp_path, monkeypatch
):
    real, calls = DepthNetwork.hint_error, []

    def breaks_at_the_third(self, *inputs):
        calls.append(inputs)
        return real(self, *inputs) * (float('nan') if len(calls) == 3 else 1)

    monkeypatch.setattr(DepthNetwork, 'hint_error', breaks_at_the_third)
    config = tiny('steps=5', 'checkpoint_seconds=0')
    with pytest.raises(
        TrainingError, match=r'loss of nan at step 2, of hint .*frame.*learning_rate'
    ):
        train([street.bag], tmp_path, config, cache_root=cache_root)
    state = load_checkpoint(tmp_path)
    assert state['step'] == 2
    assert all(value.isfinite().all() for value in state['learner'].values())


def test_a_gradient_that_is_no_number_stops_the_training_and_keeps_the_checkpoint(
    street, cache_root, tmp_path, monkeypatch
):
    """Though the loss is one."""
    real, calls = DepthNetwork.hint_error, []

    def breaks_at_the_third(self, *inputs):
        error = real(self, *inputs)
        calls.append(error)
        if len(calls) == 3:
            error.register_hook(lambda gradient: gradient * float('inf'))
        return error

    monkeypatch.setattr(DepthNetwork, 'hint_error', breaks_at_the_third)
    config = tiny('steps=5', 'checkpoint_seconds=0')
    with pytest.raises(TrainingError, match=r'gradient that is no number at step 2, of .*depth'):
        train([street.bag], tmp_path, config, cache_root=cache_root)
    assert load_checkpoint(tmp_path)['step'] == 2


def test_a_disk_that_fills_up_is_one_clear_line_and_the_training_can_go_on(
    command, trained, tmp_path, monkeypatch, capsys
):
    """The system refuses larger files from the third checkpoint on, as a full disk would."""
    out, saved, limits = tmp_path / 'run', [], resource.getrlimit(resource.RLIMIT_FSIZE)

    def save(path: Path, state: dict) -> None:
        if len(saved) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))
        save_checkpoint(path, state)
        saved.append(state['step'])

    monkeypatch.setattr('selfdepth_training.train.save_checkpoint', save)
    try:
        assert main(command(out, '--set=checkpoint_seconds=0')) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('selfdepth: error: Found that') and 'free space and --resume' in error
    assert load_checkpoint(out)['step'] == saved[-1] == 2
    assert [f.name for f in out.iterdir() if 'part' in f.name] == []

    monkeypatch.undo()
    assert main(command(out, '--resume')) == 0
    resumed, whole = load_checkpoint(out), load_checkpoint(trained)
    assert different(resumed['learner'], whole['learner']) == []


def test_without_odometry_and_without_overlap_there_is_no_scale_to_learn(record, tmp_path, capsys):
    bag = record(cameras=('camera_front', 'camera_back'), odometry=False)
    with pytest.raises(CalibrationError, match=r'no two of 2 cameras .*share'):
        train([bag], tmp_path / 'run', tiny(), cache_root=tmp_path)
    arguments = ['train', str(bag), '--out', str(tmp_path / 'run'), '--cache', str(tmp_path)]
    assert main([*arguments, '--set=data.width=96', '--set=data.height=64']) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('selfdepth: error: Found no two of 2 cameras')
    assert not (tmp_path / 'run' / 'checkpoint.pt').exists()


def test_a_robot_that_stands_is_one_clear_error(record, tmp_path):
    with pytest.raises(DataError, match='expected a robot that moves'):
        train([record(frames=5, still=True)], tmp_path / 'run', tiny(), cache_root=tmp_path)


def test_too_little_time_is_said_before_it_is_spent(street, cache_root, tmp_path):
    with pytest.raises(SelfdepthError, match=r'Found room for \d+ steps .* Give more --minutes'):
        train([street.bag], tmp_path, tiny(), minutes=0.001, cache_root=cache_root)
    assert not (tmp_path / 'checkpoint.pt').exists()


def test_without_odometry_the_motion_is_learned_too(record, tmp_path):
    config = tiny(
        'steps=4', 'loss.spatial_from=0', 'loss.motion_from=0.5', 'data.without_odometry=learned'
    )
    train([record(odometry=False)], tmp_path / 'run', config, cache_root=tmp_path)
    state = load_checkpoint(tmp_path / 'run')
    assert any(name.startswith('ego_motion.') for name in state['learner'])
    assert state['config']['network']['head'] == 'sigmoid'
    assert all(value.isfinite().all() for value in state['learner'].values())
    depth = (
        load_model(tmp_path / 'run')
        .infer(np.zeros((1, 64, 96, 3), np.uint8), np.array([80], np.float32))
        .depth
    )
    assert depth.shape == (1, 64, 96)


def test_the_next_commands_take_what_a_training_wrote(trained, street, tmp_path, capsys):
    """evaluate, with the measured masks and the baseline; then export, with those scores."""
    scores, model = tmp_path / 'scores' / 'scores.json', tmp_path / 'model'
    evaluation = ['evaluate', str(trained), str(street.bag), '--json', str(scores), '--every=20']
    masks = ['--rig', str(trained / 'rig.yaml'), '--baseline', str(street.bag)]
    assert main([*evaluation, *masks]) == 0
    assert [f.name for f in scores.parent.iterdir()] == ['scores.json']
    assert 'row_baseline' in scores.read_text()
    assert 'median-scaled' in capsys.readouterr().out
    export = ['export', str(trained), str(model), '--metrics', str(scores)]
    export = [*export, '--limits', 'one street']
    assert main([*export, '--weights=fp16']) == 0
    manifest = Manifest.load(model / 'model.yaml')
    assert manifest.name == 'model' and manifest.limits == 'one street'
    assert manifest.cameras == street.cache.rig.names
    assert manifest.training['steps'] == STEPS
    assert manifest.training['bags'] == [str(street.bag)]
    assert 'model' in manifest.training['metrics']
    assert main(['evaluate', str(model), str(street.bag), '--every=40', '--min-depth=2']) == 0


def test_scores_that_cannot_be_written_are_one_clear_error(trained, street, tmp_path, capsys):
    (tmp_path / 'file').write_text('not a folder')
    target = tmp_path / 'file' / 'scores.json'
    arguments = ['evaluate', str(trained), str(street.bag), '--every=40', '--json', str(target)]
    assert main(arguments) == 2
    assert 'scores.json cannot be written' in capsys.readouterr().err
    assert main(['evaluate', str(trained), str(street.bag), '--every=0']) == 2
    assert 'every' in capsys.readouterr().err
