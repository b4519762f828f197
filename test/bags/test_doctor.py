# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth doctor BAG`: figures of every camera, what is odd, and the verdicts."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdepth_ros.bags.discovery import BagTopics, CameraTopics, discover
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.bags.storage import BagStorage
from selfdepth_ros.cli.doctor_table import describe
from selfdepth_ros.cli.main import main
from selfdepth_ros.core.parallax import LEAST_CHANGE, ParallaxLimits
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.doctor.examination import examine
from selfdepth_ros.doctor.motion import of_poses
from selfdepth_ros.doctor.observation import Observation
from selfdepth_ros.doctor.parameters import node_parameters


@pytest.fixture
def examined(tmp_path, capsys):
    """Run the command on a bag; give its status, what it printed and its figures."""

    def run(bag: Path, *options):
        file = tmp_path / 'doctor.json'
        status = main(['doctor', str(bag), '--json', str(file), *map(str, options)])
        printed = capsys.readouterr()
        assert status in (0, 1), printed.err
        return status, printed.out, json.loads(file.read_text('utf-8'))

    return run


@pytest.fixture
def written(recording, tmp_path):
    """Write a bag whose faults may be functions."""
    return lambda **how: recording.Recording(**how).write(tmp_path / 'drive')


def warned(figures, *words):
    return any(all(word in text for word in words) for text in figures['warnings'])


def test_a_good_bag_is_fit_and_its_figures_are_true(examined, record, rig):
    # 0.1 m from frame to frame: three frames are 0.3 m, enough for parallax.
    bag = record(frames=30)
    status, printed, figures = examined(bag)
    assert status == 0
    assert figures['trainable']['yes'] and figures['deployable']['yes']
    assert [camera['name'] for camera in figures['cameras']] == sorted(rig.names)
    for camera in figures['cameras']:
        lens = rig[camera['name']].camera
        assert (camera['images'], camera['lost'], camera['out_of_order']) == (30, 0, 0)
        assert camera['rate_hz'] == pytest.approx(10, rel=1e-3)
        assert (camera['width'], camera['height']) == (lens.width, lens.height)
        assert camera['bits_per_pixel'] == 24
        assert camera['in_sets'] == 1
        assert abs(camera['brightness'] - 127) < 5  # noise
    assert figures['sets']['count'] == figures['sets']['complete'] == 30
    assert figures['sets']['spread_p95_ms'] == pytest.approx(6)
    assert figures['motion']['speed_mean_m_s'] == pytest.approx(1, rel=0.01)
    assert figures['motion']['source'] == '/odom'
    assert figures['usable_sets'] == 24
    assert figures['bytes'] == sum(f.stat().st_size for f in bag.iterdir())
    assert printed.splitlines()[-3].startswith('trainable: yes, because 24 of 30 sets')
    assert printed.splitlines()[-2].startswith('deployable: yes')


def test_a_camera_at_half_the_rate_is_named_and_no_obstacle(examined, written):
    late = {'camera_left': 2}

    def every_other(name, frame, stamp):
        return stamp - (frame % 2) * 100_000_000 if name in late else stamp

    status, _, figures = examined(written(frames=40, stamp=every_other))
    assert status == 0
    (left,) = [c for c in figures['cameras'] if c['name'] == 'camera_left']
    assert left['out_of_order'] == 20
    assert left['in_sets'] == pytest.approx(0.5, abs=0.03)
    assert warned(figures, 'camera_left', 'not later')
    assert warned(figures, '50% of the surround sets lack a camera')


def test_sets_are_those_of_the_reader_where_the_rate_changes(examined, written):
    """The reader goes by the first images: a drive at 10 Hz that goes on at 20 Hz."""

    def faster(name, frame, stamp):
        return stamp - max(frame - 15, 0) * 50_000_000

    bag = written(frames=60, stamp=faster)
    reader = BagReader(bag)
    count = sum(1 for _ in reader.surround_frames())
    _, _, figures = examined(bag)
    assert figures['sets']['tolerance_ms'] == reader.tolerance_ns / 1e6 == 45
    assert figures['sets']['count'] == count
    assert figures['sets']['complete'] == reader.report.complete_sets


def test_images_without_a_stamp_count_as_looked_at(examined, written):
    bag = written(frames=40, stamp=lambda name, frame, stamp: stamp * (frame % 2))
    _, _, figures = examined(bag)
    assert figures['sets']['tolerance_ms'] == BagReader(bag).tolerance_ns / 1e6
    assert figures['sets']['count'] == 20


def test_a_camera_without_camera_info_is_the_reason(examined, record):
    status, printed, figures = examined(record(frames=4, no_info=('camera_left',)))
    assert status == 1
    for verdict in ('trainable', 'deployable'):
        assert not figures[verdict]['yes']
        assert 'camera_left/camera_info is not there' in figures[verdict]['because'][0]
    assert 'trainable: no, because camera_left' in printed


def test_images_of_another_size_than_k_are_the_reason(examined, written):
    smaller = {'camera_right': 2}

    def shape(name, size):
        return tuple(side // smaller.get(name, 1) for side in size)

    status, _, figures = examined(written(frames=4, shape=shape))
    assert status == 1
    assert 'images of 24x18 but its CameraInfo describes 48x36' in str(figures['trainable'])


def test_a_k_of_another_size_is_told(examined, written, rig):
    front = rig.cameras[0]
    double = replace(front.camera, fx=60.0, fy=60.0, cx=31.5, cy=23.5)
    wrong = replace(rig, cameras=(replace(front, camera=double), *rig.cameras[1:]))
    status, _, figures = examined(written(frames=30, rig=wrong))
    assert status == 0  # training cannot know either
    assert warned(figures, front.name, 'principal point', 'K of another image size?')


def test_a_camera_that_is_upside_down_is_told(examined, written, rig):
    front = rig.cameras[0]
    half_turn = SE3.from_rotation_translation(np.diag([-1.0, -1.0, 1.0]), np.zeros(3))
    turned = replace(front, body_from_camera=front.body_from_camera @ half_turn)
    _, _, figures = examined(
        written(frames=30, rig=replace(rig, cameras=(turned, *rig.cameras[1:])))
    )
    assert warned(figures, front.name, 'mounted upside down')


def test_without_odometry_and_overlap_nothing_gives_the_metres(examined, written, rig):
    _, _, figures = examined(written(frames=10, odometry=False, rig=rig.subset(rig.names[:1])))
    assert not figures['trainable']['yes']
    assert 'overlaps must give the metres' in str(figures['trainable'])
    assert figures['deployable']['yes']


def test_images_that_change_are_motion_where_there_is_no_odometry(examined, record):
    _, printed, figures = examined(record(frames=30, odometry=False))
    assert figures['motion'] == {
        'source': 'images', 'distance_m': None, 'speed_mean_m_s': None, 'speed_max_m_s': None,
        'turning_max_deg_s': None, 'still': 0.0,
    }  # fmt: skip
    assert LEAST_CHANGE < 10  # of noise
    assert figures['trainable']['yes']
    assert 'training estimates the motion from the images' in printed


def test_a_camera_that_moves_on_the_body_runs_and_does_not_train(examined, record):
    status, printed, figures = examined(record(frames=30, moving=('camera_left',)))
    assert status == 1
    assert not figures['trainable']['yes']
    why = figures['trainable']['because'][0]
    assert 'camera_left: no fixed chain of transforms' in why
    assert "'camera_left_optical_frame' moves in /tf, expected a mount that does not" in why
    assert figures['deployable']['yes']
    assert 'deployable: yes, because 3 cameras, 100%' in printed
    assert 'rig:=topics' in figures['deployable']['because'][1]


def test_a_camera_on_a_head_that_does_not_move_trains_and_runs(examined, record):
    bag = record(frames=30, mounted=('camera_left',))
    status, printed, figures = examined(bag)
    assert status == 0
    assert warned(figures, 'camera_left_optical_frame are placed by /tf', 'do not move')
    assert 'rig:=topics' in figures['deployable']['because'][1]


def test_what_the_node_must_be_told_is_said(examined, record, rig, tmp_path):
    bag = record(frames=30, compressed=True, tf='/robot1/tf')
    because = examined(bag)[2]['deployable']['because'][1:]
    tf = 'remapping /tf_static to /robot1/tf_static and /tf to /robot1/tf where it listens'
    assert because[0] == 'with transport: compressed'
    assert because[1].startswith(tf)
    mapping = tmp_path / 'topics.yaml'
    lines = [
        f'  {name}: {{image: /{name}/image_raw/compressed, info: /{name}/camera_info'
        + (', stamp_offset_ms: 2.5}' if name == 'camera_left' else '}')
        for name in reversed(rig.names)
    ]
    mapping.write_text('\n'.join(['tf_static: /robot1/tf_static', 'cameras:', *lines]))
    because = examined(bag, '--mapping', mapping)[2]['deployable']['because'][1:]
    order = ', '.join(reversed(rig.names))
    assert because[1].startswith(f'with stamp_offsets_ms: [0.0, 2.5, 0.0] (of {order})')
    assert 'deadline_ms that is longer by 2.5 than' in because[1]
    assert because[2].startswith(tf)


def test_one_camera_of_another_transport_is_told():
    image = ('/a/image_raw', '/b/image_raw/compressed')
    cameras = [CameraTopics(topic[1], topic, f'/{topic[1]}/camera_info') for topic in image]
    told = list(node_parameters(cameras, BagTopics(tuple(cameras))))
    assert len(told) == 1
    assert told[0].startswith('republishing images: those of b are compressed, the others raw')
    assert list(node_parameters(cameras[:1], BagTopics(tuple(cameras[:1])))) == []


def test_moving_cameras_are_refused_for_what_the_node_refuses(examined, written):
    _, _, figures = examined(
        written(
            frames=8,
            moving=('camera_left',),
            no_transform=('camera_right',),
        )
    )
    assert not figures['deployable']['yes']
    assert 'camera_left: no fixed chain' in str(figures['trainable'])
    assert 'camera_left: no chain' not in str(figures['deployable'])
    assert 'camera_right: no chain' in str(figures['deployable'])
    assert '/tf_static or /tf has' in str(figures['deployable'])


def test_images_of_a_moving_rig_are_compared_with_its_lenses(examined, written):
    def shape(name, size):
        return tuple(side // (1 + (name == 'camera_left')) for side in size)

    _, _, figures = examined(written(frames=8, moving=('camera_left',), shape=shape))
    for verdict in ('trainable', 'deployable'):
        assert not figures[verdict]['yes']
        assert 'but its CameraInfo describes 40x24' in str(figures[verdict])


def test_transforms_that_are_none_place_no_camera(recorded):
    bag = recorded((('frames', 8), ('moving', ('camera_left',))))
    storage = BagStorage(bag, BagReport(bag))
    topics = discover(storage.topics, storage.counts)
    observation = Observation(topics)
    for topic, received_ns, msg in storage.messages(observation.wanted):
        for item in msg.transforms if topic == '/tf' else ():
            item.transform.rotation.w = np.nan
        observation.take(topic, received_ns, msg)
    limits = ParallaxLimits(0.25, 1.8, 8, 2.0)
    checkup = examine(observation, 'heard', limits, set(storage.topics), size_bytes=1)
    assert 'camera_left: no chain' in str(checkup.deployable)


def test_a_bag_of_two_sets_is_too_short(examined, record):
    for odometry in (True, False):
        _, _, figures = examined(record(frames=2, odometry=odometry))
        assert not figures['trainable']['yes']


def test_clocks_that_disagree_are_the_reason(examined, written):
    def stamp(name, frame, stamp):
        return stamp + (3_000_000_000 if name == 'camera_right' else 0)

    _, _, figures = examined(written(frames=10, stamp=stamp))
    assert 'stamps disagree' in str(figures['trainable']['because'])


def test_lost_images_and_bursts_are_told(examined, written):
    def stamp(name, frame, stamp):
        return stamp + (300_000_000 if name == 'camera_front' and frame > 5 else 0)

    _, _, figures = examined(written(frames=20, stamp=stamp))
    (front,) = [c for c in figures['cameras'] if c['name'] == 'camera_front']
    assert front['lost'] == 3
    assert warned(figures, 'camera_front', '3 images are lost beside 20')
    assert warned(figures, 'camera_front', 'comes in bursts')


def test_what_is_asked_for_wrongly_is_one_line(tmp_path, capsys):
    nothing = tmp_path / 'nothing'
    for arguments, expected in (
        ([], 'neither BAG nor --live'),
        ([str(nothing), '--live'], 'both BAG and --live'),
        ([str(nothing)], 'does not exist'),
        (['--live', '--seconds', '0'], '--seconds: found 0.0'),
    ):
        assert main(['doctor', *arguments]) == 2
        error = capsys.readouterr().err
        assert expected in error
        assert error.count('\n') == 1


def test_json_has_no_nan(examined, record):
    _, _, figures = examined(record(frames=4, odometry=False, no_transform=('camera_left',)))
    assert figures['blind_deg'] is None
    assert np.isfinite(figures['seconds'])


@pytest.fixture(scope='module')
def heard(recorded):
    """The topics of a bag, and its messages as they came."""
    bag = recorded(())
    storage = BagStorage(bag, BagReport(bag))
    topics = discover(storage.topics, storage.counts)
    return topics, set(storage.topics), list(storage.messages(Observation(topics).wanted))


@settings(max_examples=100, deadline=None)
@given(rng=st.randoms(use_true_random=False))
def test_whatever_part_of_the_messages_arrives_there_is_a_verdict(heard, rng):
    """A live graph on a busy machine: of any topic all, some or none is heard."""
    topics, there, messages = heard
    observation = Observation(topics, 5)
    share = {topic: rng.choice([0, 0, 0.1, 0.5, 1]) for topic in observation.wanted}
    for topic, received_ns, msg in messages:
        if rng.random() < share[topic]:
            observation.take(topic, received_ns, msg)
    checkup = examine(observation, 'heard', ParallaxLimits(0.25, 1.8, 8, 2.0), there, size_bytes=1)
    assert describe(checkup)
    assert json.loads(checkup.to_json())
    fit = any(camera.images and camera.infos for camera in observation.cameras.values())
    assert fit or not (checkup.trainable.yes or checkup.deployable.yes)
    assert all(verdict.because for verdict in (checkup.trainable, checkup.deployable))


def test_odometry_whose_clock_leaps_by_decades_is_examined_in_little_memory():
    stamps_ns = np.array([1, 2, 3, 1_700_000_000], np.int64) * 1_000_000_000
    figures = of_poses(stamps_ns, np.tile(np.eye(4), (4, 1, 1)), '/odom')
    assert (figures.distance_m, figures.still) == (0, 1)
