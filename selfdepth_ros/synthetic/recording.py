# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a bag of a street world holds: its options, its time base, and one frame's content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.synthetic.errors import SyntheticError
from selfdepth_ros.synthetic.rig import LidarScan, street_rig

if TYPE_CHECKING:
    from selfdepth_ros.synthetic.world import StreetWorld

EPOCH_NS = 1_700_000_000_000_000_000
START_NS = 500_000_000
_RANGES = {
    'seed': (0, 2**31), 'frames': (1, 10**6), 'width': (32, 4096), 'height': (32, 4096),
    'rate_hz': (0.1, 100), 'noise': (0, 100), 'jpeg_quality': (1, 100), 'gain_spread': (0, 0.5),
    'lidar_noise_m': (0, 10), 'stagger_ms': (0, 50), 'odometry_noise': (0, 1),
}  # fmt: skip


def check_range(name: str, value: float | int) -> None:
    """Raise SyntheticError for an option out of its range, and for NaN."""
    low, high = _RANGES[name]
    if not low <= value <= high:
        raise SyntheticError(f'{name} is {value}: expected {low} to {high}')


@dataclass(frozen=True)
class Recording:
    """Options of one synthetic bag; sizes in pixels, noise in grey levels."""

    seed: int
    frames: int
    width: int = 320
    height: int = 192
    rate_hz: float | int = 10
    compressed: bool = True
    jpeg_quality: int = 95
    depth_truth: bool = False
    lidar: bool = True
    noise: float | int = 0
    gain_spread: float | int = 0
    distorted: bool = False
    lidar_noise_m: float | int = 0
    stagger_ms: float | int = 3

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name in _RANGES:
                check_range(name, value)

    @property
    def duration_s(self) -> float:
        """How long the drive must be."""
        return self.frames / self.rate_hz + 1.0

    def stamps_ns(self, frame: int) -> NDArray[np.int64]:
        """Stamps (6,) of one frame since the drive's start: one after another, with jitter."""
        order = np.random.default_rng([self.seed, 81]).permutation(6)
        jitter = np.random.default_rng([self.seed, 82, frame]).integers(-400_000, 400_001, 6)
        later = self.stagger_ms * (order * 1_000_000 + jitter / 3)
        return self.base_ns(frame) + np.rint(later).astype(np.int64)

    def base_ns(self, frame: int) -> int:
        """The time a frame is triggered at, since the drive's start; the LiDAR's stamp."""
        return START_NS + round(frame * 1e9 / self.rate_hz)


@dataclass(frozen=True)
class FrameContent:
    """One frame, ready to be written: encoded bytes or arrays per camera."""

    stamps_ns: NDArray[np.int64]
    images: list[NDArray[np.uint8]]
    z_depths: NDArray[np.float32] | None
    scan: LidarScan | None


class Recorder:
    """Renders the frames of a recording."""

    def __init__(
        self, recording: Recording, threads: int = 2, world: StreetWorld | None = None
    ) -> None:
        """Builds the recording's world (seconds) unless it is given."""
        # Here, so that a process that only writes what its workers render needs no Open3D.
        from selfdepth_ros.synthetic.lidar import StreetLidar
        from selfdepth_ros.synthetic.render import StreetRenderer
        from selfdepth_ros.synthetic.world import StreetWorld

        self.recording = recording
        self.world = world or StreetWorld(recording.seed, recording.duration_s)
        rig = street_rig(recording.width, recording.height, recording.distorted)
        self.renderer = StreetRenderer(
            self.world, rig, noise=recording.noise, gain_spread=recording.gain_spread,
            threads=threads,
        )  # fmt: skip
        self.lidar = StreetLidar(self.renderer.caster, range_noise_m=recording.lidar_noise_m)

    def frame(self, index: int) -> FrameContent:
        """Render and encode one frame."""
        r = self.recording
        rendered = self.renderer.render(r.stamps_ns(index).tolist())
        images = list(rendered.images)
        if r.compressed:
            images = [_jpeg(image, r.jpeg_quality) for image in images]
        scan = self.lidar.scan(r.base_ns(index)) if r.lidar else None
        truth = rendered.z_depths if r.depth_truth else None
        return FrameContent(rendered.stamps_ns, images, truth, scan)


def _jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return cv2.imencode('.jpg', image[..., ::-1], options)[1].reshape(-1)
