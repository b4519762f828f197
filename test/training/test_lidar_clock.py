# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which sweep of the LiDAR belongs to which images, and that none does when clocks differ."""

import json

import numpy as np
import pytest

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.cli.main import main
from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.baseline import fit_row_baseline
from selfdepth_training.data.cache import build_cache
from selfdepth_training.data.lidar import LidarDepth
from selfdepth_training.data.samples import DataError
from selfdepth_training.evaluate import evaluate
from selfdepth_training.protocols import EvaluationConfig
from selfdepth_training.truth import EvaluationError, frame_truths

START, PERIOD = 1_700_000_000_000_000_000, 100_000_000
LENS = PinholeCamera(64, 48, 40.0, 40.0, 31.5, 23.5)
AHEAD = SE3.from_rotation_translation(
    np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([0.0, 0.0, 1.5])
)
NUSCENES_MS = {
    'camera_front_left': 0.0, 'camera_front': 7.616, 'camera_front_right': 15.495,
    'camera_back_right': 23.049, 'camera_back': 32.681, 'camera_back_left': 42.579,
}  # fmt: skip
"""When the cameras of a real sample fire, after the first of them."""
NUSCENES_SWEEP_MS = 43.107
"""When its sweep is stamped; sweeps come every 50 ms."""
EVERY = EvaluationConfig(ego_motion=False, without_hidden=False)


def wall(distance_m: float) -> np.ndarray:
    """Points of a wall before the robot."""
    across = np.linspace(-3, 3, 25)
    y, z = (each.ravel() for each in np.meshgrid(across, 1.5 + across / 2))
    return np.stack([np.full(y.size, distance_m), y, z], 1).astype(np.float32)


def drive(path, cameras_ns, sweeps_ns, points=wall):
    """Cameras that all look ahead, with their stamps; sweep number n sees a wall at 10 + n m."""
    with BagWriter(path) as bag:
        places = [('base_link', name, AHEAD) for name in cameras_ns]
        bag.write_tf_static([*places, ('base_link', 'lidar', SE3.identity())], START)
        messages = [(ns, ns, name) for name, all_ns in cameras_ns.items() for ns in all_ns]
        messages += [(log, ns, number) for number, (log, ns) in enumerate(sweeps_ns)]
        for name in cameras_ns:
            bag.write_camera_info(f'/{name}/camera_info', START, name, LENS)
        for log, ns, what in sorted(messages, key=lambda each: each[0]):
            if isinstance(what, str):
                image = np.random.default_rng(log % 2**32).integers(0, 256, (48, 64, 3), np.uint8)
                bag.write_image(f'/{what}/image_raw', ns, what, image, log_ns=log)
            else:
                bag.write_cloud('/ouster/points', ns, 'lidar', points(10.0 + what), log_ns=log)
    return path


CLOCKS = {
    'since boot': lambda log: log - START + 40 * 10**9,
    'zero': lambda log: 0,
    'ahead': lambda log: log + 3600 * 10**9,
}


@pytest.fixture(params=CLOCKS)
def unmatched(tmp_path, request):
    """A drive whose LiDAR is by another clock."""
    logs = [START + number * PERIOD for number in range(6)]
    sweeps = [(log, CLOCKS[request.param](log)) for log in logs]
    return drive(tmp_path / 'drive', {'camera_front': logs}, sweeps)


def test_a_lidar_by_another_clock_is_one_clear_error(unmatched, tmp_path):
    reader = BagReader(unmatched)
    expected = r'/ouster/points is stamped [-+]\d+\.\d+ s from the images .* within 60 ms'
    with pytest.raises(EvaluationError, match=expected):
        evaluate(lambda _: [np.ones((48, 64))], reader, reader.rig(), EvaluationConfig(every=4))
    with pytest.raises(EvaluationError, match=expected):
        fit_row_baseline([reader], reader.rig(), EVERY)
    cache = build_cache(unmatched, tmp_path / 'cache', 64, 48, progress=False)
    with pytest.raises(DataError, match=expected):
        LidarDepth(cache, progress=False)


def test_the_doctor_tells_a_lidar_by_another_clock(unmatched, tmp_path, capsys):
    assert main(['doctor', str(unmatched), '--json', str(tmp_path / 'told.json')]) in (0, 1)
    told = json.loads((tmp_path / 'told.json').read_text())
    (warning,) = [text for text in told['warnings'] if '/ouster/points' in text]
    assert 'stamped' in warning or 'every stamp looked at is 0' in warning
    assert not any('/ouster' in text for text in told['deployable']['because'])


def test_a_lidar_of_the_cameras_clock_is_no_matter(tmp_path):
    logs = [START + number * PERIOD for number in range(6)]
    bag = drive(tmp_path / 'drive', {'camera_front': logs}, [(log + PERIOD, log) for log in logs])
    assert main(['doctor', str(bag), '--json', str(tmp_path / 'told.json')]) in (0, 1)
    told = json.loads((tmp_path / 'told.json').read_text())
    assert not any('/ouster/points' in text for text in told['warnings'])
    found = list(frame_truths(BagReader(bag), BagReader(bag).rig(), EVERY))
    assert [float(np.median(each.cameras[0].z_depth_m)) for each in found] == [
        10.0 + number for number in range(6)
    ]


def test_a_lidar_that_no_camera_sees_is_no_label(tmp_path):
    logs = [START + number * PERIOD for number in range(6)]
    sweeps = [(log, log) for log in logs]
    bag = drive(tmp_path / 'drive', {'camera_front': logs}, sweeps, lambda far: -wall(far))
    cache = build_cache(bag, tmp_path / 'cache', 64, 48, progress=False)
    for _ in range(2):  # no empty file is left behind
        with pytest.raises(DataError, match='no point of /ouster/points in any image'):
            LidarDepth(cache, progress=False)


def nuscenes_like(path, missing=()):
    """Sets 50, 100 and 100 ms apart, 12 a second, and 20 sweeps a second: sweep 5 k of set 3 k.

    `missing`: (set, camera) of images that are lost.
    """
    begins = [START + ms * 1_000_000 for ms in (0, 50, 150, 250, 300, 400, 500, 550, 650)]
    cameras = {
        name: [at + round(ms * 1e6) for number, at in enumerate(begins)
               if (number, name) not in missing]
        for name, ms in NUSCENES_MS.items()
    }  # fmt: skip
    first = START + round(NUSCENES_SWEEP_MS * 1e6)
    sweeps = [first + number * 50_000_000 for number in range(-1, 14)]
    return drive(path, cameras, [(ns, ns) for ns in sweeps])


SWEEPS_M = [11.0 + number for number in (0, 1, 3, 5, 6, 8, 10, 11, 13)]
"""The wall that the sweep of each set sees: the first one ends before the first set."""


def test_a_set_as_wide_as_those_of_nuscenes_is_whole_and_has_its_own_sweep(tmp_path):
    reader = BagReader(nuscenes_like(tmp_path / 'drive'))
    assert reader.tolerance_ns == 45_000_000
    found = list(frame_truths(reader, reader.rig(), EVERY))
    assert (reader.report.complete_sets, reader.report.partial_sets) == (9, 0)
    assert [{float(np.median(truth.z_depth_m)) for truth in each.cameras} for each in found] == [
        {metres} for metres in SWEEPS_M
    ]


def test_labels_are_of_the_same_sweep_as_the_truth(tmp_path):
    """Cameras that are missing from a set have no say in where its middle is."""
    lost = [(2, name) for name in list(NUSCENES_MS)[:4]]
    bag = nuscenes_like(tmp_path / 'drive', lost)
    cache = build_cache(bag, tmp_path / 'cache', 64, 48, progress=False)
    labels = LidarDepth(cache, progress=False)
    for frame, metres in enumerate(SWEEPS_M):
        depth, sure = labels.of(frame)
        assert sure.flatten(1).any(1).tolist() == cache.present[frame].tolist()
        assert float(depth[sure].median()) == metres
    assert cache.present[2].sum() == 2
