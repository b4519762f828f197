# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images of cameras at another size, the network's in the first place."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import UInt8


def resized(
    image: UInt8[np.ndarray, '_ _ *channels'], width: int, height: int
) -> UInt8[np.ndarray, '_ _ *channels']:
    """Resize as `Camera.scaled` expects it, borders on borders; an image of that size is returned.

    Pixel areas are averaged where both sides shrink; else pixels are interpolated bilinearly.
    """
    if image.shape[:2] == (height, width):
        return image
    target = np.empty((height, width, *image.shape[2:]), np.uint8)
    _resize(image, target)
    return target


class Resizer:
    """Fills images of the network's size, as `resized` up to a grey level.

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
        _resize(image, target)


def _resize(image: np.ndarray, target: np.ndarray) -> None:
    import cv2  # only where images are not of the size that is asked for

    shrinks = all(a >= b for a, b in zip(image.shape[:2], target.shape[:2], strict=True))
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    cv2.resize(image, target.shape[1::-1], dst=target, interpolation=method)
