# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""TF as a track of poses: the one place that needs tf2_ros."""

from collections.abc import Sequence

import numpy as np
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time

from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.motion import BASE_NS, Track
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.core.sync import JUMP_BACK_NS
from selfdepth_ros.messages import stamp_ns, transform_from_msg

STATIC_NS = 0
"""Stamp of the newest transform when nothing between the two frames can move."""


class Tf:
    """Listens to /tf and /tf_static. Raises CalibrationError without tf2_ros.

    `purpose` says what TF is needed for, and what works without it.
    """

    def __init__(self, node: Node, purpose: str) -> None:
        try:
            import tf2_ros  # from a ROS installation; not needed with a rig file and odometry
        except ImportError as cause:
            raise CalibrationError(
                f'{purpose}; the Python package tf2_ros is not installed: install '
                'ros-<distro>-tf2-ros-py'
            ) from cause
        self._node, self._unknown = node, tf2_ros.TransformException
        self._buffer = tf2_ros.Buffer()
        self._newest_set_ns = 0
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        # A bag that starts again: TF would take no pose that is older than what it has.
        back = JumpThreshold(
            min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True
        )
        self._jumps = node.get_clock().create_jump_callback(
            back, post_callback=lambda _: self._buffer.clear()
        )

    def newest(self, target: str, source: str) -> tuple[int, SE3] | None:
        """Stamp (ns; STATIC_NS when static) and value of the newest target_from_source."""
        return self._look_up(target, source, 0)

    def begin_set(self, stamp_ns: int) -> None:
        """Say the stamp of the set that poses are about to be asked for; again does no harm.

        Sets whose stamps go back are a bag that starts again without a clock: TF would refuse all
        that it then says, as older than what it has. Only sets tell it: questions may be about any
        stamp, such as one a second ago, or where a slower chain of frames ends.
        """
        if stamp_ns < self._newest_set_ns - JUMP_BACK_NS:
            self._buffer.clear()
            self._newest_set_ns = stamp_ns
        self._newest_set_ns = max(self._newest_set_ns, stamp_ns)

    def at(self, target: str, source: str, at_ns: int) -> SE3 | None:
        """Return target_from_source at a stamp; None where TF does not know it."""
        found = self._look_up(target, source, at_ns)
        return None if found is None else found[1]

    def _look_up(self, target: str, source: str, at_ns: int) -> tuple[int, SE3] | None:
        try:
            found = self._buffer.lookup_transform(target, source, Time(nanoseconds=at_ns))
        except self._unknown:
            return None
        return stamp_ns(found.header), transform_from_msg(found)

    def only_static(self) -> None:
        """Stop listening to /tf, which on a robot is busy; /tf_static goes on."""
        self._node.destroy_subscription(self._listener.tf_sub)

    def close(self) -> None:
        """Stop listening."""
        self._jumps.unregister()
        self._listener.unregister()


class TfTrack:
    """Poses target_from_source around some stamps, as TF has them."""

    def __init__(self, tf: Tf, target: str, source: str) -> None:
        self._tf, self._target, self._source = tf, target, source

    def around(self, stamps_ns: Sequence[int]) -> Track:
        """Return poses at the stamps; where TF ends before, its newest and one before that."""
        newest = self._tf.newest(self._target, self._source)
        if newest is None:
            return np.empty(0, np.int64), np.empty((0, 4, 4))
        if newest[0] == STATIC_NS:
            known = sorted(set(stamps_ns))
            return np.array(known, np.int64), np.tile(newest[1].matrix, (len(known), 1, 1))
        wanted = {min(stamp, newest[0]) for stamp in stamps_ns}
        if max(stamps_ns) > newest[0]:
            # Zero would mean the newest.
            wanted |= {max(1, newest[0] - BASE_NS), newest[0]}
        found = {ns: self._tf.at(self._target, self._source, ns) for ns in sorted(wanted)}
        poses = {ns: pose.matrix for ns, pose in found.items() if pose is not None}
        return np.array([*poses], np.int64), np.array([*poses.values()]).reshape(-1, 4, 4)
