# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The recording's LiDAR as labels, and what a network loses for missing them."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from selfdepth_ros.core.cameras import EquidistantCamera
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import load_recipe
from selfdepth_training.data.cache import build_cache, with_rig
from selfdepth_training.data.lidar import (
    FILE_NAME,
    LidarDepth,
    _image,
    nearest_sweeps,
)
from selfdepth_training.data.samples import DataError, SampleSource
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.labels import LABELS, LidarLabels
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.losses.labels import LABEL_ERRORS, berhu, log_l1, scale_invariant
from selfdepth_training.terms import hint_loss
from selfdepth_training.train import train

CPU = torch.device('cpu')


def labels_of(street, kind: str = 'z_depth') -> LidarLabels:
    config = load_recipe('supervised', ['data.width=160', 'data.height=96'])
    geometry = RigGeometry.of(street.rig, 80, 48, kind, CPU)
    return LABELS['lidar'](SampleSource([street.cache], config.data), [geometry], config)


def test_labels_are_the_true_depths_where_the_lidar_measured(street):
    """98.5 % of a street's visible LiDAR points agree with the image within 5 % at full size; at
    half of it a pixel holds four of the image's, so that one of these must agree."""
    labels, shares, counts = labels_of(street), [], []
    body = torch.from_numpy(street.body)
    for frame in (5, 20, 33):
        depth, sure = labels.of(0, frame, CPU)
        assert depth.shape == (6, 48, 80)
        true = torch.from_numpy(street.z_depths[frame]).unflatten(2, (80, 2)).unflatten(1, (48, 2))
        off = (true / depth[:, :, None, :, None] - 1).abs().nan_to_num(1).amin((2, 4))
        shares.append((off[sure] < 0.05).float().mean())
        counts.append(sure.sum())
        assert not (sure & body[:, ::2, ::2] & body[:, 1::2, 1::2]).any()
    assert min(shares) > 0.95, shares
    assert min(counts) > 1000


def test_ray_distances_are_told_to_a_network_of_ray_distances(street):
    z, ray = (labels_of(street, kind).of(0, 8, CPU) for kind in ('z_depth', 'ray_distance'))
    assert torch.equal(z.sure, ray.sure)
    directions = RigGeometry.of(street.rig, 80, 48, 'z_depth', CPU).rays
    expected = z.depth * directions.norm(dim=-1)
    assert torch.allclose(ray.depth[ray.sure], expected[ray.sure], rtol=1e-3)


def test_labels_are_projected_with_the_lenses_of_a_corrected_rig(street, tmp_path):
    """A centre ten pixels to the right at half of the bag's size: five columns of the labels."""
    cache = build_cache(street.bag, tmp_path, 80, 48, progress=False)
    moved = (
        replace(entry, camera=replace(entry.camera, cx=entry.camera.cx + 10))
        for entry in cache.rig.cameras
    )
    corrected = with_rig(cache, replace(cache.rig, cameras=tuple(moved)))
    plain, found = (LidarDepth(each, progress=False).of(8) for each in (cache, corrected))
    both = plain.sure[..., :-5] & found.sure[..., 5:]
    assert both.sum() > 0.9 * plain.sure[..., :-5].sum()
    same = (plain.depth[..., :-5] == found.depth[..., 5:])[both]
    assert same.float().mean() > 0.9


FISHEYE = EquidistantCamera(160, 96, 48.0, 48.0, 79.5, 47.5)
"""Of 190 degrees from left to right."""


def test_labels_of_a_fisheye_are_distances_up_to_its_rim():
    """In the middle of a sphere all are its radius; z-depths differ by 30 % within a pixel at 88
    degrees, and beyond 90 there are none."""
    angle, around = np.meshgrid(np.linspace(0, 1.95, 300), np.linspace(0, 2 * np.pi, 900))
    sideways = np.sin(angle)
    sphere = [sideways * np.cos(around), sideways * np.sin(around), np.cos(angle)]
    points = 7.0 * np.stack(sphere, -1).reshape(-1, 3)
    rig = Rig((RigCamera('fisheye', FISHEYE, SE3.identity(), 'fisheye_optical'),))
    found = _image(points, (0, 0), rig, 0, None, (1, 48, 80))
    assert found[:, 1] == pytest.approx(7.0)
    rays, inside = FISHEYE.scaled(80, 48).pixel_rays()
    there = np.isin(np.arange(48 * 80).reshape(48, 80), found[:, 0])
    beyond = inside & (rays[..., 2] < -0.02)
    assert beyond.sum() > 20 and there[beyond].mean() > 0.9
    assert there[inside].mean() > 0.9


def test_z_depths_of_a_fisheye_are_told_where_a_pixel_has_one(street, tmp_path):
    cache = build_cache(street.bag, tmp_path, 160, 96, progress=False)
    fisheyes = tuple(replace(entry, camera=FISHEYE) for entry in cache.rig.cameras)
    cache = with_rig(cache, replace(cache.rig, cameras=fisheyes))
    config = load_recipe('supervised', ['data.width=160', 'data.height=96'])
    geometry = RigGeometry.of(cache.rig, 80, 48, 'ray_distance', CPU)
    distance = LABELS['lidar'](SampleSource([cache], config.data), [geometry], config).of(
        0, 8, CPU
    )
    forward = geometry.rays[..., 2]
    assert (distance.sure & (forward < 0)).sum() > 20
    z_depth = LidarDepth(cache, progress=False).of(8)
    assert torch.equal(z_depth.sure, distance.sure & (forward > 0.1))
    expected = (distance.depth * forward)[z_depth.sure]
    assert torch.allclose(z_depth.depth[z_depth.sure], expected)


def test_the_nearest_sweep_is_that_of_all_differences():
    """Of sweeps in any order, some of them twice, and stamps halfway between two."""
    rng = np.random.default_rng(0)
    for count in (1, 2, 30):
        sweeps, stamps = rng.integers(0, 40, count), rng.integers(-5, 45, (50, 6))
        expected = np.abs(stamps[..., None] - sweeps).argmin(-1)
        np.testing.assert_array_equal(nearest_sweeps(stamps, sweeps), expected)


def test_a_long_drive_needs_no_memory_for_every_stamp_beside_every_sweep():
    """Those of two minutes would be 69 MB."""
    sweeps = np.arange(1200) * 100_000_000
    stamps = np.repeat(sweeps[:, None], 6, 1) + 7
    tracemalloc.start()
    found = nearest_sweeps(stamps, sweeps)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found == np.arange(1200)[:, None]).all()
    assert most < 5e6


def test_a_projection_is_kept_and_read_again(street):
    first, path = LidarDepth(street.cache, progress=False).of(8), street.cache.folder / FILE_NAME
    before = path.stat().st_mtime_ns
    again = LidarDepth(street.cache, progress=False).of(8)
    assert path.stat().st_mtime_ns == before
    assert torch.equal(first.depth, again.depth) and torch.equal(first.sure, again.sure)


@pytest.mark.parametrize('how', ['shorter', 'other', 'of fewer frames'])
def test_a_damaged_projection_is_made_again(street, how, caplog):
    expected = LidarDepth(street.cache, progress=False).of(4)
    file = street.cache.folder / FILE_NAME
    data = file.read_bytes()
    if how == 'of fewer frames':
        with np.load(file) as stored:
            parts = dict(stored)
        np.savez(file, ends=parts['ends'][:-1], pixels=parts['pixels'], depths=parts['depths'])
    else:
        file.write_bytes(data[: len(data) // 2] if how == 'shorter' else b'{{' + data[:-90])
    found = LidarDepth(street.cache, progress=False).of(4)
    assert 'is made again' in caplog.text
    assert torch.equal(found.depth, expected.depth)
    assert file.stat().st_size == len(data)


def test_a_bag_without_lidar_is_one_clear_error(record, tmp_path):
    config = load_recipe('supervised', ['data.width=96', 'data.height=64', 'steps=1'])
    with pytest.raises(DataError, match=r'Found no LiDAR in .*Record with the LiDAR on'):
        train([record()], tmp_path / 'run', config, cache_root=tmp_path)


def some(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logarithms of depths said and told, and where they are told."""
    rng = np.random.default_rng(seed)
    said, told = (torch.from_numpy(rng.normal(2, 1, (3, 6, 8))) for _ in range(2))
    return said, told, torch.from_numpy(rng.uniform(size=(3, 6, 8)) < 0.4)


@pytest.mark.parametrize('name', LABEL_ERRORS)
def test_every_error_is_zero_at_the_truth_and_looks_at_labels_only(name):
    said, told, sure = some(0)
    error = LABEL_ERRORS[name]
    assert error(told, told, sure) == 0
    spoiled = torch.where(sure, told, torch.tensor(float('nan')))
    said.requires_grad_()
    error(said, spoiled, sure).backward()
    assert said.grad.isfinite().all()
    assert ((said.grad != 0) == sure).float().mean() > 0.99
    assert not said.grad[~sure].any()
    assert error(said, told, torch.zeros_like(sure)) == 0


def test_half_of_a_common_factor_is_forgiven_by_the_scale_invariant_error():
    """Eigen et al. 2014: of an error that all pixels share, lambda is taken off; of one without a
    mean, nothing."""
    _, told, sure = some(1)
    assert scale_invariant(told + 0.3, told, sure).item() == pytest.approx(0.5 * 0.09)
    everywhere = torch.ones_like(sure)
    swing = 0.3 * torch.tensor([1.0, -1.0]).double().repeat(3, 6, 4)
    assert scale_invariant(told + swing, told, everywhere).item() == pytest.approx(0.09)


def test_the_reverse_huber_error_is_absolute_below_its_knee_and_squared_above():
    told, sure = torch.zeros(1, 1, 5).double(), torch.ones(1, 1, 5, dtype=torch.bool)
    said = torch.tensor([[[0.0, 0.1, -0.2, 0.5, 1.0]]]).double()  # the knee is at 0.2
    expected = [0.0, 0.1, 0.2, (0.25 + 0.04) / 0.4, (1 + 0.04) / 0.4]
    assert berhu(said, told, sure).item() == pytest.approx(np.mean(expected))
    said.requires_grad_()
    berhu(said, told, sure).backward()
    slopes = 5 * said.grad[0, 0].abs()
    assert slopes[1:].tolist() == pytest.approx([1, 1, 0.5 / 0.2, 1 / 0.2])


def test_a_few_wrong_labels_pull_the_absolute_error_least():
    told, sure = torch.zeros(1, 1, 50).double(), torch.ones(1, 1, 50, dtype=torch.bool)
    told[..., :2] = 3.0

    def pull(error) -> float:
        said = torch.zeros(1, 1, 50).double().requires_grad_()
        error(said, told, sure).backward()
        return float(said.grad[..., :2].abs().sum())

    assert pull(log_l1) < 0.25 * min(pull(berhu), pull(scale_invariant))


def test_hints_fade_only_where_the_recipe_has_it_so(street):
    config = load_recipe('supervised', ['data.width=160', 'data.height=96'])
    learner = SurroundLearner(config, [street.rig], learn_motion=False)
    hint = labels_of(street).of(0, 8, CPU)
    logits, focal = torch.zeros(6, 1, 48, 80), torch.full((6,), 100.0)

    def loss(fades: bool, progress: float) -> float:
        how = replace(config.loss, hint_fades=fades)
        return hint_loss(how, learner.depth, logits, focal, hint, progress).item()

    assert loss(False, 0.75) == loss(False, 0.0) > 0
    assert loss(True, 0.75) == pytest.approx(0.25 * loss(True, 0.0))
