# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""States, signals, parameters: the node as a managed process."""

import signal

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import DescribeParameters, ListParameters
from sensor_msgs.msg import PointCloud2

NODE = '/surround_depth'


def change(listener, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return listener.call(ChangeState, f'{NODE}/change_state', request).success


def state(listener) -> str:
    return listener.call(GetState, f'{NODE}/get_state', GetState.Request()).current_state.label


def test_a_lifecycle_manager_leads_the_node_up_and_down(scene, surround, listener) -> None:
    node = surround(model=scene.model, autostart='false')
    assert state(listener) == 'unconfigured'
    clouds = listener.listen(PointCloud2, f'{NODE}/points')
    for _ in range(2):
        assert change(listener, Transition.TRANSITION_CONFIGURE)
        assert state(listener) == 'inactive'
        assert change(listener, Transition.TRANSITION_ACTIVATE)
        count = len(clouds)
        listener.wait(lambda count=count: len(clouds) > count, 'a cloud')
        assert change(listener, Transition.TRANSITION_DEACTIVATE)
        assert state(listener) == 'inactive'
        # The graph hears of it a little later.
        listener.wait(
            lambda: listener.node.count_subscribers('/a/image_raw') == 0, 'nobody hears camera a'
        )
        assert change(listener, Transition.TRANSITION_CLEANUP)
        assert state(listener) == 'unconfigured'
    assert change(listener, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert node.process.poll() is None
    assert not node.lines('ERROR')


def test_a_failed_configuration_leaves_the_node_for_another_try(scene, surround, listener) -> None:
    node = surround(model='/nowhere/model.onnx', autostart='false')
    assert not change(listener, Transition.TRANSITION_CONFIGURE)
    assert state(listener) == 'unconfigured'
    assert len(node.lines('FATAL')) == 1
    assert node.process.poll() is None


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_the_node_ends_in_order_while_it_works(scene, surround, listener, number) -> None:
    node = surround(model=scene.model)
    clouds = listener.listen(PointCloud2, f'{NODE}/points')
    listener.wait(lambda: clouds, 'a cloud')
    assert node.stop(number) == 0
    assert 'Traceback' not in node.log
    assert not node.lines('ERROR')


def test_every_parameter_is_described_and_numbers_have_ranges(scene, surround, listener) -> None:
    from selfdepth_ros.core.config import knobs
    from selfdepth_ros.nodes.parameters import SurroundDepthConfig, When, surround_when

    surround(model=scene.model, autostart='false')
    listed = listener.call(ListParameters, f'{NODE}/list_parameters', ListParameters.Request())
    names = set(listed.result.names)
    expected = {own.name: own for own in knobs(SurroundDepthConfig)}
    assert set(expected) <= names
    request = DescribeParameters.Request(names=list(expected))
    described = listener.call(DescribeParameters, f'{NODE}/describe_parameters', request)
    for descriptor in described.descriptors:
        own = expected[descriptor.name]
        assert descriptor.read_only == (surround_when(own.name) is When.STARTED)
        assert descriptor.description.endswith(surround_when(own.name).value)
        assert own.doc in descriptor.description
        ranges = [*descriptor.integer_range, *descriptor.floating_point_range]
        assert len(ranges) == (own.type in (int, float)), descriptor.name
        assert not ranges or (ranges[0].from_value, ranges[0].to_value) == own.range
