# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""~/reload_model with a rig file beside the new model: it is taken, or the reload is refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from sensor_msgs.msg import PointCloud2
from std_srvs.srv import Trigger

from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.frames import PointCloud, SurroundFrame
from selfdepth_ros.core.rig import Rig, save_rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.inference import load_engine
from selfdepth_ros.messages import points_from_cloud_msg
from selfdepth_ros.nodes.model import load_model_again
from selfdepth_ros.nodes.parameters import SurroundDepthConfig
from selfdepth_ros.pipeline import SurroundDepth

NODE = '/surround_depth'


def raised(rig: Rig) -> Rig:
    """All cameras half a metre higher, the left half of the first on the robot's own body."""
    up = SE3.from_rotation_translation(np.eye(3), np.array([0, 0, 0.5]))
    first, *others = (
        replace(item, body_from_camera=up @ item.body_from_camera) for item in rig.cameras
    )
    lens = first.camera
    body = np.zeros((lens.height, lens.width), bool)
    body[:, : lens.width // 2] = True
    return replace(rig, cameras=(replace(first, self_occlusion=body), *others))


def renamed(rig: Rig) -> Rig:
    first, *others = rig.cameras
    return replace(rig, cameras=(replace(first, name='front'), *others))


def turned_around(rig: Rig) -> Rig:
    return replace(rig, cameras=rig.cameras[::-1])


def of_another_body(rig: Rig) -> Rig:
    return replace(rig, body_frame='chassis')


@pytest.fixture
def better(scene, tmp_path) -> Path:
    """A folder with the scene's model, and no rig file yet."""
    folder = tmp_path / 'better'
    folder.mkdir()
    for name in ('model.onnx', 'model.yaml'):
        shutil.copy(scene.folder / name, folder / name)
    return folder


def reload(listener, model: Path) -> Trigger.Response:
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=str(model))
    request = SetParameters.Request(parameters=[Parameter(name='model', value=value)])
    assert listener.call(SetParameters, f'{NODE}/set_parameters', request).results[0].successful
    return listener.call(Trigger, f'{NODE}/reload_model', Trigger.Request())


def cloud_of(scene, rig: Rig) -> PointCloud:
    images = tuple(scene.picture(name) for name in rig.names)
    pipeline = SurroundDepth(load_engine(scene.model), rig)
    return pipeline(SurroundFrame(1, images, (1,) * len(images))).cloud


def comes(clouds: list[PointCloud2], cloud: PointCloud) -> bool:
    """Whether the cloud came, point for point."""
    return any(
        message.width == len(cloud)
        and np.array_equal(points_from_cloud_msg(message), cloud.points)
        for message in clouds
    )


def test_the_rig_file_beside_the_new_model_is_taken_with_it(
    scene, surround, listener, better
) -> None:
    surround(model=scene.model, diagnostics_period_s=0.1)  # its rig lies beside it
    clouds, last = listener.listen(PointCloud2, f'{NODE}/points'), listener.diagnostics()
    listener.wait(lambda: comes(clouds, cloud_of(scene, scene.rig)), 'a whole cloud')
    new = raised(scene.rig)
    lens = replace(new.cameras[1].camera, fx=55.0)
    new = replace(
        new, cameras=(new.cameras[0], replace(new.cameras[1], camera=lens), *new.cameras[2:])
    )
    save_rig(new, better / 'rig.yaml')
    answer = reload(listener, better)
    assert answer.success, answer.message
    assert f'rig: {better}/rig.yaml' in answer.message
    listener.wait(lambda: comes(clouds, cloud_of(scene, new)), 'a cloud of the new rig')
    listener.wait(lambda: 'b: fx is 55.00' in last()[1], 'the new file compared with CameraInfo')


def test_without_a_rig_file_beside_it_the_rig_stays_and_the_answer_says_so(
    scene, surround, listener, better
) -> None:
    surround(model=scene.model)
    clouds = listener.listen(PointCloud2, f'{NODE}/points')
    listener.wait(lambda: clouds, 'a cloud')
    answer = reload(listener, better)
    assert answer.success, answer.message
    assert 'rig: that in use, no rig.yaml is beside the model' in answer.message
    clouds.clear()
    listener.wait(lambda: comes(clouds, cloud_of(scene, scene.rig)), 'clouds of the old rig')


def test_a_rig_file_that_cannot_be_taken_refuses_the_model_too(
    scene, surround, listener, better
) -> None:
    surround(model=scene.model, diagnostics_period_s=0.1)
    clouds, last = listener.listen(PointCloud2, f'{NODE}/points'), listener.diagnostics()
    listener.wait(lambda: clouds, 'a cloud')
    words = {
        renamed: 'front, b, c',
        turned_around: 'in their order: a, b, c',
        of_another_body: "body_frame is 'chassis'",
    }
    for change, told in words.items():
        save_rig(change(raised(scene.rig)), better / 'rig.yaml')
        answer = reload(listener, better)
        assert not answer.success, change
        assert f'{better}/rig.yaml' in answer.message
        assert told in answer.message
        assert 'stays in use' in answer.message
        listener.wait(lambda told=told: told in last(1)[1], 'the refusal on /diagnostics')
    clouds.clear()
    listener.wait(lambda: comes(clouds, cloud_of(scene, scene.rig)), 'clouds of the old rig')


def test_what_would_change_where_the_rig_is_from_is_refused(scene, better) -> None:
    config = SurroundDepthConfig(model=str(better))
    assert load_model_again(config, ('a', 'b', 'c'), of_file=False).rig is None
    with pytest.raises(CalibrationError, match='the cameras a, b, c in the model, expected .*: d'):
        load_model_again(config, ('d',), of_file=False)
    chosen = replace(config, cameras=('d',))
    assert load_model_again(chosen, ('d',), of_file=False).rig_source == 'CameraInfo and TF'
    save_rig(scene.rig, better / 'rig.yaml')
    with pytest.raises(CalibrationError, match=f'a rig file, {better}/rig.yaml, expected none'):
        load_model_again(config, ('a', 'b', 'c'), of_file=False)
    assert load_model_again(replace(config, rig='topics'), ('a', 'b', 'c'), of_file=False)
