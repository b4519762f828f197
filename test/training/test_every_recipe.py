# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Every recipe trains from a bag, and what it learns can be run and exported."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tensorrt_operators import refused

from selfdepth_ros.cli.main import main
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference import load_engine
from selfdepth_training.checkpoint import load_checkpoint
from selfdepth_training.config import RECIPES, load_recipe
from selfdepth_training.loaded import load_model
from selfdepth_training.train import train

NAMES = sorted(path.stem for path in RECIPES.glob('*.yaml'))
SMALL = (
    'network.encoder=[16, 16, 16, 32, 32]', 'network.decoder=[16, 16, 16, 16]',
    'network.pose_width=8', 'data.width=96', 'data.height=64', 'data.frames=4',
    'precision=32-true', 'steps=3',
)  # fmt: skip


@pytest.fixture(scope='module')
def cache_root(tmp_path_factory) -> Path:
    """Frame caches, and LiDAR projections, of all trainings here."""
    return tmp_path_factory.mktemp('caches')


@pytest.fixture(scope='module', params=NAMES)
def trained(request, street, cache_root, tmp_path_factory) -> tuple[str, Path]:
    """A training of each recipe, of three steps."""
    out = tmp_path_factory.mktemp(request.param) / 'run'
    train([street.bag], out, load_recipe(request.param, SMALL), cache_root=cache_root)
    return request.param, out


def test_it_trains_and_says_depths(trained):
    name, out = trained
    state = load_checkpoint(out)
    assert state['config']['name'] == name and state['step'] == 3
    assert all(value.isfinite().all() for value in state['learner'].values())
    assert state['scale'] == ('relative' if name == 'sfm' else 'metric')
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    depth = load_model(out).infer(images, np.array([70, 90], np.float32)).depth
    assert depth.shape == (2, 64, 96) and (depth > 0).all()


def test_it_exports_and_says_the_same(trained, tmp_path):
    """In operators that TensorRT reads."""
    name, out = trained
    factor = ['--scale=2'] if name == 'sfm' else []
    assert main(['export', str(out), str(tmp_path / 'model'), *factor]) == 0
    manifest = Manifest.load(tmp_path / 'model' / 'model.yaml')
    assert manifest.training['recipe'] == name
    images = np.random.default_rng(1).integers(0, 256, (3, 64, 96, 3), np.uint8)
    focal = np.array([60, 70, 90], np.float32)
    said = load_engine(tmp_path / 'model').infer(images, focal).depth
    expected = load_model(out).infer(images, focal).depth * (2 if factor else 1)
    assert np.abs(said / expected - 1).max() < 1e-2
    by_torch = load_engine(tmp_path / 'model', 'torch', threads=1).infer(images, focal).depth
    assert np.abs(by_torch / said - 1).max() < 1e-2
    assert refused(onnx.load(tmp_path / 'model' / 'model.onnx')) == []


def test_every_parameter_learns(trained, street, cache_root):
    """A part that gets no gradient is dead weight, and data-parallel training stops at it."""
    name, out = trained
    start = out.parent / 'start'
    rates = 'optimizer.learning_rate=1e-6', 'optimizer.head_rate=1e-6', 'optimizer.muon_rate=1e-9'
    if not start.exists():
        config = load_recipe(name, [*SMALL, *rates])
        train([street.bag], start, replace(config, steps=1), cache_root=cache_root)
    before, after = (load_checkpoint(folder)['learner'] for folder in (start, out))
    still = [k for k, v in before.items() if v.is_floating_point() and torch.equal(v, after[k])]
    assert [k for k in still if not k.endswith(('reference_focal', 'running_mean'))] == []
