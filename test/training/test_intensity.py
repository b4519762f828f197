# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Gains that were planted into a street's cameras are found, and comparisons are as before."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import load_recipe
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.intensity import alignments
from selfdepth_training.losses.surround import AFTER, SurroundReprojection, surround_views
from selfdepth_training.sweep import depth_ladder, sweep

GAINS = np.array([1.2, 0.9, 1.0, 0.8, 1.1, 1.0])
CPU = torch.device('cpu')
CONFIG = load_recipe(
    'fsm', ['data.width=160', 'data.height=96', 'data.align_intensity=true', 'data.frames=8']
)


@pytest.fixture(scope='module')
def sources(street):
    """The drive as it is, and with other exposures (blue a little more in the second camera)."""
    gains = np.repeat(GAINS[:, None], 3, 1)
    gains[1, 2] *= 1.1
    images = street.cache.images * gains[:, None, None].astype(np.float32)
    other = replace(street.cache, images=images.round().clip(0, 255).astype(np.uint8))
    return [SampleSource([cache], CONFIG.data) for cache in (street.cache, other)], gains


@pytest.fixture(scope='module')
def found(street, sources):
    return [alignments(source, [street.rig], CONFIG)[0] for source in sources[0]]


def test_planted_gains_are_found(sources, found):
    """Each to 4 %, up to one factor of all, beside what the street itself says."""
    plain, planted = (each[..., 0].numpy() for each in found)
    away = np.log(planted / plain * sources[1])
    away -= away.mean(0)
    assert np.abs(away).max() < 0.04
    blue = planted[1, 2] / planted[1, :2].mean() / (plain[1, 2] / plain[1, :2].mean())
    assert blue == pytest.approx(1 / 1.1, rel=0.03)


def test_cameras_that_are_alike_stay_as_they_are(found):
    plain = found[0]
    assert (plain[..., 0] - 1).abs().max() < 0.06
    assert plain[..., 1].abs().max() < 0.03


def errors(street, source, alignment):
    """Spatial photometric error with the true depth, and what share of a sweep of the overlaps
    alone is sure."""
    geometry = RigGeometry.of(street.rig, 160, 96, 'z_depth', CPU, alignment)
    tables = SurroundReprojection(geometry, 1, 0.85)
    total, sure = [], []
    for recording, now in source.entries[::3]:
        sample = source.middling(recording, now)
        views = surround_views(sample, SE3(sample.world_from_body), geometry, 0)
        spatial = tables.spatial(views, street.depth(now), AFTER)
        total.append(spatial.error[spatial.valid].mean().item())
        ladder = depth_ladder(1.2, 80.0, 40, CPU)
        swept = sweep(views, geometry, ladder, 0.85, temporal=False)
        sure.append(swept.sure.float().mean().item())
    return np.mean(total), np.mean(sure)


def test_comparisons_between_cameras_are_as_with_equal_cameras(street, sources, found):
    """Sweeps suffer from exposures; aligned, error and sweep are as with equal cameras."""
    (plain, other), _ = sources
    error, sure = errors(street, plain, None)
    spoiled_error, spoiled_sure = errors(street, other, None)
    aligned_error, aligned_sure = errors(street, other, found[1])
    assert spoiled_sure < 0.8 * sure
    assert aligned_sure > 0.9 * sure
    assert aligned_error < 1.05 * error
    assert aligned_error <= spoiled_error


def test_the_temporal_views_are_left_alone(street, sources, found):
    sample = sources[0][1].middling(*sources[0][1].entries[0])
    geometry = RigGeometry.of(street.rig, 160, 96, 'z_depth', CPU, found[1])
    views = surround_views(sample, SE3(sample.world_from_body), geometry, 0)
    expected = sample.images.permute(0, 1, 4, 2, 3).float() / 255
    torch.testing.assert_close(views.images, expected)
    assert (views.across - views.images).abs().max() > 0.05


def test_without_the_option_nothing_is_measured(street, sources):
    config = replace(CONFIG, data=replace(CONFIG.data, align_intensity=False))
    assert alignments(sources[0][0], [street.rig], config) == [None]


def test_a_dead_camera_has_no_say(street, sources, found):
    """Black all the time: it stays as it is, and so do the others' gains."""
    images = street.cache.images.copy()
    images[:, 2] = 0
    source = SampleSource([replace(street.cache, images=images)], CONFIG.data)
    (dead,) = alignments(source, [street.rig], CONFIG)
    assert dead.isfinite().all()
    assert (dead[2, :, 0] - 1).abs().max() < 1e-3
    assert (dead[..., 0] - found[0][..., 0]).abs().max() < 0.06
