# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The three contexts of Full Surround Monodepth: temporal, spatial and spatio-temporal.

Guizilini et al., "Full Surround Monodepth from Multiple Cameras", RA-L 2022. The target is always
the middle one of three frames; the sources are the same camera before and after (temporal), the
neighbour now (spatial) and the neighbour before or after (spatio-temporal).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor
from torch.nn import functional

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.data.samples import RigSample
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.losses.automask import AutoMask, Compared, by_pixel
from selfdepth_training.losses.combine import UNSEEN, Combine, Reprojection, least
from selfdepth_training.losses.fast_photometric import fast_photometric_error
from selfdepth_training.losses.photometric import masked_mean
from selfdepth_training.source_grids import source_grids
from selfdepth_training.warp import SampleGrid, sample, upsampled

BEFORE, NOW, AFTER = 0, 1, 2

PixelError = Callable[[Tensor, Tensor], Tensor]
"""From two batches of views (n, k, h, w) to how unlike they are (n, h, w)."""


class Views(NamedTuple):
    """Surround frames (before, now, after, and at times more) of one rig, at one image size."""

    images: Float[Tensor, 't c k h w']
    """Colours, or features."""
    present: Bool[Tensor, 't c']
    world_from_camera: SE3
    """Batch (T, C): each camera's pose at its own stamp."""
    aligned: Float[Tensor, 't c 3 h w'] | None = None
    """The images as cameras compare them with each other, where that is not as they are."""

    @property
    def across(self) -> Float[Tensor, 't c k h w']:
        """What is compared between cameras."""
        return self.images if self.aligned is None else self.aligned


def surround_views(
    sample: RigSample, world_from_body: SE3, geometry: RigGeometry, level: int
) -> Views:
    """Images of a sample at a pyramid level (0: full size), and where each camera was."""
    images = to_float(sample.images.flatten(0, 1))
    if level:
        images = functional.avg_pool2d(images, 1 << level)
    body_from_camera = geometry.body_from_camera.matrix.to(world_from_body.matrix)
    images = images.unflatten(0, sample.images.shape[:2]).contiguous()
    return Views(
        images,
        sample.present,
        SE3(world_from_body.matrix @ body_from_camera),
        None if geometry.alignment is None else geometry.aligned(images),
    )


def to_float(images: UInt8[Tensor, 'n h w 3']) -> Float[Tensor, 'n 3 h w']:
    """Planes in 0..1."""
    return images.permute(0, 3, 1, 2).float() / 255


class Look(NamedTuple):
    """A camera whose view is explained by another's, or by its own, at some times."""

    target: int
    source: int
    columns: slice
    """Of the target."""
    times: tuple[int, int]


class WarpedViews(NamedTuple):
    """Source views as the target cameras would see them, and where that is known."""

    images: Float[Tensor, 'n k h w']
    valid: Bool[Tensor, 'n h w']


@dataclass(frozen=True)
class SurroundReprojection:
    """Reprojection errors of a rig's views for given depths.

    `geometry` is at the size of the depths, the images are `factor` times as large.
    """

    geometry: RigGeometry
    factor: int
    ssim_weight: float
    combine: Combine = least
    """What counts of the errors against two sources."""
    moves_along: AutoMask = by_pixel
    """Which pixels auto-masking drops."""
    unlike: PixelError | None = None
    """How unlike two views are per pixel; None: the photometric error."""

    def temporal(
        self, views: Views, depth: Float[Tensor, 'c h w'],
        still: Float[Tensor, 'c 2 y x'] | None = None,
        explained: Float[Tensor, 'c 2 y x'] | None = None,
    ) -> Reprojection:  # fmt: skip
        """Own camera before and after: minimum reprojection, auto-masking (Monodepth2).

        With `still`, the `still_error` of these views, auto-masking drops pixels that an unwarped
        source explains better than the warped ones: things that move along with the robot, and
        views from standstill (`moves_along`). `explained`, of before and after, is a factor of the
        error (Zhou et al. 2017).
        """
        looks = [
            Look(camera, camera, slice(None), (BEFORE, AFTER))
            for camera in range(len(self.geometry.cameras))
        ]
        sources = views.images[[BEFORE, AFTER]].transpose(0, 1).flatten(0, 1)
        targets = views.images[NOW].repeat_interleave(2, 0)
        view = self._warp(sources, self._grid(views, depth, looks))
        error, seen = self._errors(targets, view)
        if explained is not None:
            error = error * explained
        found = self.combine(error, seen)
        valid = found.valid & self.enlarged(self.geometry.visible)
        valid = valid & views.present[NOW][:, None, None]
        if still is not None:
            with torch.no_grad():
                along = self.moves_along(Compared(found.error, error, seen, still))
            valid = valid & ~along
        return Reprojection(found.error, valid)

    @torch.no_grad()
    def still_error(self, views: Views) -> Float[Tensor, 'c 2 y x']:
        """Error of the own camera before and after, unwarped: it knows no depth. UNSEEN where that
        image is missing, which is alike to nothing."""
        sources = views.images[[BEFORE, AFTER]].transpose(0, 1).flatten(0, 1).contiguous()
        targets = views.images[NOW].repeat_interleave(2, 0)
        error = self._error(targets, sources).unflatten(0, (-1, 2))
        present = views.present[[BEFORE, AFTER]].transpose(0, 1)
        return torch.where(present[..., None, None], error, UNSEEN)

    def spatial(
        self, views: Views, depth: Float[Tensor, 'c h w'], other_time: int
    ) -> Reprojection:
        """Neighbours now and at `other_time` (BEFORE or AFTER), in the overlaps only."""
        geometry, looks = self.geometry, []
        sources, targets, visible = [], [], []
        times = NOW, other_time
        for overlap in geometry.overlaps:
            columns = overlap.columns(geometry)
            looks.append(Look(overlap.target, overlap.source, columns, times))
            sources.append(views.across[list(times), overlap.source])
            large = slice(columns.start * self.factor, columns.stop * self.factor)
            targets.append(views.across[NOW, overlap.target, :, :, large].expand(2, -1, -1, -1))
            visible.append(geometry.visible[overlap.target][:, columns])
        view = self._warp(torch.cat(sources), self._grid(views, depth, looks))
        target = torch.cat(targets)
        matched = view._replace(images=match_brightness(view, target))
        found = self.combine(*self._errors(target, matched))
        valid = found.valid & self.enlarged(torch.stack(visible))
        crops = [look.target for look in looks]
        return Reprojection(found.error, valid & views.present[NOW, crops, None, None])

    def _grid(self, views: Views, depth: Float[Tensor, 'c h w'], looks: list[Look]) -> SampleGrid:
        """Where the source of each look sees, at each of its times, what the target sees now."""
        geometry, poses = self.geometry, views.world_from_camera
        present = torch.cat([views.present[list(each.times), each.source] for each in looks])
        matrices = [
            poses[list(each.times), each.source].inverse().matrix @ poses.matrix[NOW, each.target]
            for each in looks
        ]
        crops = [(each.target, ..., each.columns) for each in looks]
        grid = source_grids(
            geometry,
            [each.source for each in looks],
            torch.stack(matrices).to(depth),
            torch.stack([depth[crop] for crop in crops]),
            torch.stack([geometry.planes_of_rays[crop] for crop in crops]),
        )
        return grid._replace(valid=grid.valid & present[:, None, None])

    def _warp(self, sources: Tensor, grid: SampleGrid) -> WarpedViews:
        """Sample every source at its grid, at the size of the images."""
        grid = upsampled(grid, self.factor)
        return WarpedViews(sample(sources, grid.coordinates), grid.valid)

    def _errors(
        self, targets: Float[Tensor, 'n k h w'], view: WarpedViews
    ) -> tuple[Float[Tensor, 'm 2 h w'], Bool[Tensor, 'm 2 h w']]:
        """Errors of pairs of consecutive views, and where they are known."""
        error = self._error(targets, view.images)
        return error.unflatten(0, (-1, 2)), view.valid.unflatten(0, (-1, 2))

    def _error(
        self, targets: Float[Tensor, 'n k h w'], views: Float[Tensor, 'n k h w']
    ) -> Float[Tensor, 'n h w']:
        if self.unlike is not None:
            return self.unlike(targets, views)
        return fast_photometric_error(targets, views, self.ssim_weight)

    def enlarged(self, mask: Shaped[Tensor, 'n h w']) -> Shaped[Tensor, 'n y x']:
        """What is told at the size of the geometry, at that of the images."""
        return mask.repeat_interleave(self.factor, 1).repeat_interleave(self.factor, 2)


def match_brightness(
    view: WarpedViews, target: Float[Tensor, 'n k h w']
) -> Float[Tensor, 'n k h w']:
    """Give the warped view the target's mean and spread of brightness where both are known.

    Two cameras seldom agree on exposure; VFDepth (Kim et al. 2022) aligns overlaps alike. The
    gain is bounded and carries no gradient, so that it cannot explain a wrong depth away.
    """
    with torch.no_grad():
        # Every fourth pixel says enough about brightness.
        weight = view.valid[:, None, ::2, ::2].float()
        count = weight.sum((2, 3), keepdim=True).clamp(min=1)

        def moments(images: Tensor) -> tuple[Tensor, Tensor]:
            mean = (images * weight).sum((2, 3), keepdim=True) / count
            variance = ((images - mean) ** 2 * weight).sum((2, 3), keepdim=True) / count
            return mean, (variance + 1e-4).sqrt()

        mean_view, spread_view = moments(view.images[..., ::2, ::2])
        mean_target, spread_target = moments(target[..., ::2, ::2])
        gain = (spread_target / spread_view).clamp(0.7, 1.4)
    return (view.images - mean_view) * gain + mean_target


def reprojection_loss(reprojection: Reprojection) -> Tensor:
    """Mean error over the valid pixels."""
    return masked_mean(reprojection.error, reprojection.valid)
