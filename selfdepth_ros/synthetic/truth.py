# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the rig of a loop really saw, in a folder: written while it plays, read afterwards."""

import json
from pathlib import Path
from typing import Any, TextIO

import cv2
import numpy as np

from selfdepth_ros.core.rig import load_rig, save_rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.synthetic.loop import RenderedLoop

PUBLISHED = 'published.jsonl'
"""A line for every frame that went out; once it is there, so are the others."""
RIG = 'rig.yaml'
_DEPTHS, _IMAGES, _POSES = 'z_depth.npy', 'images.npy', 'odom_from_body.npy'


def _pixels(image: Any) -> Any:
    """Pixels (h, w, 3) RGB of an image as it is kept in the loop: pixels, or JPEG bytes (n,)."""
    return image if image.ndim == 3 else cv2.imdecode(image, cv2.IMREAD_COLOR)[..., ::-1]


class TruthWriter:
    """Leaves the loop in a folder, and a line for every frame that goes out."""

    def __init__(self, folder: Path, loop: RenderedLoop) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / _DEPTHS, loop.z_depths)
        np.save(folder / _POSES, loop.poses_of_images())
        np.save(folder / _IMAGES, [[_pixels(i) for i in frame] for frame in loop.images])
        save_rig(loop.rig, folder / RIG)
        self._file: TextIO = (folder / PUBLISHED).open('w', encoding='utf-8')

    def published(self, frame: int, stamps_ns: dict[str, int]) -> None:
        """Note which frame went out under which stamps."""
        self._file.write(json.dumps({'frame': frame, 'stamps_ns': stamps_ns}) + '\n')
        self._file.flush()

    def close(self) -> None:
        """Close the list."""
        self._file.close()


class Truth:
    """The loop that the rig plays, found again by stamp."""

    def __init__(self, folder: Path) -> None:
        self._depths = np.load(folder / _DEPTHS, mmap_mode='r')
        self._images = np.load(folder / _IMAGES, mmap_mode='r')
        self._poses = np.load(folder / _POSES)
        names = load_rig(folder / RIG).names
        self._taken: dict[int, tuple[int, int]] = {}
        """Stamp of an image -> frame and camera."""
        for line in (folder / PUBLISHED).read_text().splitlines():
            if line.endswith('}'):  # the last one may be half written
                entry = json.loads(line)
                for name, stamp_ns in entry['stamps_ns'].items():
                    self._taken[stamp_ns] = entry['frame'], names.index(name)

    def frame(self, stamp_ns: int) -> int | None:
        """Which frame went out under a stamp of any of its images."""
        return self._taken[stamp_ns][0] if stamp_ns in self._taken else None

    def now_from_then(self, stamp_ns: int) -> SE3:
        """True motion (c, 4, 4) from the images of a set to the one with this stamp."""
        frame, camera = self._taken[stamp_ns]
        return SE3(SE3(self._poses[frame, camera]).inverse().matrix @ self._poses[frame])

    def depth(self, frame: int, camera: int, size: tuple[int, int]) -> Any:
        """True z-depth (h, w) at a size (width, height): sky +inf, the robot itself NaN."""
        truth = np.asarray(self._depths[frame, camera])
        return cv2.resize(truth, size, interpolation=cv2.INTER_NEAREST)

    def image(self, frame: int, camera: int) -> Any:
        """The image (h, w, 3) that was published."""
        return np.asarray(self._images[frame, camera])
