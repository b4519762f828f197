# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A clip of KITTI, one camera and no poses: imported, learned from, measured and reported."""

import json
import math
import shutil

import pytest
from samples import KITTI

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.main import main
from selfdepth_training.checkpoint import load_checkpoint

pytestmark = pytest.mark.skipif(
    KITTI.absent, reason='the sample is absent (set SELFDEPTH_SAMPLES)'
)
FIRST_HELD_OUT = 60
SETTINGS = (
    'network.encoder=[8, 8, 16, 32, 64]', 'network.decoder=[8, 8, 8, 8]', 'network.pose_width=8',
    'data.width=128', 'data.height=64', 'precision=32-true',
)  # fmt: skip
STEPS = 4


def import_part(numbers, folder):
    """The bag of some frames of the clip; its stamps are those of the whole clip."""
    (drive,) = KITTI.folder.glob('*/*_sync')
    part = folder / 'kitti' / drive.parent.name / drive.name
    for sensor in ('image_02', 'velodyne_points'):
        (part / sensor / 'data').mkdir(parents=True)
        for path in (drive / sensor / 'data').iterdir():
            if int(path.stem) in numbers:
                (part / sensor / 'data' / path.name).symlink_to(path.resolve())
    for path in drive.parent.glob('calib_*.txt'):
        shutil.copy(path, part.parent)
    assert main(['import', 'kitti', str(folder / 'kitti'), str(folder / 'bag'), '--quiet']) == 0
    return folder / 'bag'


@pytest.fixture(scope='module')
def learned(tmp_path_factory):
    return import_part(range(FIRST_HELD_OUT), tmp_path_factory.mktemp('learned'))


@pytest.fixture(scope='module')
def held_out(tmp_path_factory):
    return import_part(range(FIRST_HELD_OUT, 1000), tmp_path_factory.mktemp('held_out'))


@pytest.fixture(scope='module')
def trained(learned, tmp_path_factory):
    out = tmp_path_factory.mktemp('trained') / 'run'
    given = ['--recipe', 'monocular', '--steps', str(STEPS), '--out', str(out)]
    assert main(['train', str(learned), *given, *(f'--set={text}' for text in SETTINGS)]) == 0
    return out


def test_no_frame_is_learned_from_and_held_out(learned, held_out):
    before, after = (
        [frame.stamp_ns for frame in BagReader(bag).surround_frames()]
        for bag in (learned, held_out)
    )
    assert len(before) == FIRST_HELD_OUT
    assert max(before) < min(after)


def test_a_training_of_one_camera_runs_to_its_end(trained):
    state = load_checkpoint(trained)
    assert state['step'] == STEPS
    assert state['scale'] == 'relative'


def test_it_is_measured_beside_the_row_baseline(trained, learned, held_out, tmp_path):
    scores = tmp_path / 'scores.json'
    given = ['--protocol', 'kitti-eigen', '--baseline', str(learned), '--json', str(scores)]
    assert main(['evaluate', str(trained), str(held_out), *given]) == 0
    results = json.loads(scores.read_text())
    sweeps = len(list(BagReader(held_out).lidar()))
    for which in ('model', 'row_baseline'):
        row = results[which]['cameras']['camera_02']
        assert results[which]['truth'] == 'LiDAR'
        assert row['images'] == sweeps > 0
        assert math.isfinite(row['median_scaled']['abs_rel'])


def test_its_report_opens(trained, held_out, tmp_path):
    page = tmp_path / 'report.html'
    given = ['--protocol', 'kitti-eigen', '--worst', '1', '--out', str(page)]
    assert main(['report', str(trained), str(held_out), *given]) == 0
    text = page.read_text('utf-8')
    assert 'Scale is relative: every figure is median-scaled' in text
    assert 'kitti-eigen/2' in text
    for kind in ('image', 'depth', 'error'):
        assert f'alt="camera_02: {kind}"' in text
