# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A camera whose stamps are late by a known time is put right where its images enter."""

import json
from pathlib import Path

import numpy as np
import pytest

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.main import main
from selfdepth_training.data.cache import build_cache

START, PERIOD = 1_700_000_000_000_000_000, 100_000_000
LATE, LATE_NS = 'camera_front', 80_000_000


@pytest.fixture
def drives(recording, tmp_path) -> tuple[Path, Path]:
    """A recording, and the same whose front camera stamps its images 80 ms late."""

    def late(name: str, frame: int, stamp: int) -> int:
        return stamp + LATE_NS * (name == LATE)

    right = recording.Recording().write(tmp_path / 'right')
    return right, recording.Recording(stamp=late).write(tmp_path / 'late')


@pytest.fixture
def mapping(tmp_path, rig):
    """Write a mapping file that says how late the front camera's stamps are."""

    def write(offset_ms: float) -> Path:
        path = tmp_path / f'topics_{offset_ms}.yaml'
        lines = [
            f'  {name}: {{image: /{name}/image_raw, info: /{name}/camera_info'
            + (f', stamp_offset_ms: {offset_ms}}}' if name == LATE else '}')
            for name in rig.names
        ]
        path.write_text('\n'.join(['odometry: /odom', 'cameras:', *lines]))
        return path

    return write


def test_images_have_the_stamps_of_their_exposures(drives, mapping):
    right, late = drives
    expected = list(BagReader(right).surround_frames())
    found = list(BagReader(late, mapping(80)).surround_frames())
    assert [frame.stamps_ns for frame in found] == [frame.stamps_ns for frame in expected]
    assert [frame.stamp_ns for frame in found] == [frame.stamp_ns for frame in expected]
    for one, other in zip(found, expected, strict=True):
        for image, same in zip(one.images, other.images, strict=True):
            np.testing.assert_array_equal(image, same)


def test_without_an_offset_stamps_are_as_recorded_and_the_wrong_images_meet(drives, mapping):
    for how in (None, mapping(0)):
        frames = list(BagReader(drives[1], how).surround_frames())
        assert sum(all(frame.present) for frame in frames) == 7
        for number, frame in enumerate(frames):
            front, left, _ = frame.stamps_ns
            if front is not None:
                assert front == START + (number - 1) * PERIOD + LATE_NS
            if left is not None:
                assert left == START + number * PERIOD + 3_000_000


def test_training_sees_the_poses_of_the_exposures(drives, mapping, tmp_path):
    right, late = drives
    size = 32, 24
    expected = build_cache(right, tmp_path, *size, progress=False)
    found, raw = (
        build_cache(late, tmp_path, *size, mapping=mapping(offset_ms), progress=False)
        for offset_ms in (80, 0)
    )
    for name in ('images', 'stamps_ns', 'present', 'world_from_body'):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert raw.folder != found.folder
    assert not np.isin(raw.stamps_ns[:, 0], expected.stamps_ns[:, 0]).any()


def test_true_depths_keep_the_stamps_of_their_images(drives, mapping):
    right, late = drives
    expected = [(camera, stamp) for camera, stamp, _ in BagReader(right).depth_truth()]
    found = [(camera, stamp) for camera, stamp, _ in BagReader(late, mapping(80)).depth_truth()]
    assert found == expected


def test_reading_from_a_stamp_on_and_the_span_are_of_exposures(drives, mapping):
    right, late = drives
    alike = [BagReader(right), BagReader(late, mapping(80))]
    assert alike[0].span_ns == alike[1].span_ns
    since_ns = alike[0].span_ns[0] + 400_000_000
    one, other = (
        [frame.stamps_ns for frame in reader.surround_frames(since_ns=since_ns)]
        for reader in alike
    )
    assert one == other
    assert len(one) == 4


@pytest.mark.parametrize('received', [False, True], ids=['clock ahead', 'stamped at receipt'])
def test_clocks_that_disagree_by_a_known_time_agree(
    recording, tmp_path, mapping, capsys, received
):
    """So they do where the images themselves are as late, and by the largest time."""

    def late(name: str, stamp: int) -> int:
        return stamp + 800_000_000 * (name == LATE)

    how = {'log': late} if received else {}
    bag = recording.Recording(
        stamp=lambda name, frame, stamp: late(name, stamp), **how
    ).write(tmp_path / 'drive')  # fmt: skip
    frames = list(BagReader(bag, mapping(800)).surround_frames())
    assert len(frames) == 8
    assert all(all(frame.present) for frame in frames)
    later = BagReader(bag, mapping(800)).surround_frames(since_ns=frames[4].stamp_ns)
    assert [frame.stamps_ns for frame in later] == [frame.stamps_ns for frame in frames[4:]]
    main(['doctor', str(bag), '--mapping', str(mapping(800))])
    assert 'stamps disagree' not in capsys.readouterr().out
    main(['doctor', str(bag), '--mapping', str(mapping(0 if received else -700))])
    assert ('stamps disagree' in capsys.readouterr().out) == (not received)


def test_the_doctor_knows_of_it(drives, mapping, tmp_path, capsys):
    told = {}
    for offset_ms in (0, 80):
        file = tmp_path / 'doctor.json'
        main(
            [
                'doctor', str(drives[1]), '--mapping', str(mapping(offset_ms)),
                '--json', str(file),
            ]
        )  # fmt: skip
        told[offset_ms] = json.loads(file.read_text('utf-8'))['sets']
    assert told[80]['complete'] == told[80]['count'] == 8
    assert told[80]['spread_p95_ms'] == pytest.approx(6)
    assert told[0]['complete'] < 8
    assert capsys.readouterr().err == ''
