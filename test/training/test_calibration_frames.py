# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which frames of a recording `selfdepth calibrate` looks at, keeps and judges on."""

import json
from dataclasses import replace

import numpy as np
import pytest

from selfdepth_ros.cli.main import main
from selfdepth_training.extrinsics.drive import Drive, looked_at


def long_drive(frames=6000, step_m=0.1):
    """Body poses (f, 6, 4, 4) straight ahead."""
    poses = np.tile(np.eye(4), (frames, 6, 1, 1))
    poses[..., 0, 3] = step_m * np.arange(frames)[:, None]
    return poses


def test_of_a_long_drive_some_hundred_images_are_kept_and_all_are_looked_at(street):
    """Ten minutes at 10 Hz: whatever a drive asks for has been kept, key frames on either side of
    each anchor included."""
    poses = long_drive()
    kept = looked_at(poses)
    assert len(np.unique(kept)) == len(kept) < 450
    assert kept.min() == 0 and kept.max() == len(poses) - 1
    frames = len(poses)
    cache = replace(
        street.cache, world_from_body=poses,
        images=np.broadcast_to(np.uint8(0), (frames, 6, 8, 8, 3)),
        present=np.isin(np.arange(frames), kept)[:, None].repeat(6, 1),
        stamps_ns=np.zeros((frames, 6), np.int64),
    )  # fmt: skip
    drive = Drive.of([cache, cache])
    assert len(drive.anchors) == 60
    asked = {
        k + step for k in drive.anchors for step in range(-2, 3) if drive.together(k, k + step)
    }
    assert drive.present[sorted(asked)].all()
    assert len(drive.judged) > 50
    for recording, now in drive.judged:
        assert drive.caches[recording].present[list(now)].all()


@pytest.mark.parametrize('frames', [1, 2, 12])
def test_of_a_short_drive_all_key_frames_are_kept(frames):
    assert looked_at(long_drive(frames, 0.5)).tolist() == list(range(frames))
    assert looked_at(long_drive(frames, 0.0))[0] == 0


def test_the_command_keeps_these_frames(record, tmp_path, capsys):
    """Of a robot that stands, the first."""
    bag, folder = record(frames=6, still=True), tmp_path / 'cache'
    command = ['calibrate', str(bag), '--width', '64', '--save', str(tmp_path / 'rig.yaml')]
    assert main([*command, '--cache', str(folder)]) == 2
    assert 'a robot that moved 0.0 m' in capsys.readouterr().err
    (about,) = folder.glob('*/about.json')
    assert json.loads(about.read_text())['choose'] == 'looked_at'
    assert np.load(about.with_name('present.npy')).any(1).tolist() == [True] + 5 * [False]
