# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What Nav2 takes: scan and obstacles of the live graph, and the options of the cloud."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2

from selfdepth_ros.core.downsample import first_of_each_voxel
from selfdepth_ros.core.rectified import RectifiedDepth
from selfdepth_ros.core.rig import save_rig
from selfdepth_ros.core.scan import ScanConfig, Scanner
from selfdepth_ros.messages import (
    camera_from_info,
    decode_depth,
    points_from_cloud_msg,
    stamp_ns,
)

NODE = '/surround_depth'
FOUR = ('a', 'b', 'c', 'dead')
SCAN = ScanConfig(beams=180)
"""Beams two degrees wide: the pixels of the small network are."""


def beam(scan: LaserScan, azimuth_deg: float) -> float:
    """Range in a direction, from straight ahead to the left."""
    index = round((math.radians(azimuth_deg) - scan.angle_min) / scan.angle_increment)
    return scan.ranges[index % len(scan.ranges)]


def test_the_sector_of_a_dead_camera_is_unknown_in_the_scan(scene, surround, listener) -> None:
    rig_file = scene.folder / 'rig_of_four.yaml'
    surround(**{'model': scene.model, 'rig': rig_file, 'scan.beams': SCAN.beams})
    scans = listener.listen(LaserScan, f'{NODE}/scan')
    clouds = listener.listen(PointCloud2, f'{NODE}/points')
    expected = scene.expected(FOUR)
    scanner = Scanner(expected_rig(scene), SCAN)
    ranges = scanner.ranges(expected.cloud.points, (True, True, True, False))

    def whole() -> list[LaserScan]:
        sets = {stamp_ns(c.header) for c in clouds if c.width == len(expected.cloud)}
        return [scan for scan in scans if stamp_ns(scan.header) in sets]

    listener.wait(lambda: len(whole()) >= 3, 'scans with the stamps of whole clouds')
    for scan in whole():
        assert scan.header.frame_id == 'base_link'
        assert len(scan.ranges) == SCAN.beams
        np.testing.assert_array_equal(np.array(scan.ranges, np.float32), ranges)
        assert all(math.isfinite(beam(scan, yaw)) for yaw in (0, 90, 180))
        assert all(math.isnan(beam(scan, yaw)) for yaw in range(-110, -69, 2))
    low, high = scan.range_min, scan.range_max
    assert (low, high) == (np.float32(SCAN.min_range_m), np.float32(SCAN.max_range_m))


def expected_rig(scene):
    """The rig of four at the size of the network."""
    from selfdepth_ros.core.rig import load_rig

    return load_rig(scene.folder / 'rig_of_four.yaml').scaled(32, 24)


def test_obstacles_are_the_points_of_the_band_one_per_voxel(scene, surround, listener) -> None:
    parameters = {
        'ground_height_m': '0.1',
        'obstacles.min_height_m': '0.4',
        'obstacles.max_height_m': '1.5',
        'obstacles.voxel_m': '0.2',
    }
    surround(model=scene.model, **parameters)
    messages = listener.listen(PointCloud2, f'{NODE}/obstacles')
    points = scene.expected().cloud.points
    band = points[(points[:, 2] >= 0.5) & (points[:, 2] <= 1.6)]
    expected = band[first_of_each_voxel(band, 0.2)]
    assert 50 < len(expected) < len(band) < len(points)
    listener.wait(
        lambda: any(message.width == len(expected) for message in messages), 'whole obstacles'
    )
    message = next(message for message in messages if message.width == len(expected))
    assert message.header.frame_id == 'base_link'
    assert [field.name for field in message.fields] == ['x', 'y', 'z']
    np.testing.assert_array_equal(points_from_cloud_msg(message), expected)


def test_an_organized_cloud_with_all_fields_every_other_pixel(scene, surround, listener) -> None:
    names = ('confidence', 'camera', 'time', 'organized')
    options = {f'points.{name}': 'true' for name in names}
    surround(model=scene.model, **options, **{'points.stride_px': 2})
    clouds = listener.listen(PointCloud2, f'{NODE}/points')
    cloud = scene.expected().cloud
    row, column = np.divmod(cloud.pixel, 32)
    kept = (row % 2 == 0) & (column % 2 == 0)

    def whole() -> list[PointCloud2]:
        return [c for c in clouds if len(points_from_cloud_msg(c)) == kept.sum()]

    listener.wait(whole, 'a whole cloud')
    message = whole()[0]
    assert (message.height, message.width, message.is_dense) == (3 * 12, 16, False)
    names = [field.name for field in message.fields]
    assert names == ['x', 'y', 'z', 'rgb', 'confidence', 'time', 'camera']
    kinds = [('xyz', '<f4', 3), ('rgb', '<u4'), ('confidence', '<f4'), ('time', '<f4')]
    kind = np.dtype([*kinds, ('camera', 'u1'), ('_', 'u1', 3)])
    grid = np.frombuffer(message.data, kind).reshape(36, 16)
    points = grid[cloud.camera[kept] * 12 + row[kept] // 2, column[kept] // 2]
    np.testing.assert_array_equal(points['xyz'], cloud.points[kept])
    np.testing.assert_array_equal(points['camera'], cloud.camera[kept])
    assert np.isnan(points['confidence']).all()
    assert not points['time'].any()  # the cameras of this scene have one stamp


def test_the_camera_info_beside_a_depth_image_projects_it_to_the_points_of_the_cloud(
    scene, surround, listener
) -> None:
    """As image_transport pairs them: neighbours by name, of one stamp."""
    surround(model=scene.model, diagnostics_period_s=0.1)
    infos = listener.listen(CameraInfo, f'{NODE}/b/camera_info')
    depths = listener.listen(Image, f'{NODE}/b/depth')

    def pairs() -> list[tuple[Image, CameraInfo]]:
        return [(d, i) for d in depths for i in infos if d.header.stamp == i.header.stamp]

    listener.wait(lambda: len(pairs()) >= 2, 'depth images with their CameraInfo')
    image, info = pairs()[0]
    assert info.header == image.header
    assert (info.width, info.height) == (image.width, image.height) == (32, 24)
    item = scene.rig.cameras[1]
    assert info.header.frame_id == item.frame_id
    assert camera_from_info(info) == camera_from_info(info, rectified=True)
    cloud = scene.expected().cloud
    own = cloud.camera == 1
    row, column = np.divmod(cloud.pixel[own], info.width)
    z_m = decode_depth(image)[row, column]
    fx, _, cx, _, fy, cy, *_ = info.k
    seen = np.stack([(column - cx) / fx * z_m, (row - cy) / fy * z_m, z_m], axis=-1)
    points = item.body_from_camera.apply(seen)
    np.testing.assert_allclose(points, cloud.points[own], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('rectify', ['true', 'false'])
def test_depth_images_are_without_distortion_on_request(
    scene, surround, listener, tmp_path, rectify
) -> None:
    lens = replace(
        scene.rig.cameras[1].camera,
        distortion_model='plumb_bob',
        distortion=(0.2, 0.0, 0.0, 0.0, 0.0),
    )
    cameras = tuple(replace(item, camera=lens) for item in scene.rig.cameras)
    save_rig(replace(scene.rig, cameras=cameras), tmp_path / 'rig.yaml')
    surround(model=scene.model, rig=tmp_path / 'rig.yaml', rectify_depth=rectify)
    infos = listener.listen(CameraInfo, f'{NODE}/b/camera_info')
    depths = listener.listen(Image, f'{NODE}/b/depth')
    listener.wait(lambda: infos and depths, 'a depth image and its CameraInfo')
    depth, small = decode_depth(depths[0]), lens.scaled(32, 24)
    if rectify == 'true':
        assert not any(infos[0].d)
        unseen = np.isnan(RectifiedDepth(small)(np.ones((24, 32), np.float32)))
        assert unseen.any()
        np.testing.assert_array_equal(np.isnan(depth), unseen)
    else:
        assert tuple(infos[0].d) == small.distortion
        assert np.isfinite(depth).all()


def test_limits_that_do_not_go_together_are_refused(scene, surround) -> None:
    node = surround(model=scene.model, **{'scan.min_height_m': '3.0'})
    assert node.status() == 78
    (fatal,) = node.lines('FATAL')
    assert 'scan: found min_height_m 3.0' in fatal
