# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The two values that flow through everything: what the rig saw, and the cloud made of it."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int32, Shaped, UInt8


@dataclass(frozen=True, eq=False)
class SurroundFrame:
    """One image per camera of the rig, in the rig's order, taken at about the same time.

    Images are uint8 RGB (height, width, 3); None where the camera is missing. `reduced` tells by
    how much both sides of each were divided when it was decoded; empty: by 1.
    """

    stamp_ns: int
    images: tuple[UInt8[np.ndarray, '_ _ 3'] | None, ...]
    stamps_ns: tuple[int | None, ...]
    reduced: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, 'reduced', self.reduced or (1,) * len(self.images))
        given = [image is not None for image in self.images]
        if given != [stamp is not None for stamp in self.stamps_ns]:
            raise ValueError(
                f'Found {sum(given)} images in {len(given)} places beside stamps '
                f'{self.stamps_ns}, expected a stamp for each image and None for each missing one.'
            )

    @property
    def present(self) -> tuple[bool, ...]:
        """Which cameras have an image."""
        return tuple(image is not None for image in self.images)

    def without(self, cameras: Collection[int]) -> 'SurroundFrame':
        """Return this frame with some cameras (indices) missing."""

        def rest(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(None if i in cameras else value for i, value in enumerate(values))

        return replace(self, images=rest(self.images), stamps_ns=rest(self.stamps_ns))


POINT = np.dtype([(name, '<f4') for name in 'xyz'] + [(name, 'u1') for name in 'bgr0'])
"""A coloured point as PointCloud2 and PCL have it: x y z, and a word 0x00RRGGBB; 16 bytes."""


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points in `frame_id` (metres), their RGB colours and the camera that saw each.

    `records` hold positions and colours as they are published, so that publishing costs no
    passes of its own; `points` and `colors` are views of them. `camera` is an index into the rig;
    `missing` names cameras that had no image. `pixel`, where the cloud was made of depth maps, is
    each point's row * width + column in its camera's.
    """

    records: Shaped[np.ndarray, ' n']
    camera: UInt8[np.ndarray, ' n']
    stamp_ns: int
    frame_id: str
    missing: tuple[str, ...] = ()
    pixel: Int32[np.ndarray, ' n'] | None = None

    def __post_init__(self) -> None:
        if self.records.dtype != POINT:
            raise ValueError(f'found records of {self.records.dtype}, expected frames.POINT')

    @classmethod
    def of(
        cls,
        points: Float[np.ndarray, 'n 3'],
        colors: UInt8[np.ndarray, 'n 3'],
        camera: UInt8[np.ndarray, ' n'],
        stamp_ns: int,
        frame_id: str,
        missing: tuple[str, ...] = (),
        pixel: Int32[np.ndarray, ' n'] | None = None,
    ) -> 'PointCloud':
        """Return the cloud of positions and colours (copied)."""
        records = np.zeros(len(points), POINT)
        for index in range(3):  # by columns: a third of the time of rows
            records['xyz'[index]] = points[:, index]
            records['rgb'[index]] = colors[:, index]
        return cls(records, camera, stamp_ns, frame_id, missing, pixel)

    def __len__(self) -> int:
        return len(self.records)

    @property
    def points(self) -> Float32[np.ndarray, 'n 3']:
        """Positions in metres."""
        return self.records.view(np.float32).reshape(-1, 4)[:, :3]

    @property
    def colors(self) -> UInt8[np.ndarray, 'n 3']:
        """RGB."""
        return self.records.view(np.uint8).reshape(-1, POINT.itemsize)[:, 14:11:-1]

    def pixels_given(self) -> Int32[np.ndarray, ' n']:
        """`pixel`, or ValueError for a cloud that was not made of depth maps."""
        if self.pixel is None:
            raise ValueError('the cloud has no pixels, expected one that fusion made')
        return self.pixel

    def select(self, which: Any) -> 'PointCloud':
        """Return the cloud of some points: a mask, or indices in the order wanted."""
        if which.dtype == bool:
            which = np.flatnonzero(which)
        return replace(
            self,
            records=self.records.take(which),
            camera=self.camera.take(which),
            pixel=None if self.pixel is None else self.pixel.take(which),
        )
