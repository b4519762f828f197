# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The two values that flow through everything: what the rig saw, and the cloud made of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8


@dataclass(frozen=True, eq=False)
class SurroundFrame:
    """One image per camera of the rig, in the rig's order, taken at about the same time.

    Images are uint8 RGB (height, width, 3); None where the camera is missing.
    """

    stamp_ns: int
    images: tuple[UInt8[np.ndarray, '_ _ 3'] | None, ...]
    stamps_ns: tuple[int | None, ...]

    def __post_init__(self) -> None:
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


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points in `frame_id` (metres), their RGB colours and the camera that saw each.

    `camera` is an index into the rig; `missing` names cameras that had no image.
    """

    points: Float[np.ndarray, 'n 3']
    colors: UInt8[np.ndarray, 'n 3']
    camera: UInt8[np.ndarray, ' n']
    stamp_ns: int
    frame_id: str
    missing: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.points)
