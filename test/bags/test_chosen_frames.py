# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A cache with images of some frames only: the same frames, on a fraction of the disk."""

import numpy as np

from selfdepth_training.data.cache import build_cache

WIDTH, HEIGHT = 192, 96


def build(bag, root, **how):
    return build_cache(bag, root, WIDTH, HEIGHT, progress=False, **how)


def every_tenth(world_from_body):
    return np.arange(3, len(world_from_body), 10)


def test_frames_that_were_not_chosen_are_there_without_images(record, tmp_path):
    bag = record(frames=40)
    whole, part = build(bag, tmp_path), build(bag, tmp_path, choose=every_tenth)
    assert part.folder != whole.folder
    chosen = every_tenth(whole.world_from_body)
    for name in ('stamps_ns', 'world_from_body'):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name))
    assert part.images.shape == whole.images.shape
    np.testing.assert_array_equal(part.images[chosen], whole.images[chosen])
    assert np.flatnonzero(part.present.all(1)).tolist() == chosen.tolist()
    assert part.present.sum() == part.present.shape[1] * len(chosen)
    taken = [(c.folder / 'images.npy').stat().st_blocks for c in (part, whole)]
    assert taken[0] < taken[1] / 5


def test_frames_that_odometry_does_not_reach_do_not_shift_the_others(recording, tmp_path):
    """The first images come before any pose."""
    earlier = recording.Recording(frames=30, stamp=lambda name, frame, stamp: stamp - 300_000_000)
    bag = earlier.write(tmp_path / 'drive')
    whole, part = build(bag, tmp_path), build(bag, tmp_path, choose=every_tenth)
    assert len(whole) == 27
    chosen = np.flatnonzero(part.present.any(1))
    assert chosen.tolist() == every_tenth(whole.world_from_body).tolist()
    np.testing.assert_array_equal(part.images[chosen], whole.images[chosen])


def test_without_odometry_it_is_asked_all_the_same(record, tmp_path):
    asked = []

    def first(world_from_body):
        asked.append(world_from_body)
        return np.array([0])

    cache = build(record(frames=4, odometry=False), tmp_path, choose=first)
    assert asked == [None]
    assert cache.world_from_body is None
    assert cache.present.all(1).tolist() == [True, False, False, False]
