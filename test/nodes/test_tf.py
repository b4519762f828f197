# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is asked of TF, and when what it knows is of another run of the bag."""

from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped

from selfdepth_ros.nodes.motion import EgoMotion, MovingMounts, TfPoses
from selfdepth_ros.nodes.tf import STATIC_NS, Tf
from selfdepth_ros.nodes.to_ros import header

MS, SECOND = 1_000_000, 1_000_000_000
START_NS = 1_700_000_000 * SECOND
KEPT_NS = 10 * SECOND
GAP_NS = 200 * MS


class Buffer:
    """tf2's buffer as far as it matters here; frames move along x, each at its own speed.

    It knows what lies between the poses that it has heard, refuses what is much older than the
    newest of them, and answers a question about stamp 0 with the newest.
    """

    def __init__(self, **speeds_m_s: float) -> None:
        self._speeds_m_s = speeds_m_s
        self._heard_ns: dict[str, list[int]] = {frame: [] for frame in speeds_m_s}

    def hear(self, frame: str, at_ns: int) -> None:
        heard = self._heard_ns[frame]
        if not heard or at_ns > max(heard) - KEPT_NS:
            heard.append(at_ns)

    def clear(self) -> None:
        for heard in self._heard_ns.values():
            heard.clear()

    def lookup_transform(self, target: str, source: str, time: Any) -> TransformStamped:
        heard = self._heard_ns[source]
        at_ns = time.nanoseconds or max(heard, default=0)
        if not heard or not min(heard) <= at_ns <= max(heard):
            raise LookupError
        found = TransformStamped(header=header(at_ns, target))
        found.transform.translation.x = self._speeds_m_s[source] * (at_ns - START_NS) / SECOND
        return found


def listening(buffer: Buffer) -> Tf:
    tf = object.__new__(Tf)  # its constructor wants tf2_ros
    tf._buffer, tf._unknown, tf._newest_set_ns = buffer, LookupError, 0
    return tf


def test_tf_of_a_bag_that_starts_again_without_a_clock_is_heard_again() -> None:
    """The node's clock does not jump then, which is what else empties the buffer."""
    buffer = Buffer(base_link=1.0)
    tf = listening(buffer)

    def known(seconds: int) -> int:
        count = 0
        for at_ns in range(START_NS, START_NS + seconds * SECOND, SECOND):
            buffer.hear('base_link', at_ns)
            tf.begin_set(at_ns)
            tf.begin_set(at_ns)  # by the mounts, and by the motion
            count += tf.at('odom', 'base_link', at_ns) is not None
        return count

    assert known(20) == 20
    assert known(20) == 19  # the first one was refused before it was known why
    assert known(20) == 19


@pytest.mark.parametrize('speed_m_s', [0.2, 5.0])
def test_a_look_back_leaves_tf_as_it_is(speed_m_s: float) -> None:
    """Health asks with every set how far the robot is from where it was up to a second ago.

    TF comes late here, so that motion beyond its newest pose needs those before.
    """
    buffer = Buffer(base_link=speed_m_s)
    motion = EgoMotion(TfPoses(listening(buffer), 'odom', 'base_link'), GAP_NS)
    for at_ns in range(START_NS, START_NS + 3 * SECOND, 20 * MS):
        buffer.hear('base_link', at_ns)
        since_ns = at_ns - START_NS
        if since_ns % (100 * MS) or since_ns < SECOND:
            continue
        set_ns, before_ns = at_ns + 40 * MS, at_ns - 900 * MS
        moved = motion.between(set_ns, [set_ns, set_ns - 30 * MS, None])
        assert moved is not None, motion.state
        np.testing.assert_allclose(moved.translation[1], [-0.03 * speed_m_s, 0, 0], atol=1e-6)
        back = motion.back(set_ns, [before_ns, before_ns, before_ns])
        assert back is not None
        np.testing.assert_allclose(back.translation[0], [-0.94 * speed_m_s, 0, 0], atol=1e-6)
    assert motion.unmoved == 0


def test_a_slow_chain_of_frames_leaves_the_others_what_tf_knows_of_them(scene) -> None:
    """A pan-tilt head told twice a second, beside a mount told fifty times."""
    frames = [item.frame_id for item in scene.rig.cameras]
    buffer = Buffer(**dict.fromkeys(frames, 0.1))
    for frame in frames[:2]:
        buffer.hear(frame, START_NS)
    for frame in frames[2:]:
        buffer.hear(frame, STATIC_NS)
    mounts = MovingMounts(listening(buffer), scene.rig, SECOND)
    assert mounts.names == [*scene.rig.names[:2]]
    for at_ns in range(START_NS + 20 * MS, START_NS + 3 * SECOND, 20 * MS):
        buffer.hear(frames[0], at_ns)
        if not at_ns % (500 * MS):
            buffer.hear(frames[1], at_ns)
        if at_ns % (100 * MS) or at_ns < START_NS + SECOND:
            continue
        moved = mounts.since_the_tables(at_ns, [at_ns - 30 * MS] * len(frames))
        assert mounts.problem == ''
        assert all(pose is not None for pose in moved.values())
