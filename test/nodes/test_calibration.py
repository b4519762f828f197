# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Calibrations that change while the node runs, or contradict its rig file."""

import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, PointCloud2

from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.inference import load_engine
from selfdepth_ros.messages import points_from_cloud_msg
from selfdepth_ros.nodes.calibration import CameraInfos
from selfdepth_ros.nodes.live_rig import RigOfTopics
from selfdepth_ros.nodes.tf import STATIC_NS
from selfdepth_ros.nodes.to_ros import camera_info_message
from selfdepth_ros.pipeline import SurroundDepth

POINTS = '/surround_depth/points'
INFO = 'own/{camera}/camera_info'
"""Nobody else publishes there."""


class InfoPublisher:
    """CameraInfo of a rig's cameras, again and again, as drivers have it."""

    def __init__(self, node: Any, rig: Rig) -> None:
        self._node = node
        self.messages = {item.name: camera_info_message(item) for item in rig.cameras}
        self._publishers = {
            name: node.create_publisher(CameraInfo, INFO.format(camera=name), 10)
            for name in self.messages
        }

    def publish(self) -> None:
        for name, publisher in self._publishers.items():
            publisher.publish(self.messages[name])

    def close(self) -> None:
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)


@pytest.fixture
def infos(scene, listener):
    publisher = InfoPublisher(listener.node, scene.rig)
    yield publisher
    publisher.close()


def publish_until(listener, infos, until, what):
    def published():
        infos.publish()
        listener.spin()
        return until()

    listener.wait(published, what)


# -- a rig file and CameraInfo --


def test_camera_info_that_contradicts_the_rig_file_is_told_once(
    scene, surround, listener, infos
) -> None:
    infos.messages['b'].k[0] = infos.messages['b'].k[4] = 60.0
    node = surround(model=scene.model, info_topic=INFO, diagnostics_period_s=0.1)
    clouds, last = listener.listen(PointCloud2, POINTS), listener.diagnostics()
    publish_until(listener, infos, lambda: 'disagree' in last()[1], 'the disagreement')
    assert last()[0] == b'\x01'
    expected = 'b: fx is 50.00 px at 64x48 in the rig file, 60.00 in CameraInfo: they differ'
    assert expected in last()[1]
    assert 'if CameraInfo is right, use rig:=topics' in last()[1]
    assert 'b: fy is 50.00' in last()[2]['calibration']
    publish_until(listener, infos, lambda: len(clouds) > 2, 'clouds all the same')
    assert [expected in line for line in node.lines('WARN')] == [True]

    infos.messages['b'].k[0] = infos.messages['b'].k[4] = 50.0
    publish_until(listener, infos, lambda: last()[1] == 'running', 'agreement')
    assert len(node.lines('WARN')) == 1


def test_a_camera_info_that_says_nothing_is_no_contradiction(
    scene, surround, listener, infos
) -> None:
    """Drivers of cameras without a calibration of their own publish zeros."""
    infos.messages['a'].k[:] = 0.0
    node = surround(model=scene.model, info_topic=INFO, diagnostics_period_s=0.1)
    listener.listen(PointCloud2, POINTS)
    last = listener.diagnostics()
    publish_until(
        listener, infos, lambda: 'uncalibrated' in last()[2].get('calibration', ''), 'a word'
    )
    assert 'compared with CameraInfo of 2 cameras' in last()[2]['calibration']
    listener.wait(lambda: last()[:2] == (b'\x00', 'running'), 'a running node')
    assert not node.lines('WARN')


def test_rectified_images_are_compared_by_p(scene, surround, listener, infos) -> None:
    infos.messages['a'].k[0] = infos.messages['a'].k[4] = 45.0  # of the raw image
    surround(model=scene.model, info_topic=INFO, lens='rectified', diagnostics_period_s=0.1)
    last = listener.diagnostics()
    publish_until(
        listener,
        infos,
        lambda: 'CameraInfo of 3 cameras' in last()[2].get('calibration', ''),
        'all CameraInfo',
    )
    assert last()[0] == b'\x00'
    infos.messages['a'].p[0] = 45.0
    publish_until(listener, infos, lambda: 'fx is 50.00' in last()[1], 'the disagreement')


# -- CameraInfo and TF --


class GivenTf:
    """TF's answers, given: what tf2_ros would say."""

    def __init__(self, rig: Rig) -> None:
        self.places = {item.frame_id: item.body_from_camera for item in rig.cameras}
        self.moving: dict[str, int] = {}

    def newest(self, target: str, source: str) -> tuple[int, SE3] | None:
        place = self.places.get(source)
        return None if place is None else (self.moving.get(source, STATIC_NS), place)


@pytest.fixture
def tf(scene) -> GivenTf:
    return GivenTf(scene.rig)


@pytest.fixture
def live(listener, infos, tf):
    topics = {name: INFO.format(camera=name) for name in infos.messages}
    seen = CameraInfos(listener.node, topics, rectified=False)
    made = RigOfTopics(listener.node, seen, tf, 'base_link', 250_000_000)
    yield made
    made.close()


def look_until_new(listener, infos, live) -> Rig:
    found = []

    def looked():
        found.append(live.look())
        return found[-1] is not None

    publish_until(listener, infos, looked, 'a new rig')
    return found[-1]


def test_a_rig_is_complete_once_and_anew_when_something_changes(
    scene, listener, infos, tf, live
) -> None:
    place = tf.places.pop('c_optical_frame')
    publish_until(listener, infos, lambda: 'TF' in live.warnings()[0], 'all CameraInfo')
    assert live.warnings() == ['waiting for TF from base_link to c_optical_frame']
    assert live.look() is None
    tf.places['c_optical_frame'] = place
    first = live.look()
    assert [item.camera for item in first.cameras] == [item.camera for item in scene.rig.cameras]
    assert live.warnings() == []
    assert live.look() is None

    infos.messages['b'].k[0] = 55.0
    changed = look_until_new(listener, infos, live)
    assert changed['b'].camera == replace(first['b'].camera, fx=55.0)
    assert changed['a'].camera == first['a'].camera

    tf.places['a_optical_frame'] = place
    moved = live.look()
    np.testing.assert_array_equal(
        moved['a'].body_from_camera.matrix, moved['c'].body_from_camera.matrix
    )
    assert live.look() is None
    assert not live.mounts


def test_a_rig_that_could_not_be_used_is_returned_again(listener, infos, tf, live) -> None:
    first = look_until_new(listener, infos, live)
    live.refuse()
    assert live.look().names == first.names
    assert live.look() is None
    tf.places['a_optical_frame'] = tf.places['c_optical_frame']
    moved = live.look()
    live.refuse()
    np.testing.assert_array_equal(
        live.look()['a'].body_from_camera.matrix, moved['a'].body_from_camera.matrix
    )


def test_a_frame_that_tf_has_lost_is_said_and_the_last_rig_stays(
    listener, infos, tf, live
) -> None:
    look_until_new(listener, infos, live)
    assert live.warnings() == []
    tf.places.pop('b_optical_frame')
    assert live.look() is None
    assert live.warnings() == [
        'the last calibration stays in use: waiting for TF from base_link to b_optical_frame'
    ]


def test_a_bad_camera_info_leaves_the_last_good_one_in_use(listener, infos, live) -> None:
    first = look_until_new(listener, infos, live)
    infos.messages['a'].k[0] = float('nan')
    publish_until(listener, infos, live.errors, 'an error')
    assert 'fx=nan' in live.errors()[0]
    assert live.look() is None
    infos.messages['a'].k[0] = first['a'].camera.fx
    publish_until(listener, infos, lambda: not live.errors(), 'no error')
    assert live.look() is None


def test_a_right_camera_in_the_frame_of_the_left_one_has_no_place(listener, infos, live) -> None:
    frame, right = infos.messages['a'].header.frame_id, infos.messages['b']
    own, right.header.frame_id, right.p[3] = right.header.frame_id, frame, -0.12 * right.p[0]
    publish_until(listener, infos, live.errors, 'an error')
    assert f'P of its CameraInfo places the camera 0.120 m beside its frame {frame!r}' in str(
        live.errors()
    )
    assert live.look() is None
    right.header.frame_id = own
    assert look_until_new(listener, infos, live)['b'].frame_id == own


def test_a_moving_mount_needs_new_tables_only_when_it_has_moved_far_and_rests(
    listener, infos, tf, live
) -> None:
    tf.moving['a_optical_frame'] = 1
    look_until_new(listener, infos, live)
    assert live.mounts.names == ['a']
    nudge = SE3.exp(np.array([0.005, 0, 0, 0, 0, 0.005]))
    tf.places['a_optical_frame'] = tf.places['a_optical_frame'] @ nudge
    assert live.look() is None
    for _ in range(5):
        tf.places['a_optical_frame'] = tf.places['a_optical_frame'] @ nudge @ nudge
        assert live.look() is None
    rests = live.look()
    assert rests['a'].body_from_camera.matrix == pytest.approx(
        tf.places['a_optical_frame'].matrix, abs=1e-9
    )
    assert live.look() is None


needs_tf = pytest.mark.skipif(
    importlib.util.find_spec('tf2_ros') is None, reason='tf2_ros is not installed'
)


def cloud_of(scene, rig: Rig) -> np.ndarray:
    """What the pipeline makes of the pictures with another rig."""
    pipeline = SurroundDepth(load_engine(scene.model), rig)
    return pipeline(SurroundFrame(1, tuple(scene.pictures.values()), (1, 1, 1))).cloud.points


class Mount:
    """Publishes where a camera sits, as a pan-tilt head does, on /tf."""

    def __init__(self, listener, item) -> None:
        from geometry_msgs.msg import TransformStamped
        from tf2_msgs.msg import TFMessage

        self._listener, self._item = listener, item
        self._edge = TransformStamped(child_frame_id=item.frame_id)
        self._edge.header.frame_id = 'base_link'
        self._message = TFMessage
        self._publisher = listener.node.create_publisher(TFMessage, '/tf', 10)

    def publish(self, pose: SE3) -> None:
        from selfdepth_ros.nodes.synthetic_rig import _set_pose

        self._edge.header.stamp = self._listener.node.get_clock().now().to_msg()
        _set_pose(self._edge.transform.translation, self._edge.transform.rotation, pose)
        self._publisher.publish(self._message(transforms=[self._edge]))


@needs_tf
def test_a_changed_camera_info_changes_the_cloud_without_a_restart(
    scene, surround, listener, infos
) -> None:
    node = surround(model=scene.model, rig='topics', info_topic=INFO)
    clouds = listener.listen(PointCloud2, POINTS)
    for cx in (31.5, 20.0):
        infos.messages['a'].k[2] = cx
        cameras = list(scene.rig.cameras)
        cameras[0] = replace(cameras[0], camera=replace(cameras[0].camera, cx=cx))
        expected = cloud_of(scene, replace(scene.rig, cameras=tuple(cameras)))

        def is_there(expected=expected):
            found = [points_from_cloud_msg(cloud) for cloud in clouds[-3:]]
            return any(np.array_equal(points, expected) for points in found)

        publish_until(listener, infos, is_there, f'the cloud with cx {cx}')
    assert [line for line in node.lines('INFO') if 'calibration has changed: a' in line]


@needs_tf
def test_the_points_of_a_camera_that_turns_follow_it(scene, surround, listener, infos) -> None:
    cameras = list(scene.rig.cameras)
    cameras[1] = replace(cameras[1], frame_id='head_optical_frame')
    infos.messages['b'].header.frame_id = 'head_optical_frame'
    mount = Mount(listener, cameras[1])
    surround(model=scene.model, rig='topics', info_topic=INFO, diagnostics_period_s=0.1)
    clouds, last = listener.listen(PointCloud2, POINTS), listener.diagnostics()
    for yaw in (0.0, 0.006, 0.8):
        turn = SE3.exp(np.array([0, 0, 0, 0, yaw, 0.0]))
        pose = cameras[1].body_from_camera @ turn
        rig = replace(
            scene.rig,
            cameras=(cameras[0], replace(cameras[1], body_from_camera=pose), cameras[2]),
        )
        expected = cloud_of(scene, rig)

        def is_there(expected=expected, pose=pose):
            mount.publish(pose)
            found = [points_from_cloud_msg(cloud) for cloud in clouds[-3:]]
            same = [points for points in found if points.shape == expected.shape]
            return any(np.allclose(points, expected, atol=1e-4) for points in same)

        publish_until(listener, infos, is_there, f'the cloud with the head at {yaw}')
    assert last()[2]['calibration'].endswith('moving on the body: b')
    listener.wait(lambda: 'does not know where head_optical_frame was' in last()[1], 'a lost head')
    assert last()[2]['cameras_missing'] == 'b'
