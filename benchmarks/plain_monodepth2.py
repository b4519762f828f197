# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A straightforward training step after Monodepth2 (Godard et al. 2019), to be compared with.

As one would write it from the paper: images as PNG files, read, augmented and resized sample by
sample; four scales, each upsampled to full size, every pixel projected; nothing compiled, float32.
The network, the poses (odometry's) and the batch are those of the recipe `monodepth2` here.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from selfdepth_training.data.cache import FrameCache
from selfdepth_training.learner import SurroundLearner

SCALES = 4
SIDES = -1, 1


class PngSamples:
    """Images of a frame cache as PNG files, as one would have extracted them from a bag."""

    def __init__(self, cache: FrameCache, folder: Path) -> None:
        self.folder = folder
        self.cameras = [entry.camera for entry in cache.rig.cameras]
        body_from_camera = cache.rig.body_from_cameras().matrix
        assert cache.world_from_body is not None
        self.world_from_camera = cache.world_from_body @ body_from_camera
        self.frames = len(cache)
        for frame, images in enumerate(cache.images):
            for camera, image in enumerate(images):
                cv2.imwrite(str(self._file(frame, camera)), image[..., ::-1])

    def _file(self, frame: int, camera: int) -> Path:
        return self.folder / f'{frame:06d}_{camera}.png'

    def sample(self, frame: int, camera: int, rng: np.random.Generator) -> dict[Any, Tensor]:
        """One target with its neighbours: plain and augmented images at every scale."""
        flip, factors = rng.random() < 0.5, rng.uniform(0.8, 1.2, 3)
        found: dict[Any, Tensor] = {}
        for side in (0, *SIDES):
            image = cv2.imread(str(self._file(frame + side, camera)))[..., ::-1]
            image = image.astype(np.float32) / 255
            for scale in range(SCALES):
                size = image.shape[1] >> scale, image.shape[0] >> scale
                small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
                found['plain', side, scale] = _planes(small)
                found['shown', side, scale] = _planes(_jittered(small, factors))
        shown = found['shown', 0, 0]
        found['input'] = shown.flip(-1) if flip else shown
        found['flipped'] = torch.tensor(flip)
        here = self.world_from_camera[frame, camera]
        for side in SIDES:
            there = np.linalg.inv(self.world_from_camera[frame + side, camera])
            found['pose', side] = torch.from_numpy((there @ here).astype(np.float32))
        camera_matrix = np.eye(3, dtype=np.float32)
        lens = self.cameras[camera]
        camera_matrix[0, 0], camera_matrix[1, 1] = lens.fx, lens.fy
        camera_matrix[:2, 2] = lens.cx, lens.cy
        found['k'] = torch.from_numpy(camera_matrix)
        found['focal'] = torch.tensor(float(lens.focal))
        return found

    def batch(self, frame: int, rng: np.random.Generator) -> dict[Any, Tensor]:
        """All cameras of one moment."""
        samples = [self.sample(frame, camera, rng) for camera in range(len(self.cameras))]
        return {key: torch.stack([sample[key] for sample in samples]) for key in samples[0]}


def _planes(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def _jittered(image: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Brightness, contrast and saturation."""
    image = image * factors[0]
    image = image.mean() + (image - image.mean()) * factors[1]
    grey = image.mean(-1, keepdims=True)
    return (grey + (image - grey) * factors[2]).clip(0, 1).astype(np.float32)


class PlainStep:
    """Batch, forward, loss, backward, Adam."""

    def __init__(self, samples: PngSamples, learner: SurroundLearner) -> None:
        self.samples = samples
        self.depth = learner.depth
        self.optimizer = torch.optim.Adam(self.depth.parameters(), 1e-4)
        self.rng = np.random.default_rng(0)

    def __call__(self) -> None:
        """One step on all cameras of a random moment."""
        batch = self.samples.batch(int(self.rng.integers(1, self.samples.frames - 1)), self.rng)
        logits = self.depth.all_logits(batch['input'])
        loss = sum(self._loss(batch, logit, scale) for scale, logit in enumerate(logits))
        (loss / len(logits)).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _loss(self, batch: dict[Any, Tensor], logit: Tensor, scale: int) -> Tensor:
        inverse = self.depth.to_inverse_depth(logit, batch['focal'])
        flipped = batch['flipped'][:, None, None, None]
        inverse = torch.where(flipped, inverse.flip(-1), inverse)
        target = batch['plain', 0, 0]
        full = functional.interpolate(inverse, target.shape[2:], mode='bilinear')
        sources = [batch['plain', side, 0] for side in SIDES]
        warped = [_warp(source, 1 / full, batch['k'], batch['pose', side])
                  for source, side in zip(sources, SIDES, strict=True)]  # fmt: skip
        errors = torch.cat([_error(target, view) for view in warped], 1)
        still = torch.cat([_error(target, source) for source in sources], 1)
        still = still + 1e-5 * torch.randn_like(still)
        least = torch.cat([still, errors], 1).amin(1).mean()
        small = functional.interpolate(target, inverse.shape[2:], mode='area')
        return least + 1e-3 / 2**scale * _smoothness(inverse, small)


def _warp(source: Tensor, depth: Tensor, k: Tensor, pose: Tensor) -> Tensor:
    count, _, height, width = depth.shape
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    pixels = torch.stack([u, v, torch.ones_like(u)]).float().flatten(1).expand(count, 3, -1)
    points = depth.flatten(2) * (torch.inverse(k) @ pixels)
    moved = k @ (pose[:, :3, :3] @ points + pose[:, :3, 3:])
    found = moved[:, :2] / (moved[:, 2:] + 1e-7)
    grid = (2 * found.permute(0, 2, 1) + 1) / torch.tensor([width, height]) - 1
    return functional.grid_sample(
        source, grid.view(count, height, width, 2), padding_mode='border', align_corners=False
    )


def _error(target: Tensor, view: Tensor) -> Tensor:
    absolute = (target - view).abs().mean(1, True)
    x, y = (functional.pad(each, (1, 1, 1, 1), mode='reflect') for each in (target, view))
    mean_x, mean_y = functional.avg_pool2d(x, 3, 1), functional.avg_pool2d(y, 3, 1)
    variance_x = functional.avg_pool2d(x**2, 3, 1) - mean_x**2
    variance_y = functional.avg_pool2d(y**2, 3, 1) - mean_y**2
    covariance = functional.avg_pool2d(x * y, 3, 1) - mean_x * mean_y
    above = (2 * mean_x * mean_y + 1e-4) * (2 * covariance + 9e-4)
    below = (mean_x**2 + mean_y**2 + 1e-4) * (variance_x + variance_y + 9e-4)
    ssim = ((1 - above / below) / 2).clamp(0, 1).mean(1, True)
    return 0.85 * ssim + 0.15 * absolute


def _smoothness(inverse: Tensor, image: Tensor) -> Tensor:
    inverse = inverse / (inverse.mean((2, 3), True) + 1e-7)
    total = torch.zeros(())
    for axis in (2, 3):
        edges = image.diff(dim=axis).abs().mean(1, True)
        total = total + (inverse.diff(dim=axis).abs() * (-edges).exp()).mean()
    return total
