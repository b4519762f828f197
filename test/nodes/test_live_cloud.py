# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images of one process become the cloud of another: the pipeline's own, point for point."""

import importlib.util

import numpy as np
import pytest
from rclpy.qos import QoSReliabilityPolicy
from sensor_msgs.msg import Image, PointCloud2

from selfdepth_ros.messages import decode_depth, pack_points, points_from_cloud_msg, stamp_ns

POINTS = '/surround_depth/points'


def assert_cloud_is(message, cloud) -> None:
    packed = pack_points(cloud)
    assert message.header.frame_id == 'base_link'
    assert [(f.name, f.offset, f.datatype, f.count) for f in message.fields] == [*packed.fields]
    assert (message.point_step, message.height, message.width) == (16, 1, len(cloud))
    assert message.row_step == 16 * len(cloud)
    assert message.is_dense
    assert np.array_equal(np.frombuffer(message.data, np.uint8), packed.data)
    assert np.array_equal(points_from_cloud_msg(message), cloud.points)


def complete(clouds, size: int) -> list[PointCloud2]:
    """Clouds of all cameras; a busy machine may let a set's deadline pass before it is whole."""
    assert all(cloud.width <= size for cloud in clouds)
    return [cloud for cloud in clouds if cloud.width == size]


@pytest.mark.parametrize('transport', ['raw', 'compressed'])
def test_the_cloud_is_what_the_pipeline_makes_of_the_images(
    scene, surround, listener, transport
) -> None:
    surround(model=scene.model, transport=transport)  # the rig lies beside the model
    clouds = listener.listen(PointCloud2, POINTS)
    best_effort = QoSReliabilityPolicy.BEST_EFFORT
    images = listener.listen(Image, '/a/image_raw', reliability=best_effort)
    expected = scene.expected().cloud
    assert len(expected) > 1000
    listener.wait(lambda: len(complete(clouds, len(expected))) >= 3, 'three whole clouds')
    for message in complete(clouds, len(expected)):
        assert_cloud_is(message, expected)
    stamps = [stamp_ns(message.header) for message in clouds]
    assert stamps == sorted(set(stamps))
    listener.wait(
        lambda: {stamp_ns(image.header) for image in images} & {*stamps},
        'an image with the stamp of a cloud',
    )


def test_the_backend_torch_makes_the_same_cloud(scene, surround, listener) -> None:
    node = surround(model=scene.model, backend='torch')
    clouds = listener.listen(PointCloud2, POINTS)
    last = listener.diagnostics()
    expected = scene.expected().cloud
    listener.wait(lambda: complete(clouds, len(expected)), 'a whole cloud')
    found = points_from_cloud_msg(complete(clouds, len(expected))[0])
    np.testing.assert_allclose(found, expected.points, 1e-5, 1e-5)
    listener.wait(lambda: 'torch' in str(last(1)), 'the engine on /diagnostics')
    assert node.stop() == 0
    assert 'Traceback' not in node.log


def test_a_dead_camera_makes_the_cloud_partial_and_is_named(scene, surround, listener) -> None:
    rig = scene.folder / 'rig_of_four.yaml'
    node = surround(model=scene.model, rig=rig, diagnostics_period_s=0.2)
    clouds = listener.listen(PointCloud2, POINTS)
    last = listener.diagnostics()
    expected = scene.expected(('a', 'b', 'c', 'dead')).cloud
    listener.wait(
        lambda: len(complete(clouds, len(expected))) >= 8,
        'clouds, some after the camera counts as absent',
    )
    for message in complete(clouds, len(expected)):
        assert_cloud_is(message, expected)
    listener.wait(lambda: 'dead/image_raw' in last()[1], 'the dead camera in the diagnostics')
    assert last()[0] == b'\x01'
    assert last()[2]['cameras_missing'] == 'dead'
    assert last()[2]['cameras_present'] == 'a b c'
    listener.wait(lambda: node.lines('WARN'), 'a warning in the log')
    (warning,) = node.lines('WARN')
    assert 'dead/image_raw' in warning


def test_nothing_is_computed_that_nobody_listens_to(scene, surround, listener) -> None:
    surround(model=scene.model, diagnostics_period_s=0.1)
    last = listener.diagnostics()
    listener.wait(lambda: int(last()[2].get('sets_not_wanted', 0)) >= 5, 'sets nobody wanted')
    assert last()[1] == 'idle: nobody listens'
    assert last()[2]['clouds'] == '0'

    depths = listener.listen(Image, '/surround_depth/b/depth')
    listener.wait(lambda: len(depths) >= 2, 'depth images')
    assert depths[0].encoding == '32FC1'
    assert depths[0].header.frame_id == 'b_optical_frame'
    assert np.array_equal(decode_depth(depths[0]), scene.expected().depths[1])
    listener.wait(lambda: int(last()[2].get('clouds', 0)) >= 2, 'sets that were computed')


@pytest.mark.skipif(importlib.util.find_spec('tf2_ros') is None, reason='tf2_ros is not installed')
def test_camera_info_and_tf_make_the_same_rig_as_the_file(scene, surround, listener) -> None:
    surround(model=scene.model, rig='topics')
    clouds = listener.listen(PointCloud2, POINTS)
    expected = scene.expected().cloud
    listener.wait(lambda: complete(clouds, len(expected)), 'a cloud of all cameras')
    assert_cloud_is(complete(clouds, len(expected))[-1], expected)


@pytest.mark.skipif(
    importlib.util.find_spec('message_filters') is None, reason='message_filters is not installed'
)
def test_the_stock_synchronizer_makes_the_same_cloud(scene, surround, listener) -> None:
    surround(model=scene.model, sync='message_filters')
    clouds = listener.listen(PointCloud2, POINTS)
    expected = scene.expected().cloud
    listener.wait(lambda: complete(clouds, len(expected)), 'a cloud of all cameras')
    assert_cloud_is(complete(clouds, len(expected))[-1], expected)


def test_a_cloud_is_saved_as_it_was_published(
    scene, surround, cameras, listener, tmp_path
) -> None:
    surround(model=scene.model)
    cloud = scene.expected().cloud
    clouds = listener.listen(PointCloud2, POINTS)
    # The first sets lack cameras that are still being discovered.
    listener.wait(lambda: any(c.width == len(cloud) for c in clouds), 'a cloud of all cameras')
    out = tmp_path / 'saved' / 'cloud.ply'
    topic = ('-r', 'cloud:=/surround_depth/points')
    saver = type(cameras)(
        tmp_path / 'log', '-m', 'selfdepth_ros.nodes.save_cloud', ros_arguments=topic, out=out
    )
    assert saver.status() == 0, saver.log
    vertices = out.read_bytes().partition(b'end_header\n')[2]
    kind = np.dtype([('xyz', '<f4', 3), ('rgb', 'u1', 3)])
    assert np.array_equal(np.frombuffer(vertices, kind)['xyz'], cloud.points)
    assert np.array_equal(np.frombuffer(vertices, kind)['rgb'], cloud.colors)
    below_a_file = out / 'cloud.ply'
    saver = type(cameras)(
        tmp_path / 'log2', '-m', 'selfdepth_ros.nodes.save_cloud', ros_arguments=topic,
        out=below_a_file,
    )  # fmt: skip
    assert saver.status() == 78, saver.log
    assert f'{below_a_file} cannot be written' in saver.log and 'Traceback' not in saver.log


def test_figures_of_rate_and_latency_are_in_the_diagnostics(scene, surround, listener) -> None:
    surround(model=scene.model, diagnostics_period_s=0.1)
    listener.listen(PointCloud2, POINTS)
    last = listener.diagnostics()
    whole = str(len(scene.expected().cloud))  # a busy machine may let a deadline pass
    listener.wait(
        lambda: (
            last()[:2] == (b'\x00', 'running')
            and 'rate_hz' in last()[2]
            and last()[2]['points'] == whole
        ),
        'a rate, of a whole cloud',
    )
    values = last()[2]
    stages = ('waiting', 'decode', 'preprocess', 'infer', 'fuse', 'pack', 'publish')
    spent = {name: float(values[f'{name}_median_ms']) for name in stages}
    assert all(value >= 0 for value in spent.values())
    outside = float(values['outside_network_median_ms'])
    assert spent['waiting'] <= outside <= float(values['latency_median_ms'])
