# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How the robot moves between the images of a set: from odometry, or from TF."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

from selfdepth_ros.core.errors import GeometryError
from selfdepth_ros.core.motion import PoseGapConfig, PoseTrack, Track, motion_between, poses_at
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages import stamp_ns
from selfdepth_ros.nodes.qos import overridden_qos
from selfdepth_ros.nodes.tf import STATIC_NS, Tf, TfTrack

_QUEUE = 50
_UNMOVED = 'images are not moved to one time: '
_NEEDS_TF = 'motion.source is tf (odometry and none work without it)'
_OFF = 'off (motion.source: none)'
STEADY_M, STEADY_RAD = 0.02, 0.01
"""A mount that has moved less than this since the tables were made looks where they say."""


@dataclass(frozen=True)
class MotionConfig(PoseGapConfig):
    """Points of cameras that fire one after another are moved to the cloud's stamp."""

    source: Literal['odometry', 'tf', 'none'] = 'odometry'
    """odometry: from odometry_topic; tf: through fixed_frame; none: points stay as seen."""
    odometry_topic: str = 'odom'
    """nav_msgs/Odometry whose child_frame_id is the output frame."""
    fixed_frame: str = 'odom'
    """TF frame in which the world stands still and the robot does not leap: odom, not map."""


class Poses(Protocol):
    """Where the body was, in a frame in which the world stands still."""

    @property
    def name(self) -> str:
        """What diagnostics call it."""
        ...

    def begin_set(self, stamp_ns: int) -> None:
        """A set of this stamp is about to be moved: a stamp that goes back starts a bag again."""
        ...

    def around(self, stamps_ns: Sequence[int]) -> Track:
        """Return the poses fixed_from_body that tell those at some stamps; empty: none."""
        ...

    def absence(self) -> str:
        """Say why there are none at all; empty when there are."""
        ...

    @property
    def may_be_absent(self) -> bool:
        """Whether it is no fault that there are none: nobody asked for them."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


class OdometryPoses:
    """Poses of an odometry topic. The callback stores, the worker asks."""

    def __init__(self, node: Node, topic: str, body_frame: str) -> None:
        self._node, self._body_frame = node, body_frame
        self._track, self._lock = PoseTrack(), threading.Lock()
        self._refused = ''
        qos = QoSProfile(depth=_QUEUE, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        with overridden_qos(node, topic):
            self._subscription = node.create_subscription(
                Odometry,
                topic,
                self._take,
                qos,
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
        self.name = self._subscription.topic_name

    def _take(self, msg: Any) -> None:
        child = msg.child_frame_id.lstrip('/')
        if child and child != self._body_frame:
            self._refuse(
                f'{self.name} tells the motion of {child!r}, expected {self._body_frame!r} (the '
                'parameter output_frame): give an odometry of that frame, or motion.source: tf'
            )
            return
        at, turn = msg.pose.pose.position, msg.pose.pose.orientation
        try:
            with self._lock:
                self._track.add(
                    stamp_ns(msg.header), (at.x, at.y, at.z), (turn.x, turn.y, turn.z, turn.w)
                )
        except GeometryError as error:
            self._refuse(f'{self.name}: {error}')

    def _refuse(self, problem: str) -> None:
        if not self._refused:
            self._node.get_logger().warning(f'{problem}; images are not moved by it')
        self._refused = problem

    def begin_set(self, stamp_ns: int) -> None:
        """Nothing: odometry tells by its own stamps that a bag starts again."""

    def around(self, stamps_ns: Sequence[int]) -> Track:
        """Return the poses that tell those at some stamps; empty: none."""
        with self._lock:
            return self._track.around(stamps_ns)

    def absence(self) -> str:
        """Say why there are no poses; empty when there are."""
        if len(self._track):
            return ''
        return self._refused or f'nothing has come on {self.name}'

    @property
    def may_be_absent(self) -> bool:
        """Nobody needs to have odometry; but what came and cannot be used is missed."""
        return not self._refused

    def close(self) -> None:
        """Stop listening."""
        self._node.destroy_subscription(self._subscription)


class TfPoses(TfTrack):
    """Poses of the body in a fixed frame of TF."""

    def __init__(self, tf: Tf, fixed_frame: str, body_frame: str) -> None:
        super().__init__(tf, fixed_frame, body_frame)
        self.name = f'TF ({fixed_frame} to {body_frame})'

    def begin_set(self, stamp_ns: int) -> None:
        """See Tf."""
        self._tf.begin_set(stamp_ns)

    def absence(self) -> str:
        """Say that TF does not know the body's pose, if so."""
        known = self._tf.newest(self._target, self._source)
        return '' if known else f'TF does not know {self._source} in {self._target}'

    @property
    def may_be_absent(self) -> bool:
        """TF is taken only where it was asked for."""
        return False

    def close(self) -> None:
        """Nothing: TF is closed by who has opened it."""


def poses_of(
    node: Node, config: MotionConfig, body_frame: str, listen_to_tf: Callable[[str], Tf]
) -> Poses | None:
    """What tells the robot's motion, as the parameters say; None: nothing is to.

    `listen_to_tf` is called, with what TF is needed for, where the poses are from there.
    """
    if config.source == 'odometry':
        return OdometryPoses(node, config.odometry_topic, body_frame)
    if config.source == 'tf':
        return TfPoses(listen_to_tf(_NEEDS_TF), config.fixed_frame, body_frame)
    return None


class EgoMotion:
    """What moves the points of each set to one time, and what to say about it."""

    def __init__(self, poses: Poses | None, max_gap_ns: int) -> None:
        self._poses, self._max_gap_ns = poses, max_gap_ns
        self.state = 'no set yet' if poses else _OFF
        """How the last set was treated, in words."""
        self.problem = ''
        """Why the last set was not moved, though it should have been."""
        self.unmoved = 0
        """Sets of several stamps that were made without their motion."""

    def between(self, now_ns: int, then_ns: Sequence[int | None]) -> SE3 | None:
        """Return body at a set's stamp from body at its images' (n, 4, 4); None when not known."""
        if self._poses:
            self._poses.begin_set(now_ns)
        given = [stamp for stamp in then_ns if stamp is not None]
        if all(stamp == now_ns for stamp in given):
            self._say('not needed: one stamp' if self._poses else _OFF)
            return None
        if self._poses is None:
            self.unmoved += 1
            return None
        track = self._poses.around([now_ns, *given])
        motion = motion_between(now_ns, then_ns, track, self._max_gap_ns)
        if motion.now_from_then is None:
            self.unmoved += 1
            absence = self._poses.absence()
            reason = absence or motion.problem
            quiet = bool(absence) and self._poses.may_be_absent
            self._say(f'none: {reason}', '' if quiet else _UNMOVED + reason)
        else:
            self._say(f'moved by {self._poses.name}')
        return motion.now_from_then

    def back(self, now_ns: int, then_ns: Sequence[int | None]) -> SE3 | None:
        """Return body at a stamp from body at earlier ones (n, 4, 4); None when not known.

        For those who only look: nothing is counted or said.
        """
        given = [stamp for stamp in then_ns if stamp is not None]
        if self._poses is None or not given:
            return None
        track = self._poses.around([now_ns, *given])
        return motion_between(now_ns, then_ns, track, self._max_gap_ns).now_from_then

    def _say(self, state: str, problem: str = '') -> None:
        self.state, self.problem = state, problem

    def close(self) -> None:
        """Stop listening."""
        if self._poses:
            self._poses.close()


class MovingMounts:
    """Cameras whose place on the body changes (a pan-tilt head), at the stamps of their images.

    Tables are made for the places in `rig`; what has moved since is folded into the motion.
    """

    def __init__(self, tf: Tf, rig: Rig, max_gap_ns: int) -> None:
        self._tf, self._max_gap_ns, self._rig = tf, max_gap_ns, rig
        self._tracks = {
            index: TfTrack(tf, rig.body_frame, item.frame_id)
            for index, item in enumerate(rig.cameras)
            if moves(tf, rig.body_frame, item.frame_id)
        }
        self.problem = ''
        """Whose place at the last set's stamps is not known."""

    def __bool__(self) -> bool:
        return bool(self._tracks)

    @property
    def names(self) -> list[str]:
        """Cameras that move on the body."""
        return [self._rig.cameras[index].name for index in self._tracks]

    def since_the_tables(
        self, now_ns: int, then_ns: Sequence[int | None]
    ) -> dict[int, SE3 | None]:
        """Of moving mounts: body from the body that the tables were made for; None: unknown.

        At the stamps of the images of a set, whose own stamp is `now_ns`.
        """
        self._tf.begin_set(now_ns)
        moved: dict[int, SE3 | None] = {}
        for index, track in self._tracks.items():
            stamp = then_ns[index]
            if stamp is not None:
                moved[index] = self._moved(index, track, stamp)
        lost = [self._rig.cameras[index].frame_id for index, pose in moved.items() if pose is None]
        self.problem = f'TF does not know where {", ".join(lost)} was' if lost else ''
        return moved

    def _moved(self, index: int, track: TfTrack, at_ns: int) -> SE3 | None:
        known = track.around([at_ns])
        if not len(known[0]):
            return None
        body_from_camera, valid = poses_at(known, np.array([at_ns]), self._max_gap_ns)
        if not valid.all():
            return None
        return body_from_camera[0] @ self._rig.cameras[index].body_from_camera.inverse()


def moves(tf: Tf, target: str, source: str) -> bool:
    """Whether something between two frames is not static."""
    found = tf.newest(target, source)
    return found is not None and found[0] != STATIC_NS
