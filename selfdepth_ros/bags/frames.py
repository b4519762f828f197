# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tree of fixed frames in a bag's /tf_static."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages import transform_from_msg


class FrameTree:
    """Frames and their parents; names are kept without a leading slash."""

    def __init__(self) -> None:
        self._parents: dict[str, tuple[str, SE3]] = {}
        self._topics = '/tf_static'

    @property
    def names(self) -> list[str]:
        """Every frame heard of."""
        parents = {parent for parent, _ in self._parents.values()}
        return sorted(parents | set(self._parents))

    @property
    def edges(self) -> list[tuple[str, str, SE3]]:
        """Every (parent frame, child frame, parent_from_child)."""
        return [(parent, child, pose) for child, (parent, pose) in self._parents.items()]

    def root(self, frame: str) -> str:
        """Return the frame that a frame hangs on in the end; itself when it has no parent."""
        return self._ascend(frame.lstrip('/'))[-1][0]

    def add(self, msg: Any) -> None:
        """Take in a tf2_msgs/TFMessage; a newer transform replaces an older one."""
        for stamped in msg.transforms:
            self._add(stamped)

    def with_moving(self, transforms: Iterable[Any]) -> FrameTree:
        """Return a tree that also has TransformStamped of /tf: as they are at one moment.

        Those that are no transforms, and those of frames that are fixed, are left out.
        """
        tree = FrameTree()
        for stamped in transforms:
            with suppress(CalibrationError):
                tree._add(stamped)
                tree._topics = '/tf_static or /tf'
        tree._parents |= self._parents
        return tree

    def _add(self, stamped: Any) -> None:
        parent = stamped.header.frame_id.lstrip('/')
        self._parents[stamped.child_frame_id.lstrip('/')] = parent, transform_from_msg(stamped)

    def target_from_source(self, target: str, source: str) -> SE3:
        """Return the transform between two frames; BagError when no chain joins them."""
        up_from_source = dict(self._ascend(source.lstrip('/')))
        for ancestor, ancestor_from_target in self._ascend(target.lstrip('/')):
            if ancestor in up_from_source:
                return ancestor_from_target.inverse() @ up_from_source[ancestor]
        raise BagError(
            f'no chain of transforms from {source!r} to {target!r}: {self._topics} has '
            f'{", ".join(self.names) or "no frame"}; record /tf_static (it is latched: start the '
            'recorder with its QoS) or name the frames in a mapping file'
        )

    def _ascend(self, frame: str) -> list[tuple[str, SE3]]:
        """Return (ancestor, ancestor_from_frame) from the frame itself up to its root."""
        chain = [(frame, SE3.identity())]
        while frame in self._parents and len(chain) <= len(self._parents):
            parent, parent_from_frame = self._parents[frame]
            chain.append((parent, parent_from_frame @ chain[-1][1]))
            frame = parent
        return chain
