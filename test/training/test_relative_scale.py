# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where nothing tells metres, depth is learned up to a factor, and nobody takes it for metres."""

import json
import logging
import re
from dataclasses import replace

import numpy as np
import pytest

from selfdepth_ros.cli.main import main
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference import load_engine
from selfdepth_ros.inference.engine import DepthPrediction
from selfdepth_training.checkpoint import load_checkpoint, save_checkpoint
from selfdepth_training.config import load_recipe
from selfdepth_training.loaded import load_model
from selfdepth_training.scale import ScaleError, scale_of
from selfdepth_training.train import train

SMALL = (
    'network.encoder=[8, 8, 16, 32, 64]', 'network.decoder=[8, 8, 8, 8]', 'network.pose_width=8',
    'data.width=96', 'data.height=64', 'precision=32-true', 'steps=2',
)  # fmt: skip
FRONT = ('camera_front',)


@pytest.fixture(scope='module')
def one_camera(street, helpers, tmp_path_factory):
    """A bag of one camera without odometry."""
    folder = tmp_path_factory.mktemp('one')
    return helpers.record(street.bag, folder / 'bag', cameras=FRONT, odometry=False)


@pytest.fixture(scope='module')
def relative(one_camera, tmp_path_factory):
    """monodepth2, trained on it."""
    out = tmp_path_factory.mktemp('relative') / 'run'
    train([one_camera], out, load_recipe('monodepth2', SMALL), cache_root=out.parent)
    return out


def test_one_camera_without_odometry_trains_and_is_told_to_be_relative(
    one_camera, tmp_path, caplog
):
    with caplog.at_level(logging.WARNING):
        train([one_camera], tmp_path / 'run', load_recipe('monodepth2', SMALL), None, False)
    assert 'SCALE IS RELATIVE' in caplog.text
    state = load_checkpoint(tmp_path / 'run')
    assert state['scale'] == 'relative'
    assert any(name.startswith('ego_motion.') for name in state['learner'])


def test_evaluation_tells_median_scaled_scores_only(relative, street, tmp_path, capsys):
    scores = tmp_path / 'scores.json'
    arguments = ['evaluate', str(relative), str(street.bag), '--every=20', '--json', str(scores)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert '-- median-scaled' in printed and '-- metric' not in printed
    model = json.loads(scores.read_text())['model']
    assert model['scale'] == 'relative'
    assert set(model['cameras']['mean']) == {'median_scaled', 'scale', 'images'}


def report_of(run, bag, folder):
    """The page, as text."""
    page, options = folder / 'report.html', ('--every=20', '--worst=1')
    assert main(['report', str(run), str(bag), *options, '--out', str(page)]) == 0
    return page.read_text('utf-8')


def test_a_report_tells_median_scaled_figures_only_and_says_so(relative, street, tmp_path):
    page, scores = report_of(relative, street.bag, tmp_path), tmp_path / 'scores.json'
    arguments = ['evaluate', str(relative), str(street.bag), '--every=20', '--json', str(scores)]
    assert main(arguments) == 0
    assert 'Scale is relative: every figure is median-scaled' in page
    for of_metres in ('as predicted</h3>', 'in metres as predicted', 'By distance', 'cloud from'):
        assert of_metres not in page
    rows = json.loads(scores.read_text())['model']['cameras']
    cells = re.findall(r'<td>([\d.]+)</td>', page)
    told = [[*row['median_scaled'].values(), row['scale']] for row in rows.values()]
    images = [str(row['images']) for row in rows.values()]
    expected = [[*(f'{v:.3f}' for v in row), n] for row, n in zip(told, images, strict=True)]
    assert cells == sum(expected, [])
    assert page.count('alt="camera_back: depth"') == page.count('alt="camera_back: error"') > 0


def test_a_report_does_not_depend_on_the_unit_of_relative_depths(
    relative, street, tmp_path, monkeypatch
):
    model = load_model(relative)

    def page_in_unit(unit):
        changed = replace(
            model, infer=lambda *given: DepthPrediction(model.infer(*given).depth * unit)
        )
        monkeypatch.setattr('selfdepth_ros.cli.report.load_model', lambda path: changed)
        page = report_of(relative, street.bag, tmp_path)
        return re.findall(r'data:image/webp[^"]+', page), re.findall(r'abs rel [\d.]+', page)

    one = page_in_unit(np.float32(1))
    assert min(map(len, one)) > 6
    assert page_in_unit(np.float32(4)) == one  # a power of two rounds nothing


@pytest.mark.parametrize('factor', ['', '--scale=0', '--scale=-2', '--scale=nan', '--scale=inf'])
def test_export_refuses_what_is_not_in_metres(relative, tmp_path, capsys, factor):
    out = tmp_path / 'model'
    assert main(['export', str(relative), str(out), *filter(None, [factor])]) == 2
    assert '--scale' in capsys.readouterr().err
    assert not out.exists()


def test_export_with_a_measured_factor_is_in_metres(relative, tmp_path):
    out = tmp_path / 'model'
    assert main(['export', str(relative), str(out), '--scale=2.5']) == 0
    manifest, own = Manifest.load(out / 'model.yaml'), load_model(relative).depth_limit
    assert manifest.training['scale'] == 'relative, times 2.5'
    assert manifest.depth_limit.sky_m(80.0) == pytest.approx(2.5 * own.sky_m(80.0))
    assert 0 < manifest.min_depth_m < 1 < 50 < manifest.max_depth_m
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    focal = np.array([60, 80], np.float32)
    said = load_engine(out).infer(images, focal).depth
    assert np.allclose(said, 2.5 * load_model(relative).infer(images, focal).depth, rtol=1e-3)


def test_a_metric_training_takes_no_factor_and_an_old_one_is_metric(relative, tmp_path, capsys):
    state = load_checkpoint(relative)
    save_checkpoint(
        tmp_path / 'old' / 'checkpoint.pt', {k: v for k, v in state.items() if k != 'scale'}
    )
    assert load_model(tmp_path / 'old').scale == 'metric'
    assert main(['export', str(tmp_path / 'old'), str(tmp_path / 'model'), '--scale=2']) == 2
    assert 'metric depths and a --scale' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('recipe', 'settings', 'odometry', 'scale'),
    [
        ('monodepth2', (), True, 'metric'),
        ('monodepth2', (), False, 'relative'),
        ('monodepth2', ('data.without_odometry=visual',), False, 'metric'),
        ('sfm', (), True, 'relative'),
        ('sfm', ('loss.velocity=0.1',), True, 'metric'),
        ('sfm', ('loss.velocity=0.1',), False, 'relative'),
        ('fsm', (), True, 'metric'),
        ('fsm', (), False, 'metric'),
        ('supervised', (), False, 'metric'),
    ],
)
def test_what_tells_metres(street, recipe, settings, odometry, scale):
    cache = street.cache if odometry else replace(street.cache, world_from_body=None)
    assert scale_of([cache], [street.rig], load_recipe(recipe, settings)) == scale


def test_one_recording_with_metres_gives_them_to_all(street):
    caches = [street.cache, replace(street.cache, world_from_body=None)]
    assert scale_of(caches, [street.rig] * 2, load_recipe('monodepth2')) == 'metric'


def test_metres_and_a_unit_of_its_own_do_not_mix(street, caplog):
    alone = replace(street.rig, cameras=street.rig.cameras[:1])
    unknown = replace(street.cache, world_from_body=None)
    config = load_recipe('monocular')
    with pytest.raises(ScaleError, match='in metres beside .* unit of its own'):
        scale_of([street.cache, unknown], [alone] * 2, config)
    assert scale_of([unknown], [alone], config) == 'relative'
    assert not caplog.records
    assert scale_of([unknown] * 2, [alone] * 2, config) == 'relative'
    assert 'factors that differ' in caplog.text


def test_who_wants_metres_is_refused_where_nothing_tells_them(street):
    cache = replace(street.cache, world_from_body=None)
    config = load_recipe('monodepth2', ['scale=metric'])
    with pytest.raises(ScaleError, match='nothing in .* scale=any'):
        scale_of([cache], [street.rig], config)


LABELS, FOUND = 'data.labels=lidar', 'data.without_odometry=visual'
UNMASKED = 'loss.explainability=0'


@pytest.mark.parametrize(
    ('recipe', 'settings', 'refused'),
    [
        ('semi', (), True),
        ('semi', ('data.labels=topic',), True),
        ('monocular', (LABELS,), True),
        ('hints-soft', (LABELS,), True),
        ('ba', (LABELS, FOUND, 'loss.hint=1', 'loss.images_from=0'), True),
        ('sfm', (LABELS, FOUND, 'loss.hint=1', UNMASKED, 'loss.velocity=0.1'), True),
        # Motion in any unit tells these nothing.
        ('supervised', (), False),
        ('fsm', (LABELS,), False),
        ('semi', ('data.without_odometry=learned',), False),
        ('sfm', (LABELS, FOUND, 'loss.hint=1', UNMASKED), False),
    ],
)  # fmt: skip
def test_labels_in_metres_and_motion_in_a_unit_of_its_own_do_not_mix(
    street, recipe, settings, refused
):
    alone = replace(street.rig, cameras=street.rig.cameras[:1])
    unknown = replace(street.cache, world_from_body=None)
    config = load_recipe(recipe, settings)
    if refused:
        with pytest.raises(ScaleError, match='labels in metres .* unit of its own.*--set') as told:
            scale_of([unknown], [alone], config)
        advised = str(told.value).split('--set ')[1].rstrip('.')
        config = load_recipe(recipe, (*settings, advised))
    assert scale_of([unknown], [alone], config) == 'metric'
    # Odometry or overlaps make the unit metres.
    config = load_recipe(recipe, settings)
    assert scale_of([street.cache], [alone], config) == 'metric'
    assert scale_of([unknown], [street.rig], config) == 'metric'
