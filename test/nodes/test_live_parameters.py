# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters set while the node works: applied at once, or refused with a reason."""

from typing import Any

import numpy as np
from rcl_interfaces.srv import GetParameters, SetParametersAtomically
from rclpy.parameter import Parameter
from sensor_msgs.msg import PointCloud2

from selfdepth_ros.core.downsample import first_of_each_voxel
from selfdepth_ros.core.fusion import FusionConfig
from selfdepth_ros.messages import points_from_cloud_msg

NODE = '/surround_depth'


def set_values(listener, values: dict[str, Any]) -> tuple[bool, str]:
    """Set all or none; whether it was done, and why not."""
    messages = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
    request = SetParametersAtomically.Request(parameters=messages)
    name = f'{NODE}/set_parameters_atomically'
    result = listener.call(SetParametersAtomically, name, request).result
    return result.successful, result.reason


def value_of(listener, name: str) -> Any:
    request = GetParameters.Request(names=[name])
    answer = listener.call(GetParameters, f'{NODE}/get_parameters', request)
    return Parameter.from_parameter_msg(
        type(Parameter(name).to_parameter_msg())(name=name, value=answer.values[0])
    ).value


def wait_for_points(listener, clouds: list[PointCloud2], expected: np.ndarray) -> None:
    clouds.clear()
    listener.wait(
        lambda: any(cloud.width == len(expected) for cloud in clouds), f'{len(expected)} points'
    )
    message = next(cloud for cloud in clouds if cloud.width == len(expected))
    np.testing.assert_array_equal(points_from_cloud_msg(message), expected)


def test_filters_and_voxels_change_while_clouds_go_on(scene, surround, listener) -> None:
    node = surround(model=scene.model)
    clouds = listener.listen(PointCloud2, f'{NODE}/points')
    whole = scene.expected().cloud.points
    wait_for_points(listener, clouds, whole)

    limits = {'max_range_m': 6.5, 'max_height_m': 1.6}
    nearer = scene.expected(config=FusionConfig(**limits)).cloud.points
    assert 0 < len(nearer) < len(whole)
    given = {f'fusion.{name}': value for name, value in limits.items()}
    assert set_values(listener, given) == (True, '')
    wait_for_points(listener, clouds, nearer)

    assert set_values(listener, {'points.voxel_m': 0.3}) == (True, '')
    wait_for_points(listener, clouds, nearer[first_of_each_voxel(nearer, 0.3)])
    assert not node.lines('ERROR')


def test_heights_of_the_obstacles_change(scene, surround, listener) -> None:
    surround(model=scene.model)
    messages = listener.listen(PointCloud2, f'{NODE}/obstacles')
    points = scene.expected().cloud.points
    for low in (0.4, 1.0):
        assert set_values(listener, {'obstacles.min_height_m': low}) == (True, '')
        band = points[(points[:, 2] >= np.float32(low)) & (points[:, 2] <= 2.0)]
        wait_for_points(listener, messages, band[first_of_each_voxel(band, 0.05)])


def test_diagnostics_come_at_another_period(scene, surround, listener) -> None:
    surround(model=scene.model, diagnostics_period_s='60.0')
    last = listener.diagnostics()
    clouds = listener.listen(PointCloud2, f'{NODE}/points')
    listener.wait(lambda: clouds, 'a cloud')
    assert last() == (b'', '', {})
    assert set_values(listener, {'diagnostics_period_s': 0.1}) == (True, '')
    listener.wait(lambda: last()[2], 'diagnostics before the minute is over')


def test_what_is_in_use_is_refused_with_the_way_to_change_it(scene, surround, listener) -> None:
    node = surround(model=scene.model)
    clouds = listener.listen(PointCloud2, f'{NODE}/points')
    listener.wait(lambda: clouds, 'a cloud')
    done, reason = set_values(listener, {'tolerance_ms': 20.0})
    assert not done
    assert 'tolerance_ms' in reason
    assert 'ros2 lifecycle set' in reason
    assert value_of(listener, 'tolerance_ms') == 40.0
    for same in ({'tolerance_ms': 40.0}, {'stamp_offsets_ms': [0.0]}):
        assert set_values(listener, same) == (True, '')  # no change
    assert not set_values(listener, {'stamp_offsets_ms': [0.0, 0.0, 80.0]})[0]
    assert not set_values(listener, {'save.folder': '/'})[0]
    assert node.process.poll() is None


def test_what_does_not_fit_is_refused_whole(scene, surround, listener) -> None:
    surround(model=scene.model, autostart='false')
    wrong = {
        'points.voxel_m': (-1.0, 'points.voxel_m'),
        'scan.beams': (1.5, 'type'),
        'scan.min_height_m': (3.0, 'scan: found min_height_m 3.0'),
        'fusion.min_range_m': (70.0, 'fusion: found min_range_m 70.0'),
        'save.name': ('../up', "save: name: found '../up'"),
        'save.format': ('las', "save.format: found 'las'"),
        'sync': ('luck', "sync: found 'luck'"),
        'stamp_offsets_ms': ([0.0, 801.0], 'stamp_offsets_ms: found 801.0, expected -800.0'),
    }
    for name, (value, words) in wrong.items():
        done, reason = set_values(listener, {'deadline_ms': 90.0, name: value})
        assert not done, name
        assert words in reason
    assert value_of(listener, 'deadline_ms') == 60.0
    assert set_values(listener, {'deadline_ms': 90.0}) == (True, '')  # not configured yet
    assert value_of(listener, 'deadline_ms') == 90.0
