# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever is wrong is said in one line; what cannot work does not start."""

import importlib.util
import json
import re
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, PointCloud2

from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages import camera_info_fields, points_from_cloud_msg
from selfdepth_ros.nodes.to_ros import byte_array, header

TOPICS = {'a': 'own/a/camera_info', 'b': 'own/b/camera_info'}
"""Nobody else publishes there."""
SCRIPT = Path(__file__).with_name('bad_starts.py')
EX_CONFIG = 78
QOS = 'qos_overrides./{}'
BAD_ARGUMENTS = [
    (('--params-file', '{folder}/half.yaml'), 'half.yaml'),
    (('--params-file', '/nowhere/params.yaml'), '/nowhere/params.yaml'),
    (('-r', 'no rule'), "remap rule: '-r no rule'"),
    (('--no-such-option',), '--no-such-option'),
]
FROM_A_ROS_INSTALLATION = {
    'tf2_ros': ({'rig': 'topics'}, 'tf2_ros is not installed'),
    'message_filters': ({'sync': 'message_filters'}, 'message_filters, which is not installed'),
}


def bad_starts():
    yield {'model': '/nowhere/model.onnx'}, 'no model at /nowhere/model.onnx'
    yield {'model': '{folder}/rig.yaml'}, 'no model at'
    yield {'model': '{folder}/broken.onnx'}, 'cannot be loaded as an ONNX model'
    yield {'rig': '/nowhere/rig.yaml'}, '/nowhere/rig.yaml'
    yield {'rig': '{folder}/model.yaml'}, 'model.yaml'
    yield {'output_frame': 'map'}, "body_frame is 'base_link'"
    yield {'cameras': '[a, x]'}, "no camera 'x'"
    yield {'image_topic': 'image'}, 'expected {camera}'
    yield {'sync': 'luck'}, "sync: found 'luck', expected one of 'surround', 'message_filters'"
    yield {'deadline_ms': '-1.0'}, 'deadline_ms'
    yield {'tolerance_ms': '3000.0'}, 'tolerance_ms 3000.0'
    yield (
        {'stamp_offsets_ms': '[0.0, 80.0]'},
        'stamp_offsets_ms: found [0.0, 80.0], expected 3 numbers, for a, b, c',
    )
    yield (
        {'stamp_offsets_ms': '[0.0, 0.0, 801.0]'},
        'stamp_offsets_ms: found 801.0, expected -800.0',
    )
    yield {'motion.odometry_topic': 'no topic'}, 'no topic'
    yield {'threads': 'many'}, 'threads'
    yield {'fusion.max_range_m': '1e9'}, 'fusion.max_range_m'
    yield {'fusion.min_range_m': '70.0'}, 'fusion: found min_range_m 70.0'
    yield {'save.name': "'../up'"}, "save: name: found '../up'"
    yield {'backend': 'magic'}, "backend: found 'magic'"
    yield {'build_only': 'true', 'model': '{folder}/broken.onnx'}, 'cannot be loaded as an ONNX'
    publisher, subscription = QOS.format('surround_depth/points.publisher'), 'subscription'
    yield {f'{publisher}.reliability': 'best-effort'}, f'found {publisher}.reliability: best-eff'
    yield {f'{publisher}.depth': 'many'}, "'many' of type 'STRING'"
    yield {f'{publisher}.depth': '-3'}, 'depth: a whole number from 1 on'
    yield {QOS.format(f'odom.{subscription}.history'): '3'}, 'history: keep_last or keep_all'
    yield {QOS.format(f'a/image_raw.{subscription}.reliability'): 'yes'}, 'a/image_raw'
    info = QOS.format(f'a/camera_info.{subscription}.durability')
    yield {info: 'latched'}, f'found {info}: latched'
    for package, case in FROM_A_ROS_INSTALLATION.items():
        if importlib.util.find_spec(package) is None:
            yield case


BAD_STARTS = [*bad_starts()]


@pytest.fixture(scope='module')
def said(scene, cameras, tmp_path_factory) -> list[str]:
    """What the node logs with each of BAD_STARTS, followed by the status that it ends with.

    All of one process, for two dozen would spend their time on imports.
    """
    (scene.folder / 'broken.onnx').write_bytes(b'no model at all')
    given = [
        {'model': str(scene.model)}
        | {
            name: value.format(folder=scene.folder, camera='{camera}')
            for name, value in parameters.items()
        }
        for parameters, _ in BAD_STARTS
    ]
    log = tmp_path_factory.mktemp('bad_starts') / 'log'
    process = type(cameras)(log, str(SCRIPT), json.dumps(given))
    try:
        process.status()
    except subprocess.TimeoutExpired:
        process.stop()  # what works although it should not: the others have their turn
    return re.split(r'^-- ended with (.+)\n', process.log, flags=re.MULTILINE)


@pytest.mark.parametrize(('parameters', 'words'), BAD_STARTS, ids=str)
def test_a_node_that_cannot_work_says_why_once_and_ends(said, parameters, words) -> None:
    index = 2 * BAD_STARTS.index((parameters, words))
    log, status = said[index : index + 2]
    assert int(status) == EX_CONFIG, log
    fatal = [line for line in log.splitlines() if line.startswith('[FATAL]')]
    assert len(fatal) == 1, log
    assert words in fatal[0]
    assert 'Traceback' not in log


@pytest.mark.parametrize(('arguments', 'words'), BAD_ARGUMENTS, ids=str)
def test_arguments_that_ros_refuses_are_said_in_one_line(
    cameras, tmp_path, arguments, words
) -> None:
    (tmp_path / 'half.yaml').write_text('surround_depth:\n  ros__parameters:\n    cameras: [a, 1')
    given = tuple(part.format(folder=tmp_path) for part in arguments)
    for module in ('surround_depth', 'save_cloud'):
        command = ('-m', f'selfdepth_ros.nodes.{module}')
        node = type(cameras)(tmp_path / f'{module}.log', *command, ros_arguments=given)
        assert node.status() == EX_CONFIG, node.log
        (fatal,) = node.lines('FATAL')
        assert words in fatal
        assert 'Traceback' not in node.log


def test_a_slip_in_a_parameter_name_is_noticed(scene, surround, listener) -> None:
    node = surround(model=scene.model, deadlin_ms='50.0')
    listener.listen(PointCloud2, '/surround_depth/points')
    listener.wait(lambda: node.lines('WARN'), 'a warning')
    assert "'deadlin_ms' is not known" in node.lines('WARN')[0]
    assert "'deadline_ms'" in node.lines('WARN')[0]


def test_images_of_another_size_are_one_error_and_no_crash(scene, surround, listener) -> None:
    rig = scene.folder / 'rig_of_other_size.yaml'
    node = surround(model=scene.model, rig=rig, diagnostics_period_s=0.1)
    clouds = listener.listen(PointCloud2, '/surround_depth/points')
    last = listener.diagnostics()
    listener.wait(lambda: int(last()[2].get('sets_failed', 0)) >= 5, 'several failures')
    assert last()[0] == b'\x02'
    assert '64x48' in last()[1]
    assert '80x60' in last()[1]
    assert len(node.lines('ERROR')) == 1
    assert 'Traceback' not in node.log
    assert not clouds
    assert node.process.poll() is None


@pytest.fixture
def pictures_in_png(scene, listener):
    """Publishes a set of compressed pictures under an own topic; camera b's are broken."""
    kind, topic = CompressedImage, 'own/{}/image_raw/compressed'
    publishers = {
        name: listener.node.create_publisher(kind, topic.format(name), qos_profile_sensor_data)
        for name in scene.pictures
    }

    def publish():
        now_ns = listener.node.get_clock().now().nanoseconds
        for name, publisher in publishers.items():
            data = cv2.imencode('.png', scene.pictures[name][..., ::-1])[1].reshape(-1)
            content = byte_array(data[: 40 if name == 'b' else None])
            publisher.publish(kind(header=header(now_ns, name), format='png', data=content))

    yield publish
    for publisher in publishers.values():
        listener.node.destroy_publisher(publisher)


def test_a_picture_that_cannot_be_decoded_costs_its_camera_only(
    scene, surround, listener, pictures_in_png
) -> None:
    given = {'transport': 'compressed', 'image_topic': 'own/{camera}/image_raw'}
    node = surround(model=scene.model, diagnostics_period_s=0.1, **given)
    clouds = listener.listen(PointCloud2, '/surround_depth/points')
    last = listener.diagnostics()

    def partial():
        pictures_in_png()
        return len(clouds) >= 3 and last()[2].get('cameras_missing') == 'b'

    listener.wait(partial, 'clouds without the broken camera')
    whole = scene.expected().cloud
    others = whole.points[whole.camera != scene.rig.index('b')]
    assert np.array_equal(points_from_cloud_msg(clouds[-1]), others)
    assert len(node.lines('ERROR')) == 1
    assert 'b: PNG of 40 bytes without its end' in node.lines('ERROR')[0]


@pytest.fixture
def from_topics(scene, listener):
    """What the node makes the rig of when there is no file, with TF's answer given."""
    from selfdepth_ros.nodes.calibration import CameraInfos, RigFromTopics

    infos = CameraInfos(listener.node, TOPICS, rectified=False)
    yield RigFromTopics(listener.node, infos, lambda frame: SE3.identity(), 'base_link')
    infos.close()


def info_of(camera, frame_id):
    fields = camera_info_fields(camera)._asdict()
    message = CameraInfo(**{k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()})
    message.header.frame_id = frame_id
    return message


def publish_until(listener, topic, message, until):
    publisher = listener.node.create_publisher(CameraInfo, topic, 10)

    def tried():
        publisher.publish(message)
        return until()

    listener.wait(tried, f'an effect of {topic}')
    listener.node.destroy_publisher(publisher)


def test_a_calibration_of_nan_is_named_and_a_good_one_heals_it(
    scene, listener, from_topics
) -> None:
    from_rig = rig_camera(scene, 'a')
    bad = info_of(from_rig, 'a_optical_frame')
    bad.k[0] = float('nan')
    publish_until(listener, TOPICS['a'], bad, lambda: from_topics.problems)
    assert 'a (own/a/camera_info)' in from_topics.problems['a']
    assert 'fx=nan' in from_topics.problems['a']
    assert from_topics.rig() is None
    assert TOPICS['a'] in from_topics.missing()

    good = info_of(from_rig, 'a_optical_frame')
    publish_until(listener, TOPICS['a'], good, lambda: not from_topics.problems)
    assert from_topics.missing() == f'a usable CameraInfo on {TOPICS["b"]}'
    other = info_of(rig_camera(scene, 'b'), 'b_optical_frame')
    publish_until(listener, TOPICS['b'], other, lambda: from_topics.rig() is not None)
    rig = from_topics.rig()
    assert rig.names == ('a', 'b')
    assert rig['b'].camera == rig_camera(scene, 'b')
    assert rig['b'].frame_id == 'b_optical_frame'


def rig_camera(scene, name):
    from selfdepth_ros.core.rig import load_rig

    return load_rig(scene.folder / 'rig.yaml')[name].camera


def test_a_camera_info_without_a_frame_cannot_be_placed(scene, listener, from_topics) -> None:
    nowhere = info_of(rig_camera(scene, 'a'), '')
    publish_until(listener, TOPICS['a'], nowhere, lambda: from_topics.problems)
    assert 'without header.frame_id' in from_topics.problems['a']
