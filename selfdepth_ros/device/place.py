# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The place of work of an engine whose depths lie on a device; see `selfdepth_ros.place.Place`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from selfdepth_ros.core.arrays import to_numpy
from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.device.area import AreaResize
from selfdepth_ros.device.fusion import DeviceFusion
from selfdepth_ros.inference.engine import DepthPrediction, DeviceEngine
from selfdepth_ros.resizing import Resizer


class DevicePlace:
    """Images go up at the size they come in, are resized there, and come down as a cloud."""

    def __init__(self, engine: DeviceEngine, rig: Rig) -> None:
        """`rig` at the network's size."""
        self._engine, self._rig, self._device = engine, rig, engine.memory
        focal = np.array([item.camera.focal for item in rig.cameras], np.float32)
        size = (engine.manifest.height, engine.manifest.width, 3)
        with engine.on_stream():
            self._focal = torch.from_numpy(focal).to(self._device)
            self._batch = torch.zeros((len(focal), *size), dtype=torch.uint8, device=self._device)
        self._enlarge = Resizer()
        self._staging: dict[tuple[int, tuple[int, ...]], Any] = {}
        self._resizes: dict[tuple[int, ...], AreaResize] = {}

    @property
    def description(self) -> str:
        """What fuses, and where."""
        return f'torch {torch.__version__} on {self._device}'

    def on_stream(self) -> AbstractContextManager[Any]:
        """See Place."""
        return self._engine.on_stream()

    def put(self, images: Sequence[UInt8[np.ndarray, '_ _ 3'] | None]) -> None:
        """See Place."""
        for index, image in enumerate(images):
            self._put(index, image)

    def _put(self, index: int, image: UInt8[np.ndarray, 'H W 3'] | None) -> None:
        target = self._batch[index]
        if image is None:
            target.zero_()
            return
        if image.shape[0] < target.shape[0] or image.shape[1] < target.shape[1]:
            larger = np.empty(tuple(target.shape), np.uint8)
            self._enlarge(image, larger)  # no area to take the mean of
            image = larger
        uploaded = self._uploaded(index, image)
        if image.shape == target.shape:
            target.copy_(uploaded)
            return
        if image.shape not in self._resizes:
            (height, width, _), (rows, columns, _) = image.shape, target.shape
            made = AreaResize((height, width), (rows, columns), self._device)
            self._resizes[image.shape] = made
        target.copy_(self._resizes[image.shape](uploaded))

    def infer(
        self, present: Sequence[bool], trust: Float32[np.ndarray, ' c'] | None
    ) -> DepthPrediction:
        """See Place."""
        found = self._engine.infer_on_device(self._batch, self._focal)
        depth, confidence = found.depth, found.confidence
        for index, here in enumerate(present):
            if not here:
                depth[index] = torch.nan
        if trust is not None and confidence is not None:
            factors = torch.from_numpy(np.asarray(trust, np.float32)).to(self._device)
            confidence = confidence * factors[:, None, None]
        if depth.device.type == 'cuda':
            torch.cuda.current_stream().synchronize()  # so that the time is the network's
        return DepthPrediction(depth, confidence)

    def fusion(self, config: FusionConfig | None) -> DeviceFusion:
        """See Place."""
        own = self._engine.manifest
        return DeviceFusion(self._rig, config, own.depth_kind, own.depth_limit, self._device)

    @property
    def batch(self) -> UInt8[torch.Tensor, 'c h w 3']:
        """See Place."""
        return self._batch

    def images(self) -> UInt8[np.ndarray, 'c h w 3']:
        """See Place."""
        return to_numpy(self._batch)

    def _uploaded(self, index: int, image: UInt8[np.ndarray, 'H W 3']) -> Any:
        """The image on the device, by way of pinned memory where that is a GPU's."""
        if self._batch.device.type == 'cpu':
            return torch.from_numpy(np.ascontiguousarray(image).copy())
        key = index, image.shape
        if key not in self._staging:
            self._staging[key] = torch.empty(image.shape, dtype=torch.uint8, pin_memory=True)
        staging = self._staging[key]
        np.copyto(staging.numpy(), image)
        return staging.to(self._device, non_blocking=True)
