# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The bag of a street world holds exactly what was rendered."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.main import main
from selfdepth_ros.synthetic import StreetRenderer, StreetWorld, SyntheticError, write_bag
from selfdepth_ros.synthetic.pool import render_frames
from selfdepth_ros.synthetic.recording import EPOCH_NS, FrameContent, Recording
from selfdepth_ros.synthetic.synth import odometry_poses

SEED, FRAMES = 9, 3


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    out = tmp_path_factory.mktemp('bags') / 'street'
    command = f'synth {out} --seed {SEED} --frames {FRAMES} --size 96x64 --raw --depth-truth'
    assert main([*command.split(), '--workers', '1', '--quiet']) == 0
    return out


@pytest.fixture(scope='module')
def rendered(bag):
    recording = Recording(SEED, FRAMES, 96, 64)
    world = StreetWorld(SEED, recording.duration_s)
    renderer = StreetRenderer(world, BagReader(bag).rig())
    return recording, [renderer.render(recording.stamps_ns(i).tolist()) for i in range(FRAMES)]


def test_the_rig_in_the_bag_renders_the_images_in_the_bag(bag, rendered):
    recording, frames = rendered
    read = list(BagReader(bag).surround_frames())
    assert len(read) == FRAMES
    for i, (got, expected) in enumerate(zip(read, frames, strict=True)):
        assert list(got.stamps_ns) == list(EPOCH_NS + recording.stamps_ns(i))
        # Poses travel as quaternions: a pixel on an edge may fall on its other side.
        assert np.mean(np.stack(got.images) == expected.images) > 0.99


def test_the_truth_in_the_bag_is_the_rendered_depth(bag, rendered):
    recording, frames = rendered
    count = 0
    stamps = np.stack([EPOCH_NS + recording.stamps_ns(i) for i in range(FRAMES)])
    for camera, stamp, depth in BagReader(bag).depth_truth():
        frame, index = np.argwhere(stamps == stamp)[0]
        expected = frames[frame].z_depths[camera]
        assert index == camera
        assert np.mean(np.isclose(depth, expected, rtol=1e-4, equal_nan=True)) > 0.99
        assert np.mean(np.isnan(depth) == np.isnan(expected)) > 0.99
        count += 1
    assert count == FRAMES * 6


def test_odometry_in_the_bag_is_the_drive(bag, rendered):
    recording, frames = rendered
    stamps, poses = BagReader(bag).odometry()
    assert np.allclose(np.diff(stamps), 2e7)
    assert stamps[0] < EPOCH_NS + recording.stamps_ns(0).min()
    assert stamps[-1] > EPOCH_NS + recording.stamps_ns(FRAMES - 1).max()
    exact = odometry_poses(recording, stamps - EPOCH_NS)
    assert np.abs(poses - exact).max() < 1e-6
    drifting = odometry_poses(recording, stamps - EPOCH_NS, noise=0.02)
    assert 1e-4 < np.abs(drifting - exact).max() < 0.5


def test_lidar_is_in_the_bag_in_the_body_frame(bag):
    scans = list(BagReader(bag).lidar())
    assert len(scans) == FRAMES
    ground = np.abs(scans[0][1][:, 2]) < 0.25
    assert ground.mean() > 0.2


def test_cameras_are_a_few_milliseconds_apart():
    stamps = Recording(SEED, FRAMES).stamps_ns(1)
    assert len(set(stamps)) == 6
    assert 5e6 < np.ptp(stamps) < 20e6


def digest(frame: FrameContent):
    scan = [frame.scan.points, frame.scan.intensity, frame.scan.ring]
    return [part.tobytes() for part in (frame.stamps_ns, *frame.images, frame.z_depths, *scan)]


def test_several_processes_render_what_one_renders():
    recording = Recording(SEED, FRAMES, 96, 64, depth_truth=True)
    alone, shared = (list(render_frames(recording, workers)) for workers in (1, 2))
    assert [digest(frame) for frame in alone] == [digest(frame) for frame in shared]


def test_an_existing_bag_is_refused(bag):
    with pytest.raises(BagError, match='exists'):
        write_bag(bag, SEED, FRAMES)


@pytest.mark.parametrize(
    'bad',
    [
        {'frames': 0},
        {'seed': -1},
        {'width': 3},
        {'jpeg_quality': 0},
        {'lidar_noise_m': -1},
        {'lidar_noise_m': float('nan')},
        {'odometry_noise': -0.1},
        {'odometry_noise': float('nan')},
    ],
)
def test_options_out_of_range_are_refused(bad, tmp_path):
    options = {'seed': SEED, 'frames': FRAMES, **bad}
    with pytest.raises(SyntheticError, match=next(iter(bad))):
        write_bag(tmp_path / 'never', **options)
    assert not (tmp_path / 'never').exists()
