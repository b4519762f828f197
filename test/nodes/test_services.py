# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""~/save_cloud and ~/reload_model of a live node."""

import sys
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from sensor_msgs.msg import PointCloud2
from std_srvs.srv import Trigger

from selfdepth_ros.core.downsample import first_of_each_voxel

NODE = '/surround_depth'
POINTS = f'{NODE}/points'
PLY = np.dtype([('xyz', '<f4', 3), ('rgb', 'u1', 3)])


def trigger(listener, name: str) -> Trigger.Response:
    return listener.call(Trigger, f'{NODE}/{name}', Trigger.Request())


def set_text(listener, name: str, text: str) -> None:
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=text)
    request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
    answer = listener.call(SetParameters, f'{NODE}/set_parameters', request)
    assert answer.results[0].successful, answer.results[0].reason


def ply_points(path: Path) -> np.ndarray:
    return np.frombuffer(path.read_bytes().partition(b'end_header\n')[2], PLY)


def test_the_current_cloud_is_saved_though_nobody_listens(
    scene, surround, listener, tmp_path
) -> None:
    folder, name = tmp_path / 'clouds', "'{node}_now'"
    node = surround(**{'model': scene.model, 'save.folder': folder, 'save.name': name})
    cloud = scene.expected().cloud

    def whole() -> bool:
        """A busy machine may make a set of fewer cameras."""
        answer = trigger(listener, 'save_cloud')
        if not answer.success:
            assert 'not active' in answer.message  # not yet
            return False
        assert f'{folder}/surround_depth_now.ply and {folder}' in answer.message
        return len(ply_points(folder / 'surround_depth_now.ply')) == len(cloud)

    listener.wait(whole, 'a whole cloud')
    assert {path.name for path in folder.iterdir()} == {
        'surround_depth_now.ply',
        'surround_depth_now.pcd',
    }
    saved = ply_points(folder / 'surround_depth_now.ply')
    np.testing.assert_array_equal(saved['xyz'], cloud.points)
    np.testing.assert_array_equal(saved['rgb'], cloud.colors)
    assert b'POINTS %d\n' % len(cloud) in (folder / 'surround_depth_now.pcd').read_bytes()
    assert not node.lines('WARN')


def test_the_saved_cloud_is_that_of_the_topic_and_named_by_its_stamp(
    scene, surround, listener, tmp_path
) -> None:
    surround(
        **{
            'model': scene.model,
            'save.folder': tmp_path,
            'save.format': 'ply',
            'points.voxel_m': '0.3',
        }
    )
    points = scene.expected().cloud.points
    expected = points[first_of_each_voxel(points, 0.3)]
    assert len(expected) < len(points)

    def whole() -> list[Path]:
        trigger(listener, 'save_cloud')
        found = tmp_path.glob('surround_depth_*.ply')
        return [path for path in found if len(ply_points(path)) == len(expected)]

    listener.wait(whole, 'a whole cloud')
    np.testing.assert_array_equal(ply_points(whole()[0])['xyz'], expected)
    seconds = float(whole()[0].stem.removeprefix('surround_depth_'))
    assert abs(listener.node.get_clock().now().nanoseconds * 1e-9 - seconds) < 600
    assert not list(tmp_path.glob('*.pcd'))


def test_a_folder_that_cannot_be_written_is_said_and_nothing_breaks(
    scene, surround, listener, tmp_path
) -> None:
    (tmp_path / 'file').write_text('')
    node = surround(**{'model': scene.model, 'save.folder': tmp_path / 'file' / 'clouds'})
    clouds = listener.listen(PointCloud2, POINTS)
    listener.wait(lambda: clouds, 'a cloud')
    answer = trigger(listener, 'save_cloud')
    assert not answer.success
    assert f'{tmp_path}/file/clouds' in answer.message
    assert 'save.folder' in answer.message
    clouds.clear()
    listener.wait(lambda: clouds, 'a cloud after the failure')
    assert 'Traceback' not in node.log


def test_without_images_saving_ends_and_says_so(scene, surround, listener, tmp_path) -> None:
    nothing = "'{camera}/nothing'"
    surround(**{'model': scene.model, 'save.folder': tmp_path / 'c', 'image_topic': nothing})
    answers = []

    def waited() -> bool:
        answers.append(trigger(listener, 'save_cloud').message)
        return 'not active' not in answers[-1]

    listener.wait(waited, 'an active node')
    assert 'found no cloud within 5 s' in answers[-1]
    assert not (tmp_path / 'c').exists()


def test_an_inactive_node_saves_and_reloads_nothing(scene, surround, listener) -> None:
    surround(model=scene.model, autostart='false')
    for service, words in (('save_cloud', 'not active'), ('reload_model', 'no model in use')):
        answer = trigger(listener, service)
        assert not answer.success
        assert words in answer.message


@pytest.fixture
def models(scene, tmp_path) -> dict[str, Path]:
    """Models of other kinds than the scene's: smaller, of NaN, none at all."""
    module = sys.modules['nodes_scene']
    for name in ('small', 'nan'):
        (tmp_path / name).mkdir()
    (tmp_path / 'none.onnx').write_bytes(b'no model at all')
    return {
        'small': module.write_model(tmp_path / 'small', (16, 12)),
        'nan': module.write_model(tmp_path / 'nan', gain=float('nan')),
        'none': tmp_path / 'none.onnx',
        'nowhere': tmp_path / 'nowhere.onnx',
    }


def test_a_model_is_replaced_while_clouds_go_on(scene, surround, listener, models) -> None:
    node = surround(model=scene.model)
    clouds = listener.listen(PointCloud2, POINTS)
    before = len(scene.expected().cloud)
    after = len(scene.expected(model=models['small']).cloud)
    assert after < before / 2
    listener.wait(lambda: any(cloud.width == before for cloud in clouds), 'a whole cloud')
    set_text(listener, 'model', str(models['small']))
    clouds.clear()
    listener.wait(lambda: any(cloud.width == before for cloud in clouds), 'still the old model')
    answer = trigger(listener, 'reload_model')
    assert answer.success, answer.message
    assert 'ONNX Runtime' in answer.message
    listener.wait(
        lambda: any(cloud.width == after for cloud in clouds), 'a cloud of the new model'
    )
    clouds.clear()
    listener.wait(lambda: len(clouds) >= 3, 'more of them')
    assert max(cloud.width for cloud in clouds[1:]) == after
    assert not node.lines('ERROR')


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('nan', '0.0% of them finite'),
        ('none', 'cannot be loaded as an ONNX model'),
        ('nowhere', 'no model at'),
    ],
)
def test_a_model_that_cannot_be_used_leaves_the_old_one(
    scene, surround, listener, models, name, words
) -> None:
    node = surround(model=scene.model)
    clouds = listener.listen(PointCloud2, POINTS)
    listener.wait(lambda: clouds, 'a cloud')
    set_text(listener, 'model', str(models[name]))
    answer = trigger(listener, 'reload_model')
    assert not answer.success
    assert words in answer.message
    assert 'stays in use' in answer.message
    clouds.clear()
    whole = len(scene.expected().cloud)
    listener.wait(lambda: any(c.width == whole for c in clouds), 'clouds of the old model')
    assert len(node.lines('ERROR')) == 1
    assert 'Traceback' not in node.log


def test_reloading_works_in_a_node_that_was_led_down_and_up(
    scene, surround, listener, models
) -> None:
    surround(model=scene.model, diagnostics_period_s=0.1)
    clouds, last = listener.listen(PointCloud2, POINTS), listener.diagnostics()
    listener.wait(lambda: clouds, 'a cloud')
    set_text(listener, 'model', str(models['nowhere']))
    assert not trigger(listener, 'reload_model').success
    listener.wait(lambda: last(1)[0] == DiagnosticStatus.WARN, 'the reload that failed')
    set_text(listener, 'model', str(scene.model))
    for number in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        request = ChangeState.Request(transition=Transition(id=number))
        assert listener.call(ChangeState, f'{NODE}/change_state', request).success
    assert not trigger(listener, 'reload_model').success
    for number in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        request = ChangeState.Request(transition=Transition(id=number))
        assert listener.call(ChangeState, f'{NODE}/change_state', request).success
    # The failure was of a model that the node is no longer asked for.
    listener.wait(lambda: last(1)[0] == DiagnosticStatus.OK, 'an engine without a problem')
    assert trigger(listener, 'reload_model').success
