# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which frames a step sees: a function of (seed, step), of frames with parallax only."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from selfdepth_training.config import DataConfig
from selfdepth_training.data.samples import DataError, RigSample, SampleSource, jitter
from selfdepth_training.data.stillness import ImageMotion

CONFIG = DataConfig(width=160, height=96)


def without_odometry(cache):
    return replace(cache, world_from_body=None)


def motion(cache, first: int, second: int) -> float:
    position = cache.world_from_body[:, :, :3, 3].mean(1)
    return float(np.linalg.norm(position[second] - position[first]))


def same(a: RigSample, b: RigSample) -> bool:
    return (a.source, a.frames) == (b.source, b.frames) and torch.equal(a.images, b.images)


def test_a_sample_depends_on_seed_and_step_only(street):
    first, second = (SampleSource([street.cache], CONFIG) for _ in range(2))
    steps = [5, 0, 77, 5]
    drawn = [first.draw(3, step) for step in steps]
    assert all(same(a, second.draw(3, step)) for a, step in zip(drawn, steps, strict=True))
    assert [first.draw(4, step).frames for step in steps] != [sample.frames for sample in drawn]


def test_an_epoch_shows_every_usable_frame_once(street):
    source = SampleSource([street.cache, street.cache], CONFIG)
    for epoch in range(2):
        steps = range(epoch * len(source), (epoch + 1) * len(source))
        shown = [(s.source, s.frames[1]) for s in (source.draw(0, step) for step in steps)]
        assert len(set(shown)) == len(shown) == len(source)
    assert {source for source, _ in shown} == {0, 1}


def test_few_of_many_frames_are_spread_over_all_recordings(street):
    everything = SampleSource([street.cache, street.cache], CONFIG)
    few = SampleSource([street.cache, street.cache], replace(CONFIG, frames=8))
    shown = sorted((s.source, s.frames[1]) for s in (few.draw(0, step) for step in range(8)))
    assert len(few) == len(set(shown)) == 8 < len(everything)
    assert [source for source, _ in shown] == 4 * [0] + 4 * [1]
    gaps = np.diff([frame for source, frame in shown if source == 0])
    assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize(('low', 'high', 'offset'), [(0.25, 1.8, 3), (0.5, 1.0, 1), (1.0, 3.0, 5)])
def test_neighbours_in_time_keep_within_the_bounds_of_motion(street, low, high, offset):
    config = replace(CONFIG, min_motion_m=low, max_motion_m=high, max_offset=offset)
    source = SampleSource([street.cache], config)
    seen = set()
    for step in range(60):
        before, now, after = source.draw(0, step).frames
        assert before < now < after
        assert max(now - before, after - now) <= offset
        for first, second in ((before, now), (now, after)):
            assert low <= motion(street.cache, first, second) <= high
        seen.add((now - before, after - now))
    assert len(seen) > 1 or offset == 1, 'neighbours are drawn, not fixed'


def test_a_sample_is_what_the_cache_holds(street):
    sample = SampleSource([street.cache], CONFIG).draw(0, 11)
    index = list(sample.frames)
    assert np.array_equal(sample.images, street.cache.images[index])
    assert np.array_equal(sample.world_from_body, street.cache.world_from_body[index])
    assert sample.world_from_body.dtype == torch.float64
    assert sample.stamps_s[1, 0] == 0
    expected = (street.cache.stamps_ns[index] - street.cache.stamps_ns[index[1], 0]) * 1e-9
    assert np.allclose(sample.stamps_s, expected, atol=1e-9)


def stopped(cache, first: int, last: int):
    """The drive with a halt: from frame `first` to `last` nothing moves, and nothing changes."""
    poses, images = cache.world_from_body.copy(), np.array(cache.images)
    poses[first : last + 1], images[first : last + 1] = poses[first], images[first]
    return replace(cache, world_from_body=poses, images=images)


@pytest.mark.parametrize('odometry', [True, False])
def test_frames_of_a_halt_are_no_neighbours_of_each_other(street, odometry):
    cache = stopped(street.cache, 10, 20)
    source = SampleSource([cache if odometry else without_odometry(cache)], CONFIG)
    pairs = set()
    for step in range(3 * len(source)):
        before, now, after = source.draw(0, step).frames
        pairs |= {(before, now), (now, after)}
    assert not [(a, b) for a, b in pairs if a >= 10 and b <= 20]
    assert [(a, b) for a, b in pairs if a < 10], 'the rest of the drive is used'


def waiting(cache, first: int, last: int):
    """A halt as cameras see it: the noise of dusk, and a lorry that crosses two of the views."""
    rng, halted = np.random.default_rng(0), stopped(cache, first, last)
    images = np.array(halted.images)
    lorry = rng.integers(0, 255, (2, 50, 60, 3), np.uint8)
    for frame in range(first, last + 1):
        noise = rng.normal(0, 5, images[frame].shape)
        images[frame] = (images[frame] + noise).round().clip(0, 255).astype(np.uint8)
        left = 8 * (frame - first) % 90
        images[frame, :2, 30:80, left : left + 60] = lorry
    return replace(halted, images=images)


def test_noise_and_traffic_are_no_motion(street):
    """Half of the drive waits at a crossing; without odometry, none of it is learned from, and
    all of the other half is."""
    half = len(street.cache) // 2
    source = SampleSource([without_odometry(waiting(street.cache, half, 2 * half - 1))], CONFIG)
    used = {now for _, now in source.entries}
    assert used >= set(range(2, half - 2))
    pairs = {(now, int(after)) for now, found in source.triplets[0].items() for after in found[1]}
    assert not [(a, b) for a, b in pairs if a >= half]


@pytest.mark.parametrize('odometry', [True, False])
def test_a_robot_that_stands_teaches_nothing_and_is_told_so(street, odometry):
    cache = stopped(street.cache, 0, len(street.cache) - 1)
    with pytest.raises(DataError, match='expected a robot that moves'):
        SampleSource([cache if odometry else without_odometry(cache)], CONFIG)


def test_without_odometry_each_pair_is_compared_once_and_progress_is_shown(
    street, monkeypatch, capsys
):
    compared = Counter()
    moved = ImageMotion._moved

    def counted(self, first, second):
        compared[first, second] += 1
        return moved(self, first, second)

    monkeypatch.setattr(ImageMotion, '_moved', counted)
    SampleSource([without_odometry(street.cache)], replace(CONFIG, without_odometry='learned'))
    assert len(compared) > 3 * 30 and set(compared.values()) == {1}
    assert f'neighbours {street.cache.source.name}: 100%' in capsys.readouterr().err


def test_motion_is_learned_when_one_recording_has_no_odometry(street):
    bare = without_odometry(street.cache)
    config = replace(CONFIG, without_odometry='learned')
    assert not SampleSource([street.cache], config).learn_motion
    source = SampleSource([street.cache, bare], config)
    assert source.learn_motion
    found = {s.source: s.world_from_body is None for s in (source.draw(0, i) for i in range(40))}
    assert found == {0: False, 1: True}


def test_a_frame_that_no_camera_saw_is_not_shown(street):
    present = street.cache.present.copy()
    present[7] = False
    source = SampleSource([replace(street.cache, present=present)], CONFIG)
    assert all(source.draw(0, step).frames[1] != 7 for step in range(len(source)))


def test_neighbours_of_cameras_that_run_freely_are_of_the_same_cameras(street):
    """Sets of one half of the cameras and of the other take turns, as of two groups half a period
    apart: compared with the other half, no camera has an image to be compared with."""
    present = np.zeros_like(street.cache.present)
    present[::2, :3] = present[1::2, 3:] = True
    cache = replace(street.cache, present=present)
    for bag, most in ((cache, 1), (cache, 3), (without_odometry(cache), 1)):
        source = SampleSource([bag], replace(CONFIG, max_offset=most))
        assert len(source) > len(cache) / 2
        for step in range(len(source)):
            assert source.draw(0, step).present.all(0).any(), 'no camera has before, now and after'


def some_images() -> torch.Tensor:
    return torch.rand(6, 3, 8, 10, generator=torch.manual_seed(2))


def test_jitter_of_no_strength_changes_nothing():
    images = some_images()
    assert jitter(images, 0.0, np.random.default_rng(0)) is images


def test_jitter_is_repeatable_bounded_and_differs_between_images():
    image = some_images()[:1].expand(6, -1, -1, -1)
    a, b = (jitter(image, 0.3, np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(a, b)
    assert a.min() >= 0 and a.max() <= 1
    assert (a[0] - a[1]).abs().mean() > 1e-3
    assert not torch.equal(a, jitter(image, 0.3, np.random.default_rng(6)))


def test_jitter_keeps_the_order_of_brightness():
    """Monotonic per colour: edges stay where they are, which is all the geometry there is."""
    ramp = torch.linspace(0, 1, 50).expand(4, 3, 1, 50)
    assert (jitter(ramp, 0.5, np.random.default_rng(1)).diff(dim=-1) >= 0).all()
