# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tree of fixed frames: a recording's /tf_static, and what does not move in its /tf."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.messages import transform_from_msg

TF_STATIC = '/tf_static'
_STILL_M, _STILL_RAD = 1e-3, 2e-3
"""A mount that moves by more than this over a recording is not fixed."""


def tf_static_among(topics: Collection[str], counts: Mapping[str, int]) -> str:
    """Return the topic of fixed frames: /tf_static, or the only one that a namespace has."""
    found = [t for t in topics if t.endswith(TF_STATIC) and counts.get(t, 0)]
    return found[0] if len(found) == 1 else TF_STATIC


def tf_beside(fixed: str) -> str:
    """Return the topic of the frames that may move, by that of the fixed ones."""
    return fixed.removesuffix('_static') if fixed.endswith(TF_STATIC) else '/tf'


class Mounts:
    """What /tf tells of each frame over a recording: where it was first, and whether it moved."""

    def __init__(self) -> None:
        self._first: dict[str, Any] = {}
        self.moving: set[str] = set()
        """Frames that did not stay where they were first."""

    def add(self, msg: Any) -> None:
        """Take in a tf2_msgs/TFMessage of /tf; a frame begins with a valid transform."""
        for stamped in msg.transforms:
            child = stamped.child_frame_id.lstrip('/')
            if child in self.moving:
                continue
            if child not in self._first:
                with suppress(CalibrationError):
                    transform_from_msg(stamped)
                    self._first[child] = stamped
            elif not _same(self._first[child], stamped):
                self.moving.add(child)

    @property
    def heard(self) -> set[str]:
        """Every frame heard of, moving or not, and what it first hung on."""
        return {*self._first, *(s.header.frame_id.lstrip('/') for s in self._first.values())}

    @property
    def still(self) -> list[Any]:
        """The TransformStamped of frames that did not move."""
        return [stamped for child, stamped in self._first.items() if child not in self.moving]


def _same(before: Any, now: Any) -> bool:
    """Whether two TransformStamped of a frame are one, in plain numbers: /tf has very many."""
    (there, turned), (here, turn) = (
        ((t.x, t.y, t.z), (r.x, r.y, r.z, r.w))
        for t, r in ((m.transform.translation, m.transform.rotation) for m in (before, now))
    )
    cosine = abs(sum(a * b for a, b in zip(turned, turn, strict=True)))
    cosine /= math.hypot(*turned) * math.hypot(*turn) or 1.0
    return (
        before.header.frame_id.lstrip('/') == now.header.frame_id.lstrip('/')
        and math.dist(there, here) <= _STILL_M
        and cosine >= math.cos(_STILL_RAD / 2)
    )


class FrameTree:
    """Frames and their parents; names are kept without a leading slash.

    `topic`: where its fixed frames come from, for what is said of them.
    """

    def __init__(self, topic: str = TF_STATIC) -> None:
        self._parents: dict[str, tuple[str, SE3]] = {}
        self._topic = self._topics = topic
        self._moving: frozenset[str] = frozenset()
        self._heard: frozenset[str] = frozenset()
        self._invalid: dict[str, str] = {}

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
        """Take in a tf2_msgs/TFMessage; a newer transform replaces an older one.

        One that is no transform is told only where a chain would need it.
        """
        for stamped in msg.transforms:
            try:
                self._add(stamped)
            except CalibrationError as error:
                parent, child = stamped.header.frame_id, stamped.child_frame_id
                self._invalid[child.lstrip('/')] = f'from {child!r} to {parent!r}: {error}'

    def with_moving(self, transforms: Iterable[Any]) -> FrameTree:
        """Return a tree that also has TransformStamped of /tf: as they are at one moment.

        Those that are no transforms, and those of frames that are fixed, are left out.
        """
        tree = FrameTree(self._topic)
        for stamped in transforms:
            with suppress(CalibrationError):
                tree._add(stamped)
                tree._topics = f'{self._topic} or {tf_beside(self._topic)}'
        tree._parents |= self._parents
        tree._invalid = self._invalid
        return tree

    def joins(self, target: str, source: str) -> bool:
        """Whether a chain of transforms joins two frames."""
        return self.root(target) == self.root(source)

    def with_mounts(self, mounts: Mounts, body: str, frames: Iterable[str]) -> FrameTree:
        """Return a tree in which what did not move in /tf is fixed, too: no more of it than is
        between these frames and the body."""
        tree, whole = FrameTree(self._topic), self.with_moving(mounts.still)
        tree._parents |= self._parents
        tree._invalid = self._invalid
        tree._moving, tree._heard = frozenset(mounts.moving), frozenset(mounts.heard)
        for frame in frames:
            chains = [
                [name for name, _ in whole._ascend(end.lstrip('/'))] for end in (frame, body)
            ]
            common = next((name for name in chains[0] if name in chains[1]), None)
            for chain in chains if common else ():
                for name in chain[: chain.index(common)]:
                    tree._parents[name] = whole._parents[name]
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
        for root in (self.root(source), self.root(target)):
            if root in self._invalid:
                raise BagError(
                    f'no chain of transforms from {source!r} to {target!r}: {self._topic} has one '
                    f'{self._invalid[root]}. Mend what publishes it, and record again.'
                )
        known = {*self.names, *self._heard}
        if known and target.lstrip('/') not in known:
            raise BagError(
                f'no chain of transforms from {source!r} to {target!r}: no frame {target!r}, '
                f"found {', '.join(sorted(known))}. Where the robot's body is called otherwise, "
                'set body_frame in a mapping file; else record the whole of /tf_static (it is '
                'latched: start the recorder with its QoS).'
            )
        if (root := self.root(source)) in self._moving:
            raise BagError(
                f'no fixed chain of transforms from {source!r} to {target!r}: {root!r} moves in '
                f'{tf_beside(self._topic)}, expected a mount that does not. Keep it '
                'still while you record, or leave the camera out with a mapping file.'
            )
        raise BagError(
            f'no chain of transforms from {source!r} to {target!r}: {self._topics} has '
            f'{", ".join(self.names) or "no frame"}; record /tf_static (it is latched: start the '
            'recorder with its QoS). A mapping file can name another topic of fixed frames '
            "(tf_static), and a camera's frame where its CameraInfo names a wrong one."
        )

    def _ascend(self, frame: str) -> list[tuple[str, SE3]]:
        """Return (ancestor, ancestor_from_frame) from the frame itself up to its root."""
        chain = [(frame, SE3.identity())]
        while frame in self._parents and len(chain) <= len(self._parents):
            parent, parent_from_frame = self._parents[frame]
            chain.append((parent, parent_from_frame @ chain[-1][1]))
            frame = parent
        return chain
