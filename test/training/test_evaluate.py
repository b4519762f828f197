# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation with predictors whose score is known."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.inference.engine import DepthPrediction
from selfdepth_training.baseline import fit_row_baseline
from selfdepth_training.evaluate import Evaluation, EvaluationConfig, evaluate, table_by_bag
from selfdepth_training.metrics import DepthMetrics
from selfdepth_training.predict import surround_predictor
from selfdepth_training.truth import (
    EvaluationError,
    frame_truths,
    lidar_truth,
    require_one_kind,
    truth_kind,
)

CONFIG = EvaluationConfig(every=4)
PERFECT = DepthMetrics(0, 0, 0, 0, 1, 1, 1)


@pytest.fixture(scope='module')
def reader(street):
    return BagReader(street.bag)


@pytest.fixture(scope='module')
def truth_of(street):
    """The predictor that knows: depth (c, h, w) of a frame, holes filled."""
    rows = {tuple(stamps): index for index, stamps in enumerate(street.cache.stamps_ns.tolist())}

    def predict(frame: SurroundFrame) -> list[np.ndarray]:
        return list(street.depth(rows[frame.stamps_ns]).numpy())

    return predict


def test_a_perfect_predictor_makes_no_error(reader, street, truth_of):
    scores = evaluate(truth_of, reader, reader.rig(), CONFIG)
    assert scores.truth == scores.against == 'depth truth'
    assert set(scores.cameras) == set(street.cache.rig.names)
    for row in (*scores.cameras.values(), scores.mean):
        assert row.metric == row.median_scaled == PERFECT
        assert row.scale == 1
    assert scores.mean.images == 6 * 10


def test_a_predictor_of_the_wrong_scale_is_wrong_by_that_scale_only(reader, truth_of):
    def larger(frame: SurroundFrame) -> list[np.ndarray]:
        return [1.1 * depth for depth in truth_of(frame)]

    mean = evaluate(larger, reader, reader.rig(), CONFIG).mean
    # Clamping to 60 m takes a little of the error of what is farther than 54 m.
    assert mean.metric.abs_rel == pytest.approx(0.1, abs=2e-3)
    assert mean.metric.delta1 == 1
    assert mean.median_scaled.abs_rel < 1e-6
    assert mean.scale == pytest.approx(1 / 1.1)


def test_a_camera_without_prediction_is_left_out_and_says_so(reader, truth_of):
    def first_only(frame: SurroundFrame) -> list[np.ndarray | None]:
        return [truth_of(frame)[0]] + [None] * 5

    scores = evaluate(first_only, reader, reader.rig(), CONFIG)
    assert list(scores.cameras) == ['camera_front']
    assert scores.mean.images == 10


@pytest.mark.parametrize('factor', [2, 0.5])
def test_truth_of_another_size_is_that_of_the_nearest_pixels(
    reader, truth_of, monkeypatch, factor
):
    def sized(depth: np.ndarray) -> np.ndarray:
        return depth[::2, ::2] if factor < 1 else depth.repeat(2, 0).repeat(2, 1)

    def said(frame: SurroundFrame) -> list[np.ndarray]:
        depths = truth_of(frame)
        return [sized(d).repeat(2, 0).repeat(2, 1) for d in depths] if factor < 1 else depths

    whole = reader.depth_truth
    monkeypatch.setattr(
        reader,
        'depth_truth',
        lambda: ((camera, at, sized(depth)) for camera, at, depth in whole()),
    )
    assert evaluate(said, reader, reader.rig(), EvaluationConfig(every=20)).mean.metric == PERFECT


def test_truth_of_another_shape_is_one_clear_error(reader, truth_of, monkeypatch):
    whole = reader.depth_truth
    monkeypatch.setattr(
        reader, 'depth_truth', lambda: ((camera, at, depth[:64]) for camera, at, depth in whole())
    )
    with pytest.raises(EvaluationError, match=r'160x64 .* camera_\w+ of 160x96 .*whole image'):
        evaluate(truth_of, reader, reader.rig(), CONFIG)


def test_truth_outside_the_bounds_is_left_out(reader, truth_of):
    """A predictor that is right from 5 to 20 m and says 20 m beyond."""
    config = EvaluationConfig(5.0, 20.0, every=8)

    def capped(frame: SurroundFrame) -> list[np.ndarray]:
        return [np.minimum(depth, 20.0) for depth in truth_of(frame)]

    assert evaluate(capped, reader, reader.rig(), config).mean.metric == PERFECT


def test_pixels_on_the_robot_are_no_truth(reader, street, truth_of, helpers):
    masked = {
        (truth.v.tolist()[0], truth.u.tolist()[0])
        for truth in next(iter(frame_truths(reader, street.rig, CONFIG))).cameras
    }
    assert masked
    half = np.zeros((96, 160), bool)
    half[:, :80] = True
    rig = replace(
        reader.rig(), cameras=tuple(replace(c, self_occlusion=half) for c in reader.rig().cameras)
    )
    for each in (reader, helpers.OnlyLidar(street.bag)):
        for truth in next(iter(frame_truths(each, rig, CONFIG))).cameras:
            assert len(truth.u) > 50
            assert truth.u.min() >= 80


def test_lidar_and_depth_truth_agree_on_a_perfect_predictor(street, truth_of, helpers):
    """LiDAR falls between pixel centres, and from its higher place looks over edges.

    Measured at this small size: abs_rel .030, delta1 .970, scale 1.008.
    """
    reader = helpers.OnlyLidar(street.bag)
    scores = evaluate(truth_of, reader, street.rig, CONFIG)
    assert scores.truth == truth_kind(reader) == 'LiDAR'
    assert scores.to_dict()['truth_topic'] == '/lidar/points'
    assert scores.against == 'LiDAR (/lidar/points)'
    assert len(scores.cameras) == 6
    assert scores.mean.metric.abs_rel < 0.04
    assert scores.mean.metric.delta1 > 0.96
    assert scores.mean.scale == pytest.approx(1, abs=0.02)


def test_lidar_is_carried_to_the_time_of_the_image(street):
    """The wall of a sweep, seen 0.1 s later by a robot that went 1 m towards it."""
    stamps, forward = np.array([0, 100_000_000]), np.tile(np.eye(4), (2, 1, 1))
    forward[1, 0, 3] = 1.0
    wall = np.array([[10.0, y, z] for y in (-1, 0, 1) for z in (1, 2)], np.float32)
    entry = street.cache.rig['camera_front']
    for odometry, moved in (((stamps, forward), 1.0), (None, 0.0)):
        truth = lidar_truth(wall, 0, 100_000_000, entry, odometry)
        expected = 10 - moved - entry.body_from_camera.translation[0]
        assert len(truth.u) == 6
        # The camera looks down by 0.8 degrees.
        assert np.allclose(truth.z_depth_m, expected, atol=0.05)


def test_a_bag_without_truth_is_one_clear_error(record, truth_of):
    reader = BagReader(record(frames=3))
    assert not reader.has_depth_truth and not reader.has_lidar
    with pytest.raises(EvaluationError, match='Found no truth in .* Record with the LiDAR on'):
        evaluate(truth_of, reader, reader.rig(), CONFIG)
    with pytest.raises(EvaluationError, match='Found no truth to fit the row baseline on'):
        fit_row_baseline([reader], reader.rig(), CONFIG)


def abs_rel(guess: np.ndarray, truth: np.ndarray) -> float:
    counted = (truth > 1) & (truth < 60)
    return float(np.mean(np.abs(guess - truth)[counted] / truth[counted]))


def test_the_row_baseline_is_the_best_constant_of_each_row(reader, street):
    rows = fit_row_baseline([reader], reader.rig(), EvaluationConfig())
    for camera, guess in enumerate(rows):
        assert guess.shape == (96, 160)
        assert (guess == guess[:, :1]).all()
        truth = street.z_depths[:, camera]
        for row in range(0, 96, 7):
            if ((truth[:, row] > 1) & (truth[:, row] < 60)).sum() < 100:
                continue
            best = abs_rel(guess[row], truth[:, row])
            for factor in (0.9, 0.97, 1.03, 1.1):
                assert abs_rel(factor * guess[row], truth[:, row]) >= best, (camera, row, factor)


def test_the_row_baseline_needs_the_same_rows(reader, record):
    other = BagReader(record(frames=2, cameras=('camera_front', 'camera_back')))
    with pytest.raises(EvaluationError, match='needs the same rows'):
        fit_row_baseline([other], reader.rig(), CONFIG)


def test_the_row_baseline_sees_little_and_a_network_must_beat_it(reader, street, truth_of):
    rows = fit_row_baseline([reader], reader.rig(), EvaluationConfig())
    scores = evaluate(lambda frame: rows, reader, reader.rig(), CONFIG)
    assert 0.15 < scores.mean.metric.abs_rel < 1


def test_scores_become_plain_json_and_a_table(reader, truth_of):
    scores = evaluate(truth_of, reader, reader.rig(), EvaluationConfig(every=20))
    plain = json.loads(json.dumps(scores.to_dict()))
    assert plain['cameras']['mean']['metric'] == PERFECT._asdict()
    assert plain['cameras']['camera_back']['images'] == 2
    table = scores.table().splitlines()
    assert len(table) == 1 + 2 * (1 + 7)
    assert all(len(line) == len(table[0]) for line in table if not line.startswith('--'))


def test_recordings_are_scored_together_each_image_alike(reader, truth_of):
    """One that is perfect, and one of half as many frames and cameras, a tenth too large."""

    def larger(frame: SurroundFrame) -> list[np.ndarray | None]:
        return [1.1 * depth for depth in truth_of(frame)[:3]] + [None] * 3

    whole = evaluate(truth_of, reader, reader.rig(), CONFIG)
    off = evaluate(larger, reader, reader.rig(), EvaluationConfig(every=8))
    both = Evaluation.together([whole, off])
    first, last = reader.rig().names[0], reader.rig().names[-1]
    assert both.cameras[first].images == 10 + 5
    assert both.cameras[first].metric.abs_rel == pytest.approx(
        off.cameras[first].metric.abs_rel * 5 / 15
    )
    assert both.cameras[last] == whole.cameras[last]
    told = table_by_bag({'whole': whole, 'a name of more than twenty letters': off}).splitlines()
    assert all(len(line) == len(told[0]) for line in told if not line.startswith('--'))
    assert len(told) == 1 + 2 * (1 + 2)


def test_bags_with_other_kinds_of_truth_are_not_scored_together(reader, street, helpers):
    require_one_kind([reader, reader])
    with pytest.raises(EvaluationError, match='Found depth truth in .* and LiDAR in .*, expected'):
        require_one_kind([reader, helpers.OnlyLidar(street.bag)])


def wall(images: np.ndarray, focal: np.ndarray) -> DepthPrediction:
    """A wall 10 m away, as z-depth, and a confidence by column: the higher, the farther right."""
    depth = np.full(images.shape[:3], 10, np.float32)
    return DepthPrediction(depth, np.linspace(0, 1, images.shape[2], dtype=np.float32) + 0 * depth)


def test_a_predictor_answers_at_each_camera_s_own_size(reader):
    frame = next(iter(reader.surround_frames()))
    heard = []
    predict = surround_predictor(wall, reader.rig(), 64, 32, 'z_depth', hear=heard.append)
    depths = predict(
        replace(frame, images=(None, *frame.images[1:]), stamps_ns=(None, *frame.stamps_ns[1:]))
    )
    assert depths[0] is None
    assert all(depth.shape == (96, 160) and np.allclose(depth, 10) for depth in depths[1:])
    (confidences,) = heard
    assert [each.shape for each in confidences] == [(96, 160)] * 6
    assert all(np.allclose(each, np.linspace(0, 1, 160), atol=0.01) for each in confidences)


def test_ray_distances_are_turned_into_z_depths(reader):
    rig, frame = reader.rig(), next(iter(reader.surround_frames()))
    depths = surround_predictor(wall, rig, 160, 96, 'ray_distance')(frame)
    for entry, depth in zip(rig.cameras, depths, strict=True):
        rays, _ = entry.camera.pixel_rays()
        assert np.allclose(depth, 10 * rays[..., 2], rtol=1e-5)


def test_the_network_is_told_the_focal_length_of_what_it_is_shown(reader):
    told = []

    def listen(images: np.ndarray, focal: np.ndarray) -> DepthPrediction:
        told.append((images.shape, focal.copy()))
        return wall(images, focal)

    surround_predictor(listen, reader.rig(), 80, 48, 'z_depth')(
        next(iter(reader.surround_frames()))
    )
    ((shape, focal),) = told
    assert shape == (6, 48, 80, 3)
    assert np.allclose(focal, [entry.camera.focal / 2 for entry in reader.rig().cameras])


def test_a_set_whose_images_are_all_damaged_has_no_truth(street, reader, monkeypatch):
    """As of a bag of one camera, in which an image is cut off."""
    whole = reader.surround_frames

    def damaged_second(*arguments, **options):
        for index, frame in enumerate(whole(*arguments, **options)):
            yield frame.without(range(len(street.rig))) if index == 1 else frame

    monkeypatch.setattr(reader, 'surround_frames', damaged_second)
    found = itertools.islice(frame_truths(reader, street.rig, EvaluationConfig()), 3)
    known = [[truth is not None for truth in truths] for _, truths in found]
    assert known == [[True] * 6, [False] * 6, [True] * 6]
