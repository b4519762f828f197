# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One number that also says how sure it is: what teaches it, and what it comes to."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from selfdepth_ros.cli.main import main
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.core.rig import save_rig
from selfdepth_ros.inference import load_engine
from selfdepth_training import platt
from selfdepth_training.checkpoint import load_checkpoint
from selfdepth_training.config import RECIPES, load_recipe
from selfdepth_training.data.samples import SampleSource, SureDepth
from selfdepth_training.hints import SweepHints
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.predict import TrainedNetwork
from selfdepth_training.scene import Scene
from selfdepth_training.sureness import STEP, _share_inside, against_hint, likely_share
from selfdepth_training.train import train

SURE = 'network.confidence=true', 'network.head=sigmoid'
TINY = ('network.encoder=[8, 8, 16, 32, 64]', 'network.decoder=[8, 8, 8, 8]')
SMALL = (*TINY, 'data.width=160', 'data.height=96', 'precision=32-true')
LESS = 'data.width=96', 'data.height=64', 'data.frames=8'
FLAT = 0.5108 / 1.8  # what lies within 25 %, of all the depths that are tried, in log depth


pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def cache_root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp('caches')


@pytest.fixture(scope='module', autouse=True)
def swept_once() -> Iterator[None]:
    """Trainings of the same frames, alike in what the sweeps look at, share what these found."""
    found, sweep = {}, SweepHints._found

    def remembered(self, recording, now, device):
        config = self.config
        looked_at = config.data, config.loss.ssim, config.network.max_depth_m
        key = self.source.caches[recording].folder, now, repr(looked_at)
        if key not in found:
            found[key] = sweep(self, recording, now, device)
        return found[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SweepHints, '_found', remembered)
        yield


@pytest.mark.parametrize(('images_from', 'clip'), [(0.0, 10), (0.5, 10), (1.0, 10), (0.5, 0.01)])
def test_the_depth_is_learned_as_it_is_without(street, cache_root, tmp_path, images_from, clip):
    """Bit for bit: on hints, on images, and on one after the other; with clipped gradients too."""
    found = []
    for sure in ('true', 'false'):
        given = f'loss.images_from={images_from}', 'loss.hint_until=0.5', 'steps=4'
        given = *given, f'optimizer.clip={clip}'
        settings = *SMALL, *given, *LESS, 'network.head=sigmoid', f'network.confidence={sure}'
        train([street.bag], tmp_path / sure, load_recipe('fsm', settings), cache_root=cache_root)
        found.append(load_checkpoint(tmp_path / sure)['learner'])
    sure, plain = found
    assert all(torch.equal(sure[name], plain[name]) for name in plain)
    own = [name for name in sure if name not in plain]
    assert len(own) == 4 and all('head.sureness' in name for name in own)
    assert all(sure[name].abs().sum() > 0 for name in own), 'its own layers have learned'


@pytest.fixture(scope='module')
def true_scene(street) -> Scene:
    """A step on images of a network that says the true depths."""
    settings = *SMALL, *SURE, 'loss.hint=0', 'loss.images_from=0'
    config = load_recipe('fsm', settings)
    learner = SurroundLearner(config, [street.rig], False)
    sample = SampleSource([street.cache], config.data).load(0, (8, 10, 12))
    (scene,) = learner.scenes([sample], 0.99, np.random.default_rng(0))
    inverse = torch.nn.functional.avg_pool2d(1 / street.depth(10)[:, None], 2)
    return replace(scene, inverse=[inverse], _depths={})


def scaled(scene: Scene, factor: float) -> Scene:
    return replace(scene, inverse=[scene.inverse[0] / factor], _depths={})


def seen(street, scene: Scene) -> torch.Tensor:
    """Pixels whose surroundings have structure, near enough for parallax."""
    grey = scene.images.mean(1, keepdim=True)
    small = torch.nn.functional.avg_pool2d(grey, 2)
    pool = torch.nn.functional.avg_pool2d
    spread = (pool(small**2, 5, 1, 2) - pool(small, 5, 1, 2) ** 2).clamp(min=0).sqrt()[:, 0]
    depth = 1 / scene.inverse[0][:, 0]
    return (spread > 0.05) & (depth > 2) & (depth < 12)


def test_what_the_images_call_likely_is_the_truth_and_not_what_is_wrong(street, true_scene):
    """Measured: .65 at the truth, .26 at twice of it; flat, every depth alike: .28."""
    pixels = seen(street, true_scene)
    means = []
    for factor in (1.0, 0.5, 2.0):
        likely, valid = likely_share(scaled(true_scene, factor), 1)
        assert (valid & pixels).sum() > 1000
        means.append(likely[valid & pixels].mean().item())
    right, near, far = means
    assert right > 0.55
    assert max(near, far) < 0.6 * right


def test_where_no_depth_is_better_than_another_the_share_is_that_of_no_knowledge(true_scene):
    """A sky, or a wall without structure: images of one colour."""
    plain = torch.full_like(true_scene.sample.images, 90)
    scene = replace(true_scene, sample=replace(true_scene.sample, images=plain), _views={})
    likely, valid = likely_share(scene, 1)
    assert valid.float().mean() > 0.2
    assert (likely[valid] - FLAT).abs().max() < 2e-3


def test_the_tried_depths_share_out_what_an_error_below_a_quarter_is():
    logs = [STEP * step for step in range(-4, 5)]
    assert STEP * sum(map(_share_inside, logs)) == pytest.approx(np.log(1.25) - np.log(0.75))


def test_a_hint_teaches_whether_the_depth_is_within_a_quarter_of_it(true_scene):
    network, logits = true_scene.network, true_scene.logits[0]
    focal = true_scene.focal
    said = 1 / network.to_inverse_depth(logits, focal)[:, 0].detach()
    for factor, right in ((1 / 1.24, 1), (1.3, 1), (1 / 1.26, 0), (1.35, 0)):
        doubt = logits.detach().clone().requires_grad_()
        hint = SureDepth(said * factor, torch.ones_like(said, dtype=torch.bool))
        against_hint(network, doubt, focal, hint).backward()
        assert not doubt.grad[:, 0].any(), 'the depth learns nothing of it'
        assert ((doubt.grad[:, 1] < 0) == bool(right)).all(), factor


# With one number and its sureness these differ from others in what the labels say, in the samples
# of a step or in width: nothing that the sureness looks at.
ALIKE = {
    'hints-hard', 'hints-sum', 'hints-uncertain', 'monocular', 'packnet', 'resmatch', 'semi',
    'supervised',
}  # fmt: skip


@pytest.mark.parametrize('recipe', sorted({path.stem for path in RECIPES.glob('*.yaml')} - ALIKE))
def test_every_recipe_can_be_sure(recipe, street, cache_root, tmp_path):
    settings = *SMALL, *SURE, *LESS, 'data.frames=4', 'network.pose_width=8', 'steps=2'
    if recipe == 'lite':
        settings = *settings, 'network.encoder=[16, 16, 16, 32, 32]'
    train([street.bag], tmp_path / 'run', load_recipe(recipe, settings), cache_root=cache_root)
    learner = load_checkpoint(tmp_path / 'run')['learner']
    own = {name: value for name, value in learner.items() if 'sureness' in name}
    assert len(own) == 4 and all(value.abs().sum() > 0 for value in own.values())
    network = TrainedNetwork.load(tmp_path / 'run')
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    confidence = network.infer(images, np.array([70, 90], np.float32)).confidence
    assert confidence.shape == (2, 64, 96) and confidence.std() > 0


@pytest.fixture(scope='module', params=['hints', 'images'])
def teacher(request) -> str:
    """What the sureness is learned from."""
    return request.param


# Here the network has seen the street, and little of it; figures are those of a test, no more.
@pytest.fixture(scope='module')
def trained(teacher, street, cache_root, tmp_path_factory) -> Path:
    """Small networks: depths of hints, the sureness of these or, later, of the images."""
    out = tmp_path_factory.mktemp(teacher) / 'run'
    half = ('loss.images_from=0.7', 'loss.hint_until=0.7') if teacher == 'images' else ()
    fast = ('optimizer.learning_rate=1e-2', 'optimizer.warmup=0.1', 'data.jitter=0.0', 'steps=150')
    config = load_recipe('fsm', [*SMALL, *SURE, *fast, *half, 'loss.hint_fades=false'])
    train([street.bag], out, config, cache_root=cache_root)
    return out


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_less_sure_the_larger_the_error_and_calibration_makes_it_true(
    teacher, trained, street, tmp_path, capsys
):
    scores, model = tmp_path / 'scores.json', tmp_path / 'model'
    evaluation = [str(street.bag), '--every=4', '--json', str(scores)]

    def told(path: Path) -> dict:
        assert main(['evaluate', str(path), *evaluation]) == 0
        return json.loads(scores.read_text())['model']['confidence']

    before = told(trained)
    deciles = before['deciles']
    said, right, error = (np.array([d[k] for d in deciles]) for k in ('said', 'right', 'abs_rel'))
    assert (np.diff(said) >= 0).all() and said[-1] - said[0] > 0.1
    assert error[:3].mean() > 1.5 * error[-3:].mean()
    assert right[:3].mean() < right[-3:].mean() - 0.15
    assert 'by confidence, from the least sure tenth' in capsys.readouterr().out

    assert main(['export', str(trained), str(model), '--calibrate', str(street.bag)]) == 0
    after = told(model)
    # Of hints it is .02 to begin with, on the street that was learned from; of images .2.
    off, still_off = before['calibration_error'], after['calibration_error']
    assert still_off < (off + 0.005 if teacher == 'hints' else 0.5 * off)
    # Monotone: the same pixels in every tenth, but for what falls on a border (up to .07 where the
    # processor learns in bfloat16).
    assert [d['abs_rel'] for d in after['deciles']] == pytest.approx(error.tolist(), rel=0.1)
    manifest = Manifest.load(model / 'model.yaml')
    assert manifest.has_confidence
    assert manifest.training['calibration']['bag'] == str(street.bag)
    _says_what_torch_says(trained, model, manifest, street)


def _says_what_torch_says(trained: Path, model: Path, manifest: Manifest, street) -> None:
    images, focal = np.array(street.cache.images[3]), np.full(6, 80, np.float32)
    exported = load_engine(model, threads=1).infer(images, focal)
    said = TrainedNetwork.load(trained).infer(images, focal)
    assert np.abs(exported.depth / said.depth - 1).max() < 1e-2
    record = manifest.training['calibration']
    odds = np.log(said.confidence) - np.log1p(-said.confidence)
    expected = 1 / (1 + np.exp(-record['gain'] * odds - record['offset']))
    assert np.abs(exported.confidence - expected).mean() < 0.01
    assert exported.confidence.std() > 0.02, 'never a constant'
    assert all(each.std() > 0.01 for each in exported.confidence)


def test_whose_rig_it_is_calibrated_with_is_said_and_recorded(
    street, cache_root, tmp_path, capsys
):
    run, file = tmp_path / 'run', tmp_path / 'rig.yaml'
    settings = *SMALL, *SURE, *LESS, 'data.frames=4', 'steps=1'
    train([street.bag], run, load_recipe('fsm', settings), cache_root=cache_root)
    save_rig(street.rig, file)
    for rig, whose, masks in (([], 'the bag', 0), (['--rig', str(file)], str(file), 6)):
        out = tmp_path / f'model{masks}'
        assert main(['export', str(run), str(out), '--calibrate', str(street.bag), *rig]) == 0
        told = f'calibration of {whose}, masks of the robot itself: {masks} of 6 cameras'
        assert told in capsys.readouterr().out
        recorded = Manifest.load(out / 'model.yaml').training['calibration']['rig']
        assert recorded == (str(file) if rig else str(street.bag))


def test_a_network_that_does_not_know_cannot_be_calibrated(
    street, cache_root, tmp_path, capsys, monkeypatch
):
    """Which is said before the bag is looked at."""
    settings = *SMALL, *LESS, 'data.frames=4', 'network.head=sigmoid', 'steps=1'
    train([street.bag], tmp_path / 'run', load_recipe('fsm', settings), cache_root=cache_root)
    bag, export = str(street.bag), ['export', str(tmp_path / 'run'), str(tmp_path / 'm')]
    with monkeypatch.context() as patched:
        patched.setattr(platt, 'evaluate', lambda *_: pytest.fail('the bag was evaluated'))
        assert main([*export, '--calibrate', bag]) == 2
    assert 'does not know how sure it is' in capsys.readouterr().err
    assert main([*export, '--rig', str(tmp_path / 'run' / 'rig.yaml')]) == 2
    assert 'Found --rig without --calibrate' in capsys.readouterr().err
    assert not (tmp_path / 'm').exists()
    assert main(['evaluate', str(tmp_path / 'run'), bag, '--every=40']) == 0
    assert 'by confidence' not in capsys.readouterr().out
