# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images of cameras at the network's size."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import UInt8


class Resizer:
    """Fills an image of the network's size: each pixel is the mean of the area that it covers.

    Args:
        shrink: does it where not both factors are whole, which cv2 is slow at; None: cv2 does.
    """

    def __init__(self, shrink: Callable[[Any, Any], None] | None = None) -> None:
        self._shrink = shrink

    def __call__(
        self, image: UInt8[np.ndarray, 'H W 3'], target: UInt8[np.ndarray, 'h w 3']
    ) -> None:
        """Fill `target`."""
        if image.shape == target.shape:
            np.copyto(target, image)
            return
        sides = list(zip(image.shape[:2], target.shape[:2], strict=True))
        whole, smaller = all(a % b == 0 for a, b in sides), all(a >= b for a, b in sides)
        if self._shrink and smaller and not whole:
            self._shrink(image, target)
            return
        import cv2  # only where images are not of network size

        cv2.resize(image, target.shape[1::-1], dst=target, interpolation=cv2.INTER_AREA)
