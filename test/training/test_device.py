# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Steps of every recipe on a device that is not the CPU: nothing is left behind on the host."""

from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from lightning_fabric import Fabric
from other_device import OTHER, OtherTensor, other_device

from selfdepth_training import train as training
from selfdepth_training.clipping import clip_gradients
from selfdepth_training.config import RECIPES, TrainConfig, load_recipe
from selfdepth_training.data.cache import FrameCache, build_cache
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.feed import hints_alone_until
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.masks import with_self_occlusion
from selfdepth_training.optimizers import optimizers_of

SMALL = (
    'network.encoder=[16, 16, 16, 32, 32]', 'network.decoder=[16, 16, 16, 16]',
    'network.pose_width=8', 'data.width=96', 'data.height=64', 'data.frames=1',
    'precision=32-true',
)  # fmt: skip
# Derivatives of the refinement (torch.func.jvp) do not pass through tensors that hold others.
SETTINGS = {
    'ba': ['network.refinements=0', 'data.with_odometry=known'],
    # Its sweeps ask the frames around.
    'fsm': ['data.frames=4'],
}
# The slim one, `monodepth2` and `hints-soft` have all that these have.
ALIKE = {'packnet', 'monocular', 'hints-sum'}
NAMES = sorted({path.stem for path in RECIPES.glob('*.yaml')} - ALIKE)
# Hints alone, coarse images, fine images.
STAGES = (0.0, 0.5, 0.99)


def test_a_mixture_is_refused_as_cuda_does():
    with other_device():
        there, here = torch.zeros(3, device=OTHER), torch.ones(3)
        assert isinstance(there + 1, OtherTensor) and (there + torch.tensor(2.0)).device == OTHER
        assert (
            there[torch.tensor([0, 2])].shape == (2,)
            and here.to(OTHER).cpu().tolist() == [1.0] * 3
        )
        for mixture in (
            lambda: there + here,
            lambda: torch.where(there > 0, here, there),
            lambda: torch.stack([there.sum(), here.sum()]),
            lambda: here[(there > 0).nonzero()[:, 0]],
        ):
            with pytest.raises(RuntimeError, match='on the CPU'):
                mixture()
        with pytest.raises(TypeError, match=r'numpy\(\)'):
            there.numpy()


@pytest.fixture(scope='module')
def cache(street, tmp_path_factory) -> FrameCache:
    return build_cache(street.bag, tmp_path_factory.mktemp('cache'), 96, 64, progress=False)


class OtherFabric(Fabric):
    """One process, on OTHER, which the real one does not accept."""

    device, world_size, global_rank, is_global_zero = OTHER, 1, 0, True

    def __init__(self) -> None:
        """Ask for nothing."""

    def rank_zero_first(self, local: bool = False) -> AbstractContextManager[None]:
        """There is no other."""
        return nullcontext()


def steps(config: TrainConfig, cache: FrameCache) -> list[torch.Tensor]:
    """Losses of a step in each stage, on OTHER, as the training's loop has them.

    Where hints alone teach from first to last, every stage is the first one.
    """
    rigs = [with_self_occlusion(cache.rig, cache)]
    source = SampleSource([cache], config.data)
    config = training._with_teachable_head(config, source.learn_motion)
    aligned = training.alignments(source, rigs, config)
    feed = training._feed(OtherFabric(), rigs, source, config, aligned)
    learner = SurroundLearner(config, rigs, source.learn_motion, aligned).to(OTHER)
    optimizers, found = optimizers_of(learner, config.optimizer), []
    alone = hints_alone_until(source, config) == 1
    for step, progress in enumerate(STAGES[:1] if alone else STAGES):
        losses = learner(feed.batch(step, progress), progress, [config.seed, step, 0])
        losses.total.backward()
        norms = clip_gradients(optimizers, learner.depth.sureness_weights(), config.optimizer.clip)
        assert norms.isfinite().all()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        found.append(losses.total)
    return found


@pytest.mark.parametrize('name', NAMES)
def test_a_recipe_trains_where_no_tensor_may_stay_on_the_host(name, cache, one_thread):
    config = load_recipe(name, [*SMALL, *SETTINGS.get(name, [])])
    with other_device():
        for loss in steps(config, cache):
            assert loss.device == OTHER and loss.isfinite()


@pytest.mark.parametrize(
    'settings',
    [
        ['network.confidence=true'],
        ['data.witnesses=1', 'loss.rigidity=1', 'loss.images_from=0.2', 'loss.automask=votes',
         'data.frames=4'],
        ['data.labels=sgm', 'data.matching=random'],
        ['data.with_odometry=learned'],
        ['data.align_intensity=true', 'loss.images_from=0.2'],
    ],
    ids=str,
)  # fmt: skip
def test_so_do_options_of_fsm(settings, cache, one_thread):
    config = load_recipe('fsm', [*SMALL, 'data.frames=2', *settings])
    with other_device():
        for loss in steps(config, cache):
            assert loss.device == OTHER and loss.isfinite()
