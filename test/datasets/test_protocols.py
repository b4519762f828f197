# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Scores of a fixed prediction on real images: a protocol means the same for ever."""

from pathlib import Path

import numpy as np
import pytest
from samples import DDAD, KITTI, NUSCENES, Sample

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.datasets.importing import import_dataset
from selfdepth_training.evaluate import evaluate
from selfdepth_training.protocols import protocol

CAMERAS_ABOVE_ROAD_M = 1.6


def imported(sample: Sample, out: Path) -> BagReader:
    """A bag of a sample, whose licence forbids shipping it."""
    if sample.absent:
        pytest.skip('the sample is absent (set SELFDEPTH_SAMPLES)')
    import_dataset(sample.dataset, sample.folder, out, progress=False)
    return BagReader(out)


def road(rig: Rig) -> list[np.ndarray]:
    """Depth of a flat road under the cameras; 40 m where a pixel looks above it or farther."""
    depths = []
    for entry in rig.cameras:
        rays, _ = entry.camera.pixel_rays()
        down = -entry.body_from_camera.rotate(rays.astype(np.float64))[..., 2]
        along = CAMERAS_ABOVE_ROAD_M / np.maximum(down, CAMERAS_ABOVE_ROAD_M / 40)
        depths.append(np.minimum(along * rays[..., 2], 40).astype(np.float32))
    return depths


# Means over the cameras: abs_rel, rmse, delta1, median-scaled abs_rel; and pixels that count.
PINNED = [
    (NUSCENES, 'nuscenes', (0.58276, 11.79931, 0.55853, 0.36642, 22040)),
    (NUSCENES, 'street', (0.58203, 11.09336, 0.57438, 0.34924, 21081)),
    (KITTI, 'kitti-eigen', (1.52716, 15.58602, 0.31009, 0.59798, 179579)),
    (DDAD, 'ddad', (1.23069, 18.88214, 0.28754, 0.44685, 76865)),
]


@pytest.mark.parametrize(('sample', 'name', 'pinned'), PINNED)
def test_the_scores_of_a_flat_road_do_not_change(sample, name, pinned, tmp_path):
    reader = imported(sample, tmp_path / 'bag')
    rig = reader.rig()
    depths = road(rig)
    mean = evaluate(lambda frame: depths, reader, rig, protocol(name).config).mean
    pixels = sum(band.count for band in mean.bands)
    found = (
        mean.metric.abs_rel, mean.metric.rmse, mean.metric.delta1, mean.median_scaled.abs_rel,
        pixels,
    )  # fmt: skip
    print('PIN', sample.dataset, name, found)
    assert found == pytest.approx(pinned, rel=1e-3)


def test_a_few_points_of_a_real_sweep_are_hidden(tmp_path):
    """Measured: 2.9 %; the LiDAR stands 0.3 m above the cameras."""
    reader, counted = imported(NUSCENES, tmp_path / 'bag'), []
    depths = road(reader.rig())
    for without in (False, True):
        config = protocol('nuscenes', without_hidden=without).config
        bands = evaluate(lambda frame: depths, reader, reader.rig(), config).mean.bands
        counted.append(sum(band.count for band in bands))
    assert 0.95 < counted[1] / counted[0] < 0.99
