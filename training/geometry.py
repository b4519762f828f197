# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A rig as the losses need it: ray tables, masks and overlaps at one image size, as tensors."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth_ros.core.cameras import Camera, PinholeCamera
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3

# Depths at which the rays of one camera are looked for in its neighbour, metres.
OVERLAP_DEPTHS_M = (3.0, 6.0, 12.0, 30.0)
# Share of a column's visible pixels that must land in the neighbour for it to count. Cameras above
# each other share a flat strip: where no column has that much, half of the share of all pixels is
# enough, if that is one for `Rig.overlap_pairs`.
OVERLAP_COLUMN, OVERLAP_WHOLE = 0.15, 0.02

Alignments = list[Float[Tensor, 'c 3 2'] | None]
"""By recording, see `RigGeometry.alignment`."""


def depth_kind(rig: Rig) -> str:
    """'z_depth' for a rig of pinholes; 'ray_distance' when a lens sees to the side or behind."""
    pinhole = all(isinstance(entry.camera, PinholeCamera) for entry in rig.cameras)
    return 'z_depth' if pinhole else 'ray_distance'


def common_depth_kind(rigs: list[Rig]) -> str:
    """The kind that does for all of some rigs."""
    kinds = {depth_kind(rig) for rig in rigs}
    return 'ray_distance' if 'ray_distance' in kinds else 'z_depth'


@dataclass(frozen=True)
class Overlap:
    """Columns of the target camera in which the source camera sees the same things."""

    target: int
    source: int
    first_column: int

    def columns(self, geometry: 'RigGeometry') -> slice:
        """Return the columns as a slice."""
        return slice(self.first_column, self.first_column + geometry.overlap_width)


@dataclass(frozen=True)
class RigGeometry:
    """Tables for the C cameras of a rig whose images are all (H, W)."""

    cameras: tuple[Camera, ...]
    rays: Float[Tensor, 'c h w 3']
    """What one metre of depth is, in the camera frame."""
    visible: Bool[Tensor, 'c h w']
    """False where the lens has no ray or the camera sees the robot itself."""
    body_from_camera: SE3
    """Batch (C,), float64."""
    focal: Float[Tensor, ' c']
    """Focal lengths in pixels of these images."""
    alignment: Float[Tensor, 'c 3 2'] | None = None
    """Gain and offset by camera and colour that make neighbours alike; None: they are."""

    @classmethod
    def of(
        cls, rig: Rig, width: int, height: int, kind: str, device: torch.device,
        alignment: Float[Tensor, 'c 3 2'] | None = None,
    ) -> 'RigGeometry':  # fmt: skip
        """Build the tables of `rig` for images of `width` x `height` pixels.

        `kind` says what the depths will be: 'z_depth' or 'ray_distance'.
        """
        scaled = rig.scaled(width, height)
        rays, visible = [], []
        for entry in scaled.cameras:
            directions, valid = entry.camera.pixel_rays()
            if kind == 'z_depth':
                # Not `core.depth.depth_per_metre`, by which rays to the side have no z-depth: it
                # is for pinholes (`depth_kind`), which have none. Of other lenses the judge alone
                # asks for it, and to the side it then means: endlessly far.
                directions = directions / np.maximum(directions[..., 2:], 1e-6)
            if entry.self_occlusion is not None:
                valid = valid & ~entry.self_occlusion
            rays.append(directions)
            visible.append(valid)
        poses = np.stack([entry.body_from_camera.matrix for entry in scaled.cameras])
        cameras = tuple(entry.camera for entry in scaled.cameras)
        return cls(
            cameras,
            torch.from_numpy(np.stack(rays)).float().to(device),
            torch.from_numpy(np.stack(visible)).to(device),
            SE3(torch.from_numpy(poses).double().to(device)),
            torch.tensor([camera.focal for camera in cameras], device=device),
            None if alignment is None else alignment.to(device),
        )

    def aligned(self, images: Float[Tensor, 't c 3 h w']) -> Float[Tensor, 't c 3 h w']:
        """The images as they are compared between cameras."""
        if self.alignment is None:
            return images
        gain, offset = self.alignment[..., None, None].unbind(2)
        return images * gain + offset

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rays.shape[1], self.rays.shape[2]

    @cached_property
    def planes_of_rays(self) -> Float[Tensor, 'c 3 h w']:
        """The rays as planes of x, y and z."""
        return self.rays.permute(0, 3, 1, 2).contiguous()

    @cached_property
    def sees_all(self) -> list[bool]:
        """Of each camera, whether none of its pixels is masked."""
        return self.visible.flatten(1).all(1).tolist()

    @cached_property
    def overlaps(self) -> tuple[Overlap, ...]:
        """Ordered pairs of cameras that share a view; all crops have `overlap_width` columns."""
        return self._overlaps[0]

    @cached_property
    def overlap_width(self) -> int:
        """Columns in the crop of every overlap, a multiple of 8 where the image allows it."""
        return self._overlaps[1]

    @cached_property
    def _overlaps(self) -> tuple[tuple[Overlap, ...], int]:
        width = self.size[1]
        ranges = {}
        for target in range(len(self.cameras)):
            for source in range(len(self.cameras)):
                columns = self._shared_columns(target, source) if source != target else None
                if columns is not None and len(columns):
                    ranges[target, source] = int(columns.min()), int(columns.max()) + 1
        if not ranges:
            return (), 0
        widest = max(last - first for first, last in ranges.values())
        crop = min(width, -(-widest // 8) * 8)
        overlaps = tuple(
            Overlap(target, source, min(max(0, (first + last - crop) // 2), width - crop))
            for (target, source), (first, last) in ranges.items()
        )
        return overlaps, crop

    def _shared_columns(self, target: int, source: int) -> Tensor:
        """Columns of `target` of which enough pixels lie in `source` at some plausible depth."""
        body_from_target = self.body_from_camera[target]
        source_from_target = self.body_from_camera[source].inverse() @ body_from_target
        seen = torch.zeros_like(self.visible[target])
        for depth in OVERLAP_DEPTHS_M:
            points = source_from_target.apply(self.rays[target] * depth)
            seen |= self.cameras[source].project(points)[1]
        usable = self.visible[target]
        share = (seen & usable).sum(0) / usable.sum(0).clamp(min=1)
        whole = (seen & usable).sum() / usable.sum().clamp(min=1)
        if not (share > OVERLAP_COLUMN).any() and whole > OVERLAP_WHOLE:
            return torch.nonzero(share > whole / 2)[:, 0]
        return torch.nonzero(share > OVERLAP_COLUMN)[:, 0]
