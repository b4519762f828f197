# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Every recipe trains from a bag, and what it learns can be run and exported."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
import torch
from tensorrt_operators import refused

from selfdepth_ros.cli.main import main
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference import load_engine
from selfdepth_training import train as training
from selfdepth_training.checkpoint import load_checkpoint
from selfdepth_training.config import RECIPES, load_recipe
from selfdepth_training.loaded import load_model
from selfdepth_training.train import train

NAMES = sorted(path.stem for path in RECIPES.glob('*.yaml'))
SMALL = (
    'network.encoder=[16, 16, 16, 32, 32]', 'network.decoder=[16, 16, 16, 16]',
    'network.pose_width=8', 'data.width=96', 'data.height=64', 'data.frames=4',
    # Which would move weights that no gradient reaches.
    'optimizer.weight_decay=0', 'precision=32-true', 'steps=3',
)  # fmt: skip
# Exported these are the graph of `sfm`: they differ in what they learn from.
SAME_GRAPH = {
    'featmetric', 'hints-soft', 'hints-sum', 'monocular', 'monodepth2', 'resmatch', 'semi',
    'stereo', 'supervised',
}  # fmt: skip
EXPORTED = sorted(set(NAMES) - SAME_GRAPH)


class Trained(NamedTuple):
    """A training, and the weights that it began with."""

    out: Path
    start: dict[str, torch.Tensor]


@pytest.fixture(scope='module')
def cache_root(tmp_path_factory) -> Path:
    """Frame caches, and LiDAR projections, of all trainings here."""
    return tmp_path_factory.mktemp('caches')


@pytest.fixture(scope='module')
def trained(street, cache_root, tmp_path_factory) -> Callable[[str], Trained]:
    """Three steps of a recipe, when it is first asked for."""

    @cache
    def of(name: str) -> Trained:
        out, start, begin = tmp_path_factory.mktemp(name) / 'run', {}, training._start

        def noted(*how):
            learner, optimizers = begin(*how)
            start.update((k, v.clone()) for k, v in learner.module.state_dict().items())
            return learner, optimizers

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, '_start', noted)
            train([street.bag], out, load_recipe(name, SMALL), cache_root=cache_root)
        return Trained(out, start)

    return of


@pytest.mark.parametrize('name', NAMES)
def test_it_trains_and_says_depths(name, trained):
    out = trained(name).out
    state = load_checkpoint(out)
    assert state['config']['name'] == name and state['step'] == 3
    assert all(value.isfinite().all() for value in state['learner'].values())
    assert state['scale'] == ('relative' if name == 'sfm' else 'metric')
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    depth = load_model(out).infer(images, np.array([70, 90], np.float32)).depth
    assert depth.shape == (2, 64, 96) and (depth > 0).all()


@pytest.mark.parametrize('name', EXPORTED)
def test_it_exports_and_says_the_same(name, trained, tmp_path):
    """In operators that TensorRT reads."""
    out = trained(name).out
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


@pytest.mark.parametrize('name', NAMES)
def test_every_parameter_learns(name, trained):
    """A part that gets no gradient is dead weight, and data-parallel training stops at it."""
    out, before = trained(name)
    after = load_checkpoint(out)['learner']
    assert before.keys() == after.keys()
    still = [k for k, v in before.items() if v.is_floating_point() and torch.equal(v, after[k])]
    assert [k for k in still if not k.endswith(('reference_focal', 'running_mean'))] == []


def test_recipes_that_are_not_exported_here_differ_in_nothing_that_is():
    one = load_recipe('sfm').network
    for name in SAME_GRAPH:
        # Coarser scales are learned from and thrown away.
        assert replace(load_recipe(name).network, scales=one.scales) == one, name
