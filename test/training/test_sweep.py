# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The plane sweep against the true depths of the street."""

import numpy as np
import pytest
import torch

from selfdepth_training.config import DataConfig, TrainConfig
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.hints import LEVEL, SweepHints
from selfdepth_training.sweep import depth_ladder

CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def hints(street) -> SweepHints:
    config = TrainConfig(data=DataConfig(width=160, height=96))
    rig = street.rig
    geometry = RigGeometry.of(rig, 160 >> LEVEL, 96 >> LEVEL, 'z_depth', CPU)
    return SweepHints(SampleSource([street.cache], config.data), [geometry], config)


def test_the_ladder_is_even_in_inverse_depth():
    ladder = depth_ladder(1.0, 100.0, 25, CPU)
    assert (ladder[0], ladder[-1]) == (100, 1)
    steps = torch.diff(1 / ladder)
    assert torch.allclose(steps, steps[:1], rtol=1e-4)


def test_where_it_is_sure_the_sweep_knows_the_depth(hints, street):
    """Within one rung or 20 %: measured .90 of what it is sure of, which is .30 of all, on images
    40 pixels wide."""
    inverse_rung = (1 / 1.2 - 1 / 100) / 39
    errors, shares = [], []
    for step in range(4):
        sample = hints.source.draw(0, step)
        found = hints.of(sample)
        size = 1 << LEVEL
        truth = street.depth(sample.frames[1]).clamp(max=100)
        small = torch.nn.functional.avg_pool2d(1 / truth[:, None], size)[:, 0]
        off = (1 / found.depth - small).abs()
        errors.append((off <= torch.maximum(torch.tensor(inverse_rung), 0.2 * small))[found.sure])
        shares.append(found.sure.float().mean())
    assert np.mean(shares) > 0.2
    assert torch.cat(errors).float().mean() > 0.8


def test_a_hint_belongs_to_its_frame_alone(hints):
    """Not to the step, its neighbours in time or what was asked before: a resumed training needs
    the same hints."""
    sample = hints.source.draw(0, 3)
    again = SweepHints(hints.source, hints.geometries, hints.config)
    other = next(
        drawn
        for drawn in (hints.source.draw(1, step) for step in range(200))
        if drawn.frames[1] == sample.frames[1]
    )
    first, second = hints.of(sample), again.of(other)
    assert torch.equal(first.depth, second.depth) and torch.equal(first.sure, second.sure)
    assert hints.of(sample) is first


def test_the_robot_s_body_has_no_hint(hints):
    found = hints.of(hints.source.draw(0, 0))
    assert not (found.sure & ~hints.geometries[0].visible).any()
    assert found.depth.isfinite().all() and (found.depth > 0).all()
