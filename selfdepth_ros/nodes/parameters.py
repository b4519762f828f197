# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""ROS parameters from a configuration class: declared with text, unit and range, read checked."""

import difflib
import math
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeVar, get_args, get_origin

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from selfdepth_ros.core.config import Knob, config_from_dict, knob, knobs
from selfdepth_ros.core.fusion import FusionConfig
from selfdepth_ros.core.health import HealthConfig
from selfdepth_ros.core.obstacles import ObstaclesConfig
from selfdepth_ros.core.scan import ScanConfig
from selfdepth_ros.core.sync import MOST_OFFSET_MS
from selfdepth_ros.inference.load import BACKENDS
from selfdepth_ros.messages import PointsConfig
from selfdepth_ros.nodes.motion import MotionConfig
from selfdepth_ros.nodes.saving import SaveConfig

ConfigT = TypeVar('ConfigT')
_EMPTY: dict[Any, Any] = {str: '', float: 0.0}
"""A list of nothing but this stands for an empty one, whose type ROS cannot tell."""
_OF_RCLPY = ('use_sim_time', 'start_type_description_service')
_QOS = 'qos_overrides.'


class When(Enum):
    """When the value of a parameter takes effect, as its description says it."""

    STARTED = 'Read at the start only.'
    CONFIGURED = 'Applied when the node is configured.'
    RELOADED = 'Applied when the node is configured, and by ~/reload_model.'
    LIVE = 'Applied at once.'


@dataclass(frozen=True)
class SurroundDepthConfig:
    """Parameters of the node `surround_depth`."""

    model: str = ''
    """Model file (model.onnx) or the folder that holds it; empty: the model of the package."""
    backend: str = knob('auto', choices=('auto', *BACKENDS))
    """What runs the network; auto: onnx. tensorrt compiles the model first, for minutes."""
    rig: str = ''
    """Rig file; 'topics': from CameraInfo and TF; empty: rig.yaml beside the model, or topics."""
    cameras: tuple[str, ...] = ()
    """Cameras to use, in order; empty: those of the rig file, else those of the model."""
    image_topic: str = '{camera}/image_raw'
    """Image topic; {camera} stands for a camera's name."""
    info_topic: str = '{camera}/camera_info'
    """CameraInfo topic: the lenses, or what the rig file is compared with."""
    lens: Literal['auto', 'raw', 'rectified'] = 'auto'
    """raw: K and D of CameraInfo; rectified: P; auto: P where image_topic says image_rect."""
    transport: Literal['raw', 'compressed'] = 'raw'
    """raw: sensor_msgs/Image; compressed: CompressedImage on <image_topic>/compressed."""
    output_frame: str = 'base_link'
    """Frame of the cloud: the rig's body frame, which TF must know when there is no rig file."""
    sync: Literal['surround', 'message_filters'] = 'surround'
    """surround: at the slower majority's rate, partial at a deadline; message_filters: stock."""
    tolerance_ms: float = knob(40.0, unit='ms', low=0.0, high=10000.0)
    """Largest difference of stamps within one set; best below half a frame period."""
    deadline_ms: float = knob(60.0, unit='ms', low=1.0, high=10000.0)
    """How long after its first image a set waits for the other cameras."""
    absent_after: int = knob(5, unit='sets', low=1, high=100000)
    """After so many sets that lack a camera which was due, none waits for it until it returns."""
    stamp_offsets_ms: tuple[float, ...] = knob(
        (), unit='ms', low=-MOST_OFFSET_MS, high=MOST_OFFSET_MS
    )
    """How much later each camera's stamps are than its exposures, in their order; [0.0]: none."""
    threads: int = knob(0, low=0, high=1024)
    """CPU threads of the network; 0: as many as the runtime likes."""
    publish_depth: bool = True
    """Offer a depth image (32FC1) and its CameraInfo per camera; made for those subscribed to."""
    rectify_depth: bool = True
    """Depth images without distortion, as depth_image_proc wants them; fisheyes keep theirs."""
    ground_height_m: float = knob(0.0, unit='m', low=-100.0, high=100.0)
    """Height of the ground in the output frame, which heights of scan and obstacles are above."""
    diagnostics_period_s: float = knob(1.0, unit='s', low=0.1, high=60.0)
    """How often the state is published on /diagnostics."""
    autostart: bool = True
    """Configure and activate at start; false: wait for a lifecycle manager."""
    build_only: bool = False
    """Load the model (compile it, if it must be), check what it says, and end."""
    save: SaveConfig = SaveConfig()
    motion: MotionConfig = MotionConfig()
    points: PointsConfig = PointsConfig()
    scan: ScanConfig = ScanConfig()
    obstacles: ObstaclesConfig = ObstaclesConfig()
    fusion: FusionConfig = FusionConfig()
    health: HealthConfig = HealthConfig()

    @property
    def rectified(self) -> bool:
        """Whether the images are undistorted, so that P describes them instead of K and D."""
        if self.lens == 'auto':
            return 'image_rect' in self.image_topic
        return self.lens == 'rectified'


_WHEN: dict[When, tuple[str, ...]] = {
    When.STARTED: ('autostart', 'build_only', 'save.folder'),
    When.RELOADED: ('model', 'backend'),
    When.LIVE: (
        'diagnostics_period_s',
        'ground_height_m',
        'points.',
        'scan.',
        'obstacles.',
        'fusion.',
        'health.',
        'save.',
    ),
}


def surround_when(name: str) -> When:
    """When a parameter of `surround_depth` takes effect; the first rule that fits counts."""
    for when, names in _WHEN.items():
        if name in names or f'{name.partition(".")[0]}.' in names:
            return when
    return When.CONFIGURED


def declare(
    node: Node, cls: type, when: Callable[[str], When] = lambda name: When.STARTED
) -> None:
    """Declare every setting of a configuration class; nested ones get dotted names.

    What is read at the start only becomes read-only. Raises rclpy's ParameterException for an
    override of a wrong type or out of range.
    """
    for own in knobs(cls):
        node.declare_parameter(own.name, _declared(own), _descriptor(own, when(own.name)))
    _warn_unknown(node)


def read(node: Node, cls: type[ConfigT], changed: Mapping[str, Any] | None = None) -> ConfigT:
    """Return the current values as a configuration; ConfigError names what does not fit.

    `changed`: values by dotted name that are taken instead of the current ones.
    """
    values: dict[str, Any] = {}
    changed = changed or {}
    for own in knobs(cls):
        known = own.name in changed
        value = changed[own.name] if known else node.get_parameter(own.name).value
        *groups, name = own.name.split('.')
        place = values
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = _given(own, value) if isinstance(own.default, tuple) else value
    return config_from_dict(cls, values)


def as_list(value: Any) -> Any:
    """Lists, as rclpy gives them in several types, as a list; other values as they are."""
    return list(value) if isinstance(value, (list, tuple, array)) else value


def _declared(own: Knob) -> Any:
    """Default that ROS can hold."""
    if not isinstance(own.default, tuple):
        return own.default
    return list(own.default) or [_EMPTY[get_args(own.type)[0]]]


def _given(own: Knob, value: Any) -> list[Any]:
    """Items of a list that ROS holds."""
    items, empty = as_list(value), _EMPTY[get_args(own.type)[0]]
    if empty == '':
        return [item for item in items if item]
    return [] if items == [empty] else items


def _descriptor(own: Knob, when: When) -> ParameterDescriptor:
    unit = f' [{own.unit}]' if own.unit else ''
    result = ParameterDescriptor(
        description=f'{own.doc}{unit} {when.value}'.strip(), read_only=when is When.STARTED
    )
    choices = get_args(own.type) if get_origin(own.type) is Literal else own.choices
    if choices:
        result.additional_constraints = f'one of {", ".join(map(str, choices))}'
    if own.range and all(map(math.isfinite, own.range)):
        low, high = own.range
        if own.type is int:
            result.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=0)]
        elif own.type is float:
            result.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:  # ROS has no ranges for lists
            result.additional_constraints = f'each from {low} to {high}'
    return result


def warn_of_unused_qos(node: Node) -> None:
    """Say which given overrides of QoS no publisher and no subscription has asked for.

    Each declares its own when it is made: to be called when all are.
    """
    for name, hint in _unknown(node):
        if name.startswith(_QOS):
            node.get_logger().warning(
                f'{name!r}: there is no such override of QoS here, it has no effect.{hint}'
            )


def _warn_unknown(node: Node) -> None:
    """Say which given parameters nobody declared: usually a slip of the pen.

    A warning only, since one file with `/**:` may speak to several nodes.
    """
    for name, hint in _unknown(node):
        if not name.startswith((*_OF_RCLPY, _QOS)):
            node.get_logger().warning(
                f'parameter {name!r} is not known here and has no effect.{hint}'
            )


def _unknown(node: Node) -> Iterator[tuple[str, str]]:
    """Given parameters that nobody has declared, and what may have been meant.

    rclpy has no public list of the given values.
    """
    given = getattr(node, '_parameter_overrides', {})
    for name in sorted(own for own in given if not node.has_parameter(own)):
        near = difflib.get_close_matches(name, list(node._parameters), n=1)
        yield name, f' Did you mean {near[0]!r}?' if near else ''
