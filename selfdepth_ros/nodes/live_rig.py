# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The rig that sets are computed with, kept up to date while the node runs."""

from collections.abc import Mapping
from typing import Protocol

from rclpy.node import Node

from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.nodes.calibration import CameraInfos, FileCheck, RigFromTopics
from selfdepth_ros.nodes.motion import STEADY_M, STEADY_RAD, MovingMounts, moves
from selfdepth_ros.nodes.tf import Tf

_SAME_M, _SAME_RAD = 1e-6, 1e-6
_REST_M, _REST_RAD = STEADY_M / 4, STEADY_RAD / 4
"""A mount that has moved less from one look to the next has come to rest, or nearly so."""
_SAY_AGAIN_S = 5.0


class LiveRig(Protocol):
    """Where the calibration comes from."""

    mounts: MovingMounts | None
    of_file: bool
    """Whether it is from a rig file."""

    def use(self, rig: Rig) -> None:
        """Go on with the rig of another file, of the same cameras, where this one is of a file."""
        ...

    def look(self) -> Rig | None:
        """Return the rig that new tables are needed for; None: nothing has changed."""
        ...

    def refuse(self) -> None:
        """The rig of the last look could not be used: go on as before, and try again."""
        ...

    def errors(self) -> list[str]:
        """Say what keeps the calibration from being used."""
        ...

    def warnings(self) -> list[str]:
        """Say what is not as it should be."""
        ...

    def describe(self) -> str:
        """Say where the calibration is from, and all that is to say about it."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


class RigOfFile:
    """The rig of a file; CameraInfo, where it comes, is only compared with it."""

    mounts = None
    of_file = True

    def __init__(self, node: Node, rig: Rig, infos: CameraInfos) -> None:
        self._node, self._infos = node, infos
        self.use(rig)

    def use(self, rig: Rig) -> None:
        """Go on with the rig of another file; CameraInfo is compared with it anew."""
        self._check = FileCheck(self._node, rig, self._infos)

    def look(self) -> Rig | None:
        """Compare CameraInfo with the file, if there is a new one; the rig stays."""
        self._check.look()
        return None

    def refuse(self) -> None:
        """Nothing: no look returns a rig."""

    def errors(self) -> list[str]:
        """Nothing: a CameraInfo that cannot be used is not needed."""
        return []

    def warnings(self) -> list[str]:
        """Say that file and CameraInfo disagree, if so."""
        return [text] if (text := self._check.warning()) else []

    def describe(self) -> str:
        """Say what was compared, and every difference."""
        seen = f'rig file, compared with CameraInfo of {len(self._infos.seen)} cameras'
        return ' '.join([f'{seen}.', *self._check.differences, *self._infos.problems.values()])

    def close(self) -> None:
        """Stop listening."""
        self._infos.close()


class RigOfTopics:
    """The rig of CameraInfo and TF. TF is shut down by who has opened it."""

    of_file = False

    def __init__(
        self, node: Node, infos: CameraInfos, tf: Tf, body_frame: str, max_gap_ns: int
    ) -> None:
        self._node, self._infos, self._tf = node, infos, tf
        self._body_frame, self._max_gap_ns = body_frame, max_gap_ns
        self._topics = RigFromTopics(node, infos, self._place, body_frame)
        self._rig: Rig | None = None
        self.mounts: MovingMounts | None = None
        self._before: tuple[Rig | None, MovingMounts | None] = None, None
        self._seen: Rig | None = None
        self._incomplete = False

    def use(self, rig: Rig) -> None:
        """Nothing: the cameras stay where CameraInfo and TF say."""

    def _place(self, frame_id: str) -> SE3 | None:
        found = self._tf.newest(self._body_frame, frame_id)
        return None if found is None else found[1]

    def look(self) -> Rig | None:
        """Return the rig when it is complete for the first time, or another than before."""
        rig = self._topics.rig()
        last, self._seen = self._seen, rig
        self._incomplete = rig is None
        if rig is None:
            return None
        if self._rig is None:
            text = f'calibration complete: {", ".join(rig.names)}'
            self._node.get_logger().info(text, throttle_duration_sec=_SAY_AGAIN_S)
        elif not (changed := self._changed(self._rig, rig, last)):
            return None
        elif any(changed.values()):
            names = ', '.join(name for name, told in changed.items() if told)
            text = f'calibration has changed: {names}'
            self._node.get_logger().info(text, throttle_duration_sec=_SAY_AGAIN_S)
        self._before = self._rig, self.mounts
        self._rig = rig
        self.mounts = MovingMounts(self._tf, rig, self._max_gap_ns)
        return rig

    def refuse(self) -> None:
        """Forget what the last look returned; the next one returns it again."""
        self._rig, self.mounts = self._before

    def _changed(self, before: Rig, after: Rig, last: Rig | None) -> Mapping[str, bool]:
        """Cameras that need new tables, and whether that is worth a word.

        `last` is the rig of the look before: a mount gets new tables when it rests, since while it
        sweeps they would be wrong again at the next look.
        """
        changed = {}
        for old, new in zip(before.cameras, after.cameras, strict=True):
            moving = moves(self._tf, self._body_frame, new.frame_id)
            limits = (STEADY_M, STEADY_RAD) if moving else (_SAME_M, _SAME_RAD)
            rests = not moving or (last and _is_near(last[new.name], new, _REST_M, _REST_RAD))
            if (old.camera, old.frame_id) != (new.camera, new.frame_id):
                changed[new.name] = True
            elif rests and not _is_near(old, new, *limits):
                changed[new.name] = not moving
        return changed

    def errors(self) -> list[str]:
        """Say which CameraInfo cannot be used."""
        return [*self._topics.problems.values()]

    def warnings(self) -> list[str]:
        """Say what is waited for, and which moving camera is lost."""
        if self._rig is None:
            return [f'waiting for {self._topics.missing()}']
        if self._incomplete:
            return [f'the last calibration stays in use: waiting for {self._topics.missing()}']
        return [self.mounts.problem] if self.mounts and self.mounts.problem else []

    def describe(self) -> str:
        """Say where the calibration is from, and which cameras move."""
        moving = ', '.join(self.mounts.names) if self.mounts else 'none'
        return f'CameraInfo and TF; moving on the body: {moving}'

    def close(self) -> None:
        """Stop listening to CameraInfo."""
        self._infos.close()


def _is_near(old: RigCamera, new: RigCamera, metres: float, radians: float) -> bool:
    """Whether a camera is where it was."""
    moved = old.body_from_camera.inverse() @ new.body_from_camera
    return moved.is_within(metres, radians)
