# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What every dataset is turned into: scenes, each a rig and what it recorded, in order of time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Shaped

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3


@dataclass(frozen=True, eq=False)
class LidarPoints:
    """One sweep in its own frame, metres."""

    xyz: Float[np.ndarray, 'n 3']
    intensity: Float[np.ndarray, ' n'] | None = None
    ring: Shaped[np.ndarray, ' n'] | None = None


class Picture(NamedTuple):
    """An image file of a camera of the rig."""

    stamp_ns: int
    camera: str
    path: Path


class Sweep(NamedTuple):
    """A LiDAR file, and how to read it (DatasetError when it is not what it should be)."""

    stamp_ns: int
    frame_id: str
    path: Path
    read: Callable[[Path], LidarPoints]


class Pose(NamedTuple):
    """Where the body was, in any frame in which the world stands still."""

    stamp_ns: int
    world_from_body: SE3


Event = Picture | Sweep | Pose


class Loss(NamedTuple):
    """Something that did not get into the bag: what (a camera, the LiDAR ...), and why."""

    what: str
    why: str


@dataclass(frozen=True, eq=False)
class Scene:
    """One drive. Files are not opened before their turn."""

    rig: Rig
    body_from_lidars: Mapping[str, SE3]
    """By frame, as in the sweeps."""
    events: Iterable[Event]
    """In order of time; at one stamp poses come first."""
    total: int
    """How many events there are."""
    notes: Sequence[str] = ()
    """For the report: what is not as the dataset's files say it, and why."""
    losses: Sequence[Loss] = ()
    """What is lost already."""
    custom_data: Mapping[str, object] = field(default_factory=dict)
    """For the bag's custom data, beside what every import writes there."""


def in_order(events: Iterable[Event]) -> list[Event]:
    """Sort events by time, poses first."""
    return sorted(events, key=lambda event: (event.stamp_ns, not isinstance(event, Pose)))


@runtime_checkable
class Catalogue(Protocol):
    """The scenes in a folder."""

    @property
    def names(self) -> Sequence[str]:
        """Every scene; finding them is cheap."""
        ...

    def reading(
        self, names: Sequence[str], progress: bool = False
    ) -> AbstractContextManager[Callable[[str], Scene]]:
        """Give, while it lasts, a function that reads any scene of `names` (SelfdepthError).

        `progress` shows a bar where that takes long to prepare.
        """
        ...


@dataclass(frozen=True)
class SceneFiles:
    """A catalogue whose scenes have files of their own."""

    readers: Mapping[str, Callable[[], Scene]]

    @property
    def names(self) -> Sequence[str]:
        """Every scene."""
        return tuple(self.readers)

    @contextmanager
    def reading(
        self, names: Sequence[str], progress: bool = False
    ) -> Iterator[Callable[[str], Scene]]:
        """Give a function that reads a scene."""
        yield lambda name: self.readers[name]()
