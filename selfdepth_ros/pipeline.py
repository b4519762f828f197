# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From the images of a rig to its cloud: resize, infer, fuse."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from selfdepth_ros.compiled import fastest_steps
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.frames import PointCloud, SurroundFrame
from selfdepth_ros.core.fusion import Fusion, FusionConfig
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.inference.engine import DepthEngine


class PipelineError(SelfdepthError):
    """A frame that does not fit the rig."""


@dataclass(frozen=True, eq=False)
class SurroundResult:
    """What one frame became. Depths are at the network's size; NaN-filled for missing cameras."""

    cloud: PointCloud
    depths: Float32[np.ndarray, 'c h w']
    confidence: Float32[np.ndarray, 'c h w'] | None
    present: tuple[bool, ...]
    filters: FusionConfig
    """What the cloud was filtered with."""
    now_from_then: SE3 | None = None
    """(c, 4, 4): what the cameras' points were moved by; None: nothing was known."""
    timings_s: dict[str, float] = field(default_factory=dict)
    """Seconds spent in `preprocess`, `infer` and `fuse`, and on waiting for the `motion`."""


class SurroundDepth:
    """The network and the fusion for one rig. One thread at a time: buffers are reused.

    `rig` is the rig at the size of the cameras' images; `self.rig` is the one at network size,
    which the depth maps belong to. `self.source` is the one given.
    """

    def __init__(self, engine: DepthEngine, rig: Rig, config: FusionConfig | None = None) -> None:
        manifest = engine.manifest
        self.engine = engine
        self.rig = rig.scaled(manifest.width, manifest.height)
        self.source = rig
        self.fusion_backend = fastest_steps()
        self.use_filters(config)
        self._focal = np.array([item.camera.focal for item in self.rig.cameras], np.float32)
        size = (len(rig.cameras), manifest.height, manifest.width)
        self._batch = np.zeros((*size, 3), np.uint8)
        self._aside = ThreadPoolExecutor(1, 'motion')

    @property
    def last_images(self) -> UInt8[np.ndarray, 'c h w 3']:
        """Images of the last frame at network size; the next frame overwrites them."""
        return self._batch

    def __call__(
        self,
        frame: SurroundFrame,
        motion: Callable[[], SE3 | None] = lambda: None,
        trust: Float32[np.ndarray, ' c'] | None = None,
    ) -> SurroundResult:
        """Compute the cloud of a frame (images in the rig's order). Raises PipelineError.

        `motion` returns now_from_then (c, 4, 4): body at the frame's stamp from body at each
        image's stamp. It is called in another thread, while the network runs. `trust`: factors of
        the cameras' confidence, where the model has one.
        """
        start = time.perf_counter()
        batch = self.preprocess(frame)
        ready = time.perf_counter()
        moving = self._aside.submit(motion)
        prediction = self.engine.infer(batch, self._focal)
        inferred = time.perf_counter()
        depths, confidence, present = prediction.depth, prediction.confidence, frame.present
        depths[np.logical_not(present)] = np.nan
        if trust is not None and confidence is not None:
            confidence = confidence * trust[:, None, None]
        now_from_then = moving.result()
        moved = time.perf_counter()
        fusion = self._fusion  # may be exchanged meanwhile
        cloud = fusion.fuse(depths, batch, present, frame.stamp_ns, confidence, now_from_then)
        spent = np.diff([start, ready, inferred, moved, time.perf_counter()]).tolist()
        timings_s = dict(zip(('preprocess', 'infer', 'motion', 'fuse'), spent, strict=True))
        return SurroundResult(
            cloud, depths, confidence, present, fusion.config, now_from_then, timings_s
        )

    def use_filters(self, config: FusionConfig | None) -> None:
        """Fuse with other filters from the next frame on; any thread may say so."""
        manifest, steps = self.engine.manifest, self.fusion_backend.steps
        self._fusion = Fusion(self.rig, config, manifest.depth_kind, manifest.max_depth_m, steps)

    def warm_up(self) -> None:
        """Run the network once, so that the first frame is as fast as the others."""
        self.engine.infer(np.zeros_like(self._batch), self._focal)

    def preprocess(self, frame: SurroundFrame) -> UInt8[np.ndarray, 'c h w 3']:
        """The batch at network size; it always has every camera, missing ones are black."""
        if len(frame.images) != len(self.rig.cameras):
            raise PipelineError(
                f'the frame has {len(frame.images)} images, the rig {len(self.rig.cameras)} '
                f'cameras ({", ".join(self.rig.names)}): give one image or None for each'
            )
        for index, image in enumerate(frame.images):
            if image is None:
                self._batch[index] = 0
            else:
                self._resize(index, image)
        return self._batch

    def check_size(self, index: int, image: Any) -> None:
        """Raise PipelineError unless an image (h, w, 3) has the size of its calibration."""
        camera = self.source.cameras[index]
        expected = (camera.camera.height, camera.camera.width, 3)
        if image.shape != expected:
            raise PipelineError(
                f'the image of {camera.name} is {image.shape[1]}x{image.shape[0]}, its '
                f'calibration is for {expected[1]}x{expected[0]} (RGB): use the CameraInfo of '
                'these images, or a rig scaled to their size'
            )

    def _resize(self, index: int, image: Any) -> None:
        self.check_size(index, image)
        target = self._batch[index]
        if image.shape == target.shape:
            np.copyto(target, image)
            return
        import cv2  # only where images are not of network size

        cv2.resize(image, target.shape[1::-1], dst=target, interpolation=cv2.INTER_AREA)
