# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the steps are fed: single images with hints first, then surround frames."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from selfdepth_training.config import TrainConfig, load_recipe
from selfdepth_training.data.samples import (
    LABEL_LEVEL,
    SampleBatch,
    SampleSource,
    SureDepth,
    ViewBatch,
)
from selfdepth_training.feed import LOOKED_AT, Feed
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.hints import SweepHints
from selfdepth_training.learner import SurroundLearner


@pytest.fixture(scope='module')
def config() -> TrainConfig:
    settings = [
        'data.width=160',
        'data.height=96',
        'network.encoder=[8, 8, 16, 32, 64]',
        'loss.images_from=0.6',
    ]
    return load_recipe('fsm', settings)


@pytest.fixture(scope='module')
def feed(street, config):
    return feed_of([street.cache], config)


class DrawnHints:
    """Hints by chance, one for each frame: what is fed does not depend on what they say."""

    def of(self, recording: int, now: int, _: torch.device) -> SureDepth:
        draw = torch.rand((2, 6, 48, 80), generator=torch.manual_seed(1000 * recording + now))
        return SureDepth(1 + 50 * draw[0], draw[1] < 0.8)


def feed_of(caches, config) -> Feed:
    source = SampleSource(caches, config.data)
    return Feed(Fabric(accelerator='cpu', devices=1), source, DrawnHints(), config)


def test_hints_alone_come_first(feed):
    assert isinstance(feed.batch(0, 0.0), ViewBatch)
    assert isinstance(feed.batch(0, 0.59), ViewBatch)
    later = feed.batch(0, 0.61)
    assert isinstance(later, SampleBatch)
    assert later.samples[0].hint is not None


def test_without_hints_or_motion_surround_frames_come_from_the_start(street, config):
    without_hints = replace(config, loss=replace(config.loss, hint=0.0))
    whole, few = street.cache, slice(0, 8)
    without_motion = replace(
        whole, images=whole.images[few], stamps_ns=whole.stamps_ns[few],
        present=whole.present[few], world_from_body=None,
    )  # fmt: skip
    learned = replace(config, data=replace(config.data, without_odometry='learned'))
    for feed in (
        feed_of([street.cache], without_hints),
        feed_of([street.cache, without_motion], learned),
    ):
        assert isinstance(feed.batch(0, 0.0), SampleBatch)


def test_a_view_brings_its_own_image_and_hint(feed, street):
    batch = feed.batch(3, 0.0)
    assert len(batch.views) == len(street.rig.cameras)
    for index, view in enumerate(batch.views):
        assert np.array_equal(batch.images[index], street.cache.images[view.frame, view.camera])
        hint = feed.hint(view.source, view.frame)
        assert torch.equal(batch.hint.depth[index], hint.depth[view.camera])
        assert torch.equal(batch.hint.sure[index], hint.sure[view.camera])


def test_hints_are_prepared_for_the_steps_on_hints_alone_and_no_others(street, config):
    feed = feed_of([street.cache], config)
    asked = []
    hint = SureDepth(torch.ones(6, 48, 80), torch.ones(6, 48, 80, dtype=torch.bool))
    feed.hints.of = lambda recording, now, _: asked.append((recording, now)) or hint
    feed.prepare(range(1, 5), 5)
    prepared = asked.copy()
    assert len(set(prepared)) == len(prepared) > 0
    asked.clear()
    for step in (1, 2):
        feed.batch(step, step / 5)
    assert set(asked) == set(prepared), 'images come from step 3 of 5 on'


@pytest.mark.parametrize(('bare', 'told'), [(2, False), (4, True)])
def test_images_without_hints_are_told_where_they_are_most(street, config, caplog, bare, told):
    feed = feed_of([street.cache], config)
    sure = (torch.arange(6) >= bare)[:, None, None].expand(6, 48, 80)
    feed.hints.of = lambda recording, now, _: SureDepth(torch.ones(6, 48, 80), sure)
    feed.prepare(range(3), 5)
    assert ('of the pixels' in caplog.text) == told


@pytest.mark.parametrize('alone', [True, False])
def test_a_lack_of_hints_is_told_with_and_without_steps_on_hints_alone(
    street, config, caplog, alone
):
    recipe = replace(config, loss=replace(config.loss, images_from=0.6 if alone else 0.0))
    feed = feed_of([street.cache], recipe)
    asked = set()

    def bare(recording, now, _):
        asked.add(now)
        return SureDepth(torch.ones(6, 48, 80), torch.zeros(6, 48, 80, dtype=torch.bool))

    feed.hints.of = bare
    feed.prepare(range(100), 100)
    assert 'of the pixels' in caplog.text
    if not alone:
        prepared = asked.copy()
        asked.clear()
        for step in range(LOOKED_AT):
            feed.batch(step, step / 100)
        assert asked == prepared, 'no hint is computed for nothing'


def test_where_no_hint_is_asked_for_none_is_looked_at(street, config, caplog):
    for loss in ({'hint': 0.0}, {'images_from': 0.0, 'hint_until': 0.0}):
        feed = feed_of([street.cache], replace(config, loss=replace(config.loss, **loss)))
        feed.hints.of = None  # would be called
        feed.prepare(range(100), 100)
    assert not caplog.text


def swept(street, config) -> Feed:
    """With hints of plane sweeps."""
    geometry = RigGeometry.of(
        street.rig, 160 >> LABEL_LEVEL, 96 >> LABEL_LEVEL, 'z_depth', torch.device('cpu')
    )
    feed = feed_of([street.cache], config)
    return replace(feed, hints=SweepHints(feed.source, [geometry], config))


def sparse(street, witnesses: int) -> TrainConfig:
    """Two frames of the drive are learned from, farther apart than any has a say."""
    settings = ['data.width=160', 'data.height=96', 'data.frames=2', 'data.held_out=0.1']
    return load_recipe('fsm', [*settings, f'data.witnesses={witnesses}'])


def test_frames_between_those_that_are_learned_from_bear_witness(street):
    """On a long drive the others are too far off: without, not one hint would be left."""
    feed = swept(street, sparse(street, 2))
    source, now = feed.source, feed.source.entries[1][1]
    assert feed.hints._around(0, now) == []
    more = feed.hints._more_witnesses(0, now, [])
    assert len(set(more)) == 2 and now not in more
    assert all(len(side) for frame in more for side in source.triplets[0][frame])
    assert max(more) < 36, 'the last tenth is not learned from'
    before, after = source.triplets[0][20]
    assert source.beside(0, 20)[:2] == [after[-1], before[0]]
    assert sorted(source.beside(0, 20)) == [*before, *after]
    found = feed.hint(0, now)
    alone = feed.hints._found(0, now, torch.device('cpu')).found
    assert not (found.sure & ~alone.sure).any()
    assert 0.5 < found.sure.sum() / alone.sure.sum() < 1


def test_no_frame_beyond_those_learned_from_is_swept_unless_it_is_to_bear_witness(street):
    """Nor where it is not known how the robot moved: views of another time say nothing."""
    still = replace(street.cache, world_from_body=None)
    feed = swept(street, sparse(street, 0))
    now = feed.source.entries[0][1]
    assert feed.hints._more_witnesses(0, now, []) == []
    unknown = swept(street, sparse(street, 2))
    unknown.source.caches = [still]
    assert unknown.hints._more_witnesses(0, now, []) == []
    enough = swept(street, sparse(street, 2))
    assert enough.hints._more_witnesses(0, now, [7, 8]) == []
    assert len(enough.hints._more_witnesses(0, now, [7])) == 1


def test_the_images_of_a_step_are_of_many_moments(feed):
    moments = [len({view.frame for view in feed.batch(step, 0.0).views}) for step in range(8)]
    assert np.mean(moments) > 4


@pytest.mark.parametrize('rigs', [1, 3])
def test_an_epoch_shows_every_image_once(feed, rigs):
    source = feed.source
    steps = -(-len(source) // rigs)
    drawn = [view for step in range(steps) for view in source.draw_views(1, step, rigs)]
    first = drawn[: 6 * len(source)]
    assert len(set(first)) == len(first)
    assert source.draw_views(1, 5, 1) == source.draw_views(1, 5, 1) != source.draw_views(2, 5, 1)


def test_processes_draw_different_images(feed, monkeypatch):
    drawn = []
    monkeypatch.setattr(Fabric, 'world_size', 2)
    for rank in range(2):
        monkeypatch.setattr(Fabric, 'global_rank', rank)
        drawn.append({view for step in range(4) for view in feed.batch(step, 0.0).views})
    assert not drawn[0] & drawn[1]
    assert len(drawn[0]) == len(drawn[1]) == 24


def test_images_that_are_missing_are_not_drawn(street, config):
    present = street.cache.present.copy()
    present[:, 2] = False
    present[::2, 4] = False
    source = SampleSource([replace(street.cache, present=present)], config.data)
    views = {view for step in range(2 * len(source)) for view in source.draw_views(0, step, 1)}
    assert {(view.frame, view.camera) for view in views} == {
        (frame, camera) for _, frame in source.entries for camera in np.flatnonzero(present[frame])
    }


def test_views_are_learned_from_with_the_focal_length_of_their_camera(feed, street, config):
    learner = SurroundLearner(config, [street.rig], learn_motion=False)
    batch = feed.batch(0, 0.0)
    asked = {}

    def relative_error(logits, focal, depth_m):
        asked['focal'] = focal
        return (depth_m / batch.hint.depth - 1).abs()

    learner.depth.hint_error = relative_error
    terms = learner(batch, 0.0, [0]).terms
    assert set(terms) == {'hint'}
    assert terms['hint'] < 1e-6
    expected = [
        street.rig.scaled(160, 96).cameras[view.camera].camera.focal for view in batch.views
    ]
    assert np.allclose(asked['focal'], expected)
