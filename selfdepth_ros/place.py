# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the images of a set lie, become depths, and are fused: the host, or an engine's device."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float32, UInt8

from selfdepth_ros.compiled import fastest_steps
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.fusion import Fusion
from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.inference.engine import DepthEngine, DepthPrediction, DeviceEngine
from selfdepth_ros.resizing import Resizer


class Fuser(Protocol):
    """A fusion of one rig with one set of filters; see `core.fusion.Fusion`."""

    config: FusionConfig

    def fuse(
        self,
        depths: Float32[Any, 'c h w'],
        images: UInt8[Any, 'c h w 3'],
        present: Sequence[bool] | None = None,
        stamp_ns: int = 0,
        confidence: Float32[Any, 'c h w'] | None = None,
        now_from_then: SE3 | None = None,
    ) -> PointCloud:
        """Cloud of all present cameras."""
        ...


class Place(Protocol):
    """One thread at a time: buffers are reused."""

    @property
    def description(self) -> str:
        """Who fuses, in words."""
        ...

    def on_stream(self) -> AbstractContextManager[Any]:
        """A context for all of the work on one set."""
        ...

    def put(self, images: Sequence[UInt8[np.ndarray, '_ _ 3'] | None]) -> None:
        """Take in the images of all cameras, of any sizes; None becomes black."""
        ...

    def infer(
        self, present: Sequence[bool], trust: Float32[np.ndarray, ' c'] | None
    ) -> DepthPrediction:
        """Depths of the images, NaN of absent cameras; `trust` are factors of the confidence."""
        ...

    def fusion(self, config: FusionConfig | None) -> Fuser:
        """What fuses these depths; any thread may ask."""
        ...

    @property
    def batch(self) -> UInt8[Any, 'c h w 3']:
        """The images at the network's size, where they lie; the next set overwrites them."""
        ...

    def images(self) -> UInt8[np.ndarray, 'c h w 3']:
        """The same on the host."""
        ...


def place_of(engine: DepthEngine, rig: Rig) -> Place:
    """Where an engine's depths are; `rig` is the one at the network's size."""
    if isinstance(engine, DeviceEngine):
        from selfdepth_ros.device import DevicePlace  # torch; the host needs none

        return DevicePlace(engine, rig)
    return HostPlace(engine, rig)


class HostPlace:
    """See Place: cv2 and compiled loops."""

    def __init__(self, engine: DepthEngine, rig: Rig) -> None:
        self._engine, self._rig = engine, rig
        self._backend = fastest_steps()
        self.description = self._backend.description
        self._focal = np.array([item.camera.focal for item in rig.cameras], np.float32)
        shrinker = self._backend.shrinker
        self._resizers = [Resizer(shrinker and shrinker()) for _ in rig.cameras]
        self._threads = ThreadPoolExecutor(2, 'resize')
        manifest = engine.manifest
        self.batch = np.zeros((len(rig.cameras), manifest.height, manifest.width, 3), np.uint8)

    def on_stream(self) -> AbstractContextManager[Any]:
        """See Place."""
        return nullcontext()

    def put(self, images: Sequence[UInt8[np.ndarray, '_ _ 3'] | None]) -> None:
        """See Place: two at a time, unless they are copied only."""
        items = list(zip(self._resizers, images, self.batch, strict=True))
        alike = all(image is None or image.shape == target.shape for _, image, target in items)
        each = map if alike else self._threads.map
        list(each(_put, items))

    def infer(
        self, present: Sequence[bool], trust: Float32[np.ndarray, ' c'] | None
    ) -> DepthPrediction:
        """See Place."""
        found = self._engine.infer(self.batch, self._focal)
        depth, confidence = found.depth, found.confidence
        depth[np.logical_not(present)] = np.nan
        if trust is not None and confidence is not None:
            confidence = confidence * trust[:, None, None]
        return DepthPrediction(depth, confidence)

    def fusion(self, config: FusionConfig | None) -> Fusion:
        """See Place."""
        own = self._engine.manifest
        return Fusion(self._rig, config, own.depth_kind, own.depth_limit, self._backend.steps)

    def images(self) -> UInt8[np.ndarray, 'c h w 3']:
        """See Place."""
        return self.batch


def _put(item: tuple[Resizer, Any, Any]) -> None:
    resize, image, target = item
    if image is None:
        target[:] = 0
    else:
        resize(image, target)
