# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth images as those who read depth images expect them: of a pinhole without distortion."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from selfdepth_ros.core.cameras import Camera, PinholeCamera
from selfdepth_ros.core.sampling import nearest


class RectifiedDepth:
    """Z-depths of one camera as the same camera without distortion has them (REP 118).

    The optical axis stays and so does the depth; each pixel takes the nearest one's, so that no
    depth between two surfaces is made up. No plane holds what a fisheye lens sees: its depth
    images stay as they are. Made once for a calibration.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        """Of the images that are returned."""
        self._pixels = None
        if isinstance(camera, PinholeCamera) and any(camera.distortion):
            self.camera = replace(camera, distortion_model='none', distortion=())
            pixels, self._seen = camera.project(self.camera.pixel_rays()[0])
            every = np.arange(camera.height * camera.width).reshape(camera.height, camera.width)
            self._pixels = nearest(every, pixels, self._seen)

    def __call__(self, z_depth: Float32[np.ndarray, 'h w']) -> Float32[np.ndarray, 'h w']:
        """The depth image of `self.camera`, metres; NaN beyond what the camera itself sees."""
        if self._pixels is None:
            return z_depth
        return np.where(self._seen, z_depth.reshape(-1)[self._pixels], np.float32(np.nan))
