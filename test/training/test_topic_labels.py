# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth images of the recording as labels: here those of the renderer, which are true."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from selfdepth_ros.core.cameras import EquidistantCamera
from selfdepth_training.checkpoint import load_checkpoint
from selfdepth_training.config import load_recipe
from selfdepth_training.data.depth_topic import TopicDepth
from selfdepth_training.data.folder import CacheError
from selfdepth_training.data.samples import DataError, SampleSource
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.labels import LABELS
from selfdepth_training.train import train

CPU = torch.device('cpu')
TRUTH = 'data.labels=topic', 'data.label_topic=/{camera}/depth_truth'
SMALL = (
    'data.width=96', 'data.height=64', 'network.encoder=[16, 16, 16, 32, 32]',
    'network.decoder=[16, 16, 16, 16]', 'data.frames=4', 'precision=32-true', 'steps=2',
)  # fmt: skip


@pytest.mark.parametrize('kind', ['z_depth', 'ray_distance'])
def test_labels_are_the_depth_images(street, kind):
    config = load_recipe('supervised', ['data.width=160', 'data.height=96', *TRUTH])
    geometry = RigGeometry.of(street.rig, 80, 48, kind, CPU)
    labels = LABELS['topic'](SampleSource([street.cache], config.data), [geometry], config)
    for frame in (5, 20):
        depth, sure = labels.of(0, frame, CPU)
        true = torch.from_numpy(street.z_depths[frame])
        # One of the four pixels of which it is one: an outline may run through them.
        corners = torch.stack([true[:, y::2, x::2] for y in (0, 1) for x in (0, 1)])
        z_depth = depth * geometry.rays[..., 2]
        off = (corners / z_depth - 1).abs().nan_to_num(9).amin(0)
        assert off[sure].max() < 2e-3
        known = corners.isfinite().all(0) & geometry.visible
        assert sure[known].all() and not sure[corners.isinf().all(0)].any()


def test_a_z_depth_to_the_side_tells_no_distance(street):
    """A pixel of a fisheye at 88 degrees has distances that differ by 30 %, one beyond 90 none."""
    lens = EquidistantCamera(160, 96, 48.0, 48.0, 79.5, 47.5)
    cameras = tuple(replace(entry, camera=lens) for entry in street.cache.rig.cameras)
    config = load_recipe('supervised', ['data.width=160', 'data.height=96', *TRUTH])
    geometry = RigGeometry.of(replace(street.rig, cameras=cameras), 80, 48, 'ray_distance', CPU)
    labels = LABELS['topic'](SampleSource([street.cache], config.data), [geometry], config)
    sure, known = (
        labels.of(0, 5, CPU).sure,
        TopicDepth(street.cache, '/{camera}/depth_truth').of(5).sure,
    )
    assert torch.equal(sure, known & geometry.visible & (geometry.rays[..., 2] > 0.1))
    assert (known & geometry.visible & ~sure).any()


def test_a_network_learns_from_them(street, tmp_path):
    train(
        [street.bag],
        tmp_path / 'run',
        load_recipe('supervised', [*SMALL, *TRUTH]),
        cache_root=tmp_path,
    )
    state = load_checkpoint(tmp_path / 'run')
    assert (state['step'], state['scale']) == (2, 'metric')


def test_a_bag_without_such_images_is_one_clear_error(street, tmp_path):
    config = load_recipe(
        'supervised', [*SMALL, 'data.labels=topic', 'data.label_topic=/x/{camera}']
    )
    with pytest.raises(DataError, match=r'Found no depth image .* on /x/\{camera\}.*label_topic'):
        train([street.bag], tmp_path / 'run', config, cache_root=tmp_path)


@pytest.mark.parametrize('how', ['shorter', 'other', 'shifted', 'of fewer frames'])
def test_damaged_depths_are_stored_again(street, tmp_path, how, caplog):
    cache = replace(street.cache, folder=tmp_path)
    expected = TopicDepth(cache, '/{camera}/depth_truth', progress=False).of(4).depth
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    if how == 'of fewer frames':
        np.save(file, np.load(file)[:-1])
    elif how == 'shifted':  # a bit of the length of the header
        file.write_bytes(data[:8] + bytes([data[8] ^ 2]) + data[9:])
    else:
        file.write_bytes(data[: len(data) // 2] if how == 'shorter' else b'{{' + data[2:])
    found = TopicDepth(cache, '/{camera}/depth_truth', progress=False).of(4).depth
    assert 'is made again' in caplog.text
    assert torch.equal(found, expected)
    assert file.read_bytes() == data


def test_depths_of_a_long_drive_are_never_in_memory_together(street, tmp_path):
    """Those of 3000 frames are 138 MB; all but the first have none here."""
    count, given = 3000, len(street.cache)
    later = np.arange(1, count - given + 1)[:, None] * 100_000_000
    cache = replace(
        street.cache, folder=tmp_path,
        images=np.broadcast_to(street.cache.images[:1], (count, *street.cache.images.shape[1:])),
        stamps_ns=np.concatenate([street.cache.stamps_ns, street.cache.stamps_ns[-1] + later]),
        present=np.ones((count, 6), bool), world_from_body=None,
    )  # fmt: skip
    tracemalloc.start()
    depths = TopicDepth(cache, '/{camera}/depth_truth', progress=False)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 40e6
    assert depths.of(given - 1).sure.any() and not depths.of(count - 1).sure.any()


def test_a_folder_that_cannot_be_written_is_one_clear_error(street, tmp_path):
    (tmp_path / 'file').write_text('in the way')
    cache = replace(street.cache, folder=tmp_path / 'file' / 'cache')
    with pytest.raises(CacheError, match='choose another cache folder'):
        TopicDepth(cache, '/{camera}/depth_truth', progress=False)
