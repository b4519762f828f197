# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From the images of a rig to its cloud: resize, infer, fuse."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float32, UInt8

from selfdepth_ros.core.arrays import to_numpy
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.frames import PointCloud, SurroundFrame
from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.inference.engine import DepthEngine, DepthPrediction
from selfdepth_ros.place import place_of


class PipelineError(SelfdepthError):
    """A frame that does not fit the rig."""


@dataclass(frozen=True, eq=False)
class SurroundResult:
    """What one frame became. Depths are at the network's size; NaN-filled for missing cameras."""

    cloud: PointCloud
    maps: DepthPrediction
    """Where the engine left them: on the host, or on its device."""
    present: tuple[bool, ...]
    filters: FusionConfig
    """What the cloud was filtered with."""
    now_from_then: SE3 | None = None
    """(c, 4, 4): what the cameras' points were moved by; None: nothing was known."""
    timings_s: dict[str, float] = field(default_factory=dict)
    """Seconds spent in `preprocess`, `infer` and `fuse`, and on waiting for the `motion`."""

    @cached_property
    def depths(self) -> Float32[np.ndarray, 'c h w']:
        """The depths on the host: from a device they come when they are asked for."""
        return to_numpy(self.maps.depth)

    @cached_property
    def confidence(self) -> Float32[np.ndarray, 'c h w'] | None:
        """The same of the confidence, where the model has one."""
        return None if self.maps.confidence is None else to_numpy(self.maps.confidence)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the depth maps."""
        _, height, width = self.maps.depth.shape
        return height, width


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
        self._place = place_of(engine, self.rig)
        self.use_filters(config)
        self._aside = ThreadPoolExecutor(1, 'motion')

    @property
    def fusion_description(self) -> str:
        """Who fuses, in words."""
        return self._place.description

    def last_images(self) -> UInt8[np.ndarray, 'c h w 3']:
        """Images of the last frame at network size; the next frame may overwrite them."""
        return self._place.images()

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
        with self._place.on_stream():
            start = time.perf_counter()
            self.preprocess(frame)
            ready = time.perf_counter()
            moving = self._aside.submit(motion)
            maps, present = self._place.infer(frame.present, trust), frame.present
            inferred = time.perf_counter()
            now_from_then = moving.result()
            moved = time.perf_counter()
            fusion = self._fusion  # may be exchanged meanwhile
            seen, batch = (present, frame.stamp_ns, maps.confidence), self._place.batch
            cloud = fusion.fuse(maps.depth, batch, *seen, now_from_then)
        spent = np.diff([start, ready, inferred, moved, time.perf_counter()]).tolist()
        timings_s = dict(zip(('preprocess', 'infer', 'motion', 'fuse'), spent, strict=True))
        return SurroundResult(cloud, maps, present, fusion.config, now_from_then, timings_s)

    def use_filters(self, config: FusionConfig | None) -> None:
        """Fuse with other filters from the next frame on; any thread may say so."""
        self._fusion = self._place.fusion(config)

    def warm_up(self) -> None:
        """Run the network once, so that the first frame is as fast as the others."""
        with self._place.on_stream():
            self._place.infer([True] * len(self.rig), None)

    def preprocess(self, frame: SurroundFrame) -> None:
        """Make the batch at network size; it has every camera, missing ones are black."""
        if len(frame.images) != len(self.rig.cameras):
            raise PipelineError(
                f'the frame has {len(frame.images)} images, the rig {len(self.rig.cameras)} '
                f'cameras ({", ".join(self.rig.names)}): give one image or None for each'
            )
        for index, (image, times) in enumerate(zip(frame.images, frame.reduced, strict=True)):
            if image is not None:
                self.check_size(index, (times * image.shape[0], times * image.shape[1]))
        self._place.put(frame.images)

    def check_size(self, index: int, size: tuple[int, int]) -> None:
        """Raise PipelineError unless an image's height and width are those of its calibration."""
        camera = self.source.cameras[index]
        expected = (camera.camera.height, camera.camera.width)
        if size != expected:
            raise PipelineError(
                f'the image of {camera.name} is {size[1]}x{size[0]}, its '
                f'calibration is for {expected[1]}x{expected[0]} (RGB): use the CameraInfo of '
                'these images, or a rig scaled to their size'
            )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's images."""
        return self.engine.manifest.height, self.engine.manifest.width
